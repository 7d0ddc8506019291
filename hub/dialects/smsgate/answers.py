"""Answers in that API's shape: JSON, and errors as `{"message": "…"}` whatever went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from starlette.responses import Response

from hub.core.errors import Code, HubError
from hub.http import problem_headers

_ENCODER = msgspec.json.Encoder()

_SENTENCE: Mapping[Code, tuple[int, str]] = MappingProxyType(
    {
        Code.UNAUTHENTICATED: (401, "Unauthorized"),
        Code.KEY_EXPIRED: (401, "Unauthorized"),
        Code.KEY_REVOKED: (401, "Unauthorized"),
        Code.WRONG_LOGIN: (401, "Unauthorized"),
        Code.CANCEL_TOO_LATE: (409, "message is not pending"),
        Code.METHOD_NOT_ALLOWED: (405, "Method Not Allowed"),
    }
)
"""Where clients compare the sentence, or where saying more would help nobody but a guesser."""
_BAD_REQUEST = frozenset(
    {
        Code.BAD_REQUEST,
        Code.VALIDATION,
        Code.BAD_RECIPIENT,
        Code.TEXT_EMPTY,
        Code.TEXT_TOO_LONG,
        Code.TOO_MANY_RECIPIENTS,
        Code.UNKNOWN_SENDER,
        Code.SCHEDULE_OUT_OF_RANGE,
        Code.TARGET_REFUSED,
        Code.UNSUPPORTED_MEDIA_TYPE,
    }
)
"""This API knows one status for everything that is wrong with a request."""


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON."""
    return Response(_ENCODER.encode(value), status, headers, media_type="application/json")


def nothing() -> Response:
    """204."""
    return Response(status_code=204)


def error_answer(error: HubError) -> Response:
    """An error of the hub as this API tells it."""
    status, message = _SENTENCE.get(error.code, (error.status, error.detail))
    if error.code in _BAD_REQUEST:
        status = 400
    headers = {name: value for name, value in problem_headers(error).items() if name == "Retry-After"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Handset Hub", charset="UTF-8"'
    return answer({"message": message}, status, headers)


def wrong(message: str) -> HubError:
    """A request that cannot be: 400 with this sentence."""
    return HubError(Code.BAD_REQUEST, message)
