"""HTTP answers and bodies in one shape, for every door that speaks our own JSON.

Errors are `application/problem+json` (RFC 9457) made from the one catalogue (`hub.core.errors`). Bodies are read with a cap and
decoded strictly: the field that does not fit is named by its path in the answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from hub.core.errors import Code, FieldError, HubError
from hub.log import get_logger

log = get_logger("http")

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]

PROBLEM_TYPE = "urn:handset-hub:problem:"
"""Before the error's code this makes the problem's `type`; docs/api-v1.md lists the codes."""

_encoder = msgspec.json.Encoder()
_AT_PATH = re.compile(r"(?P<why>.*?)(?: - at `(?:key in )?\$\.?(?P<where>[^`]*)`)?", re.DOTALL)
_FIELD_IN_SENTENCE = re.compile(r"Object (?:missing required|contains unknown) field `([^`]*)`")


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Every error answer of the hub's own APIs (RFC 9457 §3)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    """The catalogue's word: what a program compares."""
    retryable: bool
    """Whether the same request, unchanged, may succeed later."""
    errors: tuple[FieldError, ...] = ()
    trace_id: str | None = None


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value that msgspec can write, as JSON."""
    return Response(_encoder.encode(value), status, headers, media_type="application/json")


def problem_document(error: HubError, trace_id: str | None = None) -> ProblemDocument:
    """The error as the document a caller reads."""
    problem = error.problem
    return ProblemDocument(
        type=PROBLEM_TYPE + problem.code,
        title=problem.title,
        status=problem.status,
        detail=error.detail,
        code=problem.code,
        retryable=problem.retryable,
        errors=error.fields,
        trace_id=trace_id,
    )


def problem_headers(error: HubError) -> dict[str, str]:
    """What an error adds: `Retry-After` (RFC 9110 §10.2.3), and the challenge that a 401 must carry (§15.5.2)."""
    headers: dict[str, str] = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    elif error.status in (429, 503):
        headers["Retry-After"] = "1"
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Handset Hub"'
    return headers


def problem_response(error: HubError, trace_id: str | None = None) -> Response:
    """The error as an answer."""
    body = _encoder.encode(problem_document(error, trace_id))
    return Response(body, error.status, problem_headers(error), media_type="application/problem+json")


def answering(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its `HubError` answered as a problem, and anything unforeseen logged and answered 500."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        trace_id = request.scope.get("trace_id")
        try:
            return await endpoint(request)
        except HubError as error:
            return problem_response(error, trace_id)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a request failed inside the hub", path=request.scope.get("path"))
            return problem_response(HubError(Code.INTERNAL), trace_id)

    return answered


async def read_body(scope: Scope, receive: Receive, most_bytes: int) -> bytes:
    """The whole body; `body_too_large` as soon as it is known to be above `most_bytes`.

    Raises Starlette's `ClientDisconnect` when the caller hangs up half-way.
    """
    for name, value in scope["headers"]:
        # More than 15 digits is too large whatever the cap, and int() of a long digit string is slow.
        if name == b"content-length" and value.isdigit() and (len(value) > 15 or int(value) > most_bytes):
            raise _too_large(most_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most_bytes:
            raise _too_large(most_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunk if len(chunks) == 1 else b"".join(chunks)


def _too_large(most_bytes: int) -> HubError:
    return HubError(Code.BODY_TOO_LARGE, f"The body may have {most_bytes} bytes at most.")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The body as the decoder's type; `bad_request` when it is no JSON, `validation` naming the field when it does not fit."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise validation(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise HubError(Code.BAD_REQUEST, f"The body is not JSON: {why}." if body else "The body is empty.") from error


def validation(sentence: str) -> HubError:
    """The `validation` error of a msgspec sentence like ``Expected `int`, got `str` - at `$.to[0]` ``."""
    match = _AT_PATH.fullmatch(sentence)
    where, why = (match["where"] or "", match["why"]) if match else ("", sentence)
    named = _FIELD_IN_SENTENCE.match(why)
    if named:
        where = f"{where}.{named[1]}" if where else named[1]
    why = why.replace("`", "'")
    detail = f"{where}: {why}." if where else f"{why}."
    return HubError(Code.VALIDATION, detail, (FieldError(where, "invalid", f"{why}."),))
