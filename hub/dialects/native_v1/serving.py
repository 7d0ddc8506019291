"""Turns rows of the table into ASGI applications, one per path: authenticate, check, call, answer.

Plain ASGI on purpose: the same few steps serve every operation, and sending a text is the hottest path of the hub.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core import ids
from hub.core.errors import Code, HubError, invalid
from hub.core.text import is_storable
from hub.dialects.auth import authenticate_anybody, known_caller
from hub.dialects.native_v1.operation import PATH_IDS, Answer, AnyOperation, Call, Content, NoBody
from hub.dialects.native_v1.query import QueryReader
from hub.dialects.native_v1.tickets import principal_of_ticket
from hub.dialects.native_v1.waiting import ClientGone
from hub.http import decode, problem_response, read_body
from hub.log import get_logger
from hub.services import Services

log = get_logger("api")

_ENCODER = msgspec.json.Encoder()
_JSON = b"application/json"
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


def routes(services: Services, operations: Sequence[AnyOperation]) -> list[Route]:
    """One route per path, in the order of the table; a path answers 405 with Allow for methods it does not have."""
    by_path: defaultdict[str, list[AnyOperation]] = defaultdict(list)
    for operation in operations:
        by_path[operation.path].append(operation)
    return [PathRoute(path, PathApp(services, rows)) for path, rows in by_path.items()]


class PathRoute(Route):
    """A route whose application answers every method itself; `methods` only tells which it has."""

    def __init__(self, path: str, app: PathApp) -> None:
        super().__init__(path, app, methods=app.allowed)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class _Bound:
    """An operation with what it needs prepared once."""

    def __init__(self, operation: AnyOperation) -> None:
        self.operation = operation
        self.query = QueryReader(operation.query)
        self.body = None if operation.body is NoBody else msgspec.json.Decoder(operation.body)
        self.headers = [(b"content-type", operation.media_type.encode())]


class PathApp:
    """The operations of one path."""

    def __init__(self, services: Services, operations: Sequence[AnyOperation]) -> None:
        self._services = services
        self._base_url = services.config.base_url
        self._bound = {operation.method: _Bound(operation) for operation in operations}
        self.allowed = sorted({*self._bound, "OPTIONS"} | ({"HEAD"} if "GET" in self._bound else set()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        bound = self._bound.get("GET" if method == "HEAD" else method)
        answer: ASGIApp
        if bound is None:
            answer = self._answer_other(scope)
        else:
            try:
                call = await self._checked(bound, scope, receive)
                answer = _rendered(bound, scope, await bound.operation.run(call))
            except HubError as error:
                answer = problem_response(error, scope.get("trace_id"))
            except (ClientDisconnect, ClientGone):
                return  # nobody is there any more
            except Exception:
                log.exception("a request failed inside the hub", operation=bound.operation.id)
                answer = problem_response(HubError(Code.INTERNAL), scope.get("trace_id"))
        await answer(scope, receive, send)

    def _answer_other(self, scope: Scope) -> ASGIApp:
        allow = ", ".join(self.allowed)
        if scope["method"] == "OPTIONS":
            return _Sent(204, [(b"allow", allow.encode())], b"")
        response = problem_response(HubError(Code.METHOD_NOT_ALLOWED), scope.get("trace_id"))
        response.headers["Allow"] = allow
        return response

    async def _checked(self, bound: _Bound, scope: Scope, receive: Receive) -> Call[Any, Any]:
        operation, services = bound.operation, self._services
        if operation.takes_ticket and b"ticket=" in scope["query_string"]:
            query = bound.query.read(scope["query_string"])
            who = await principal_of_ticket(services, query.ticket)
        else:
            who = known_caller(scope, services.credentials) or await authenticate_anybody(
                scope, services.credentials, services.signed_in, self._base_url
            )
            query = None
        if operation.scope is not None:
            who.require(operation.scope)
        if who.line_ids is not None and not operation.knows_lines:
            raise HubError(Code.LINES_LIMITED)
        path = _path_ids(scope["path_params"])
        if query is None:
            query = bound.query.read(scope["query_string"])
        config = services.config
        most = config.media_max_bytes if operation.takes_bytes else config.max_body_bytes
        raw = await read_body(scope, receive, most)
        return Call(services, who, path, query, _body(bound, scope, raw), scope, receive, raw)


def _path_ids(parameters: Mapping[str, str]) -> dict[str, str]:
    if not parameters:
        return {}
    try:
        return {name: ids.parse(PATH_IDS[name], text) for name, text in parameters.items()}
    except ids.BadId as error:
        raise HubError(Code.NOT_FOUND) from error


def _body(bound: _Bound, scope: Scope, raw: bytes) -> Any:
    if bound.body is None or (not raw and bound.operation.is_body_optional):
        return None
    if raw and _media_type(scope) != _JSON:
        raise HubError(Code.UNSUPPORTED_MEDIA_TYPE, "Send the body with Content-Type: application/json.")
    body = _decoded(bound, raw)
    if b"\\u" in raw:
        refuse_unstorable(body)
    return body


def _decoded(bound: _Bound, raw: bytes) -> Any:
    assert bound.body is not None
    try:
        return decode(bound.body, raw)
    except HubError as error:
        if error.code is Code.BAD_REQUEST and _LONE_SURROGATE.search(raw):
            raise HubError(Code.BAD_REQUEST, "The body holds half of a surrogate pair (\\ud800 to \\udfff).") from error
        raise


def _media_type(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-type":
            if value == _JSON:
                return _JSON
            media_type: bytes = value.split(b";")[0].strip().lower()
            return media_type
    return b""


def refuse_unstorable(value: Any, where: str = "") -> None:
    """Refuse NUL, which JSON can write as an escape and PostgreSQL cannot store. (Half a surrogate pair is no JSON already.)"""
    if isinstance(value, str):
        if not is_storable(value):
            raise _unstorable(where)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            refuse_unstorable(getattr(value, name), f"{where}.{name}" if where else name)
    elif isinstance(value, dict):
        for name, item in value.items():
            refuse_unstorable(name, where)
            refuse_unstorable(item, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            refuse_unstorable(item, f"{where}[{position}]")


def _unstorable(where: str) -> HubError:
    return invalid(where, "bad_text", "It holds a NUL character; leave it out.")


class _Sent:
    """An answer whose body is known."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._status, self._headers, self._body = status, headers, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._status != 204:
            self._headers.append((b"content-length", str(len(self._body)).encode()))
        body = b"" if scope["method"] == "HEAD" else self._body
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": body})


def _rendered(bound: _Bound, scope: Scope, result: Any) -> ASGIApp:
    status, headers = bound.operation.status, list(bound.headers)
    if isinstance(result, Answer):
        status = result.status or status
        headers += result.headers
        result = result.body
    if isinstance(result, Content):
        if isinstance(result.content, bytes):
            return _Sent(status, headers, result.content)
        return _Sent(status, headers, b"") if scope["method"] == "HEAD" else result.content
    if result is None and bound.operation.returns is NoBody:
        return _Sent(204, headers[1:], b"")
    return _Sent(status, headers, _ENCODER.encode(result))
