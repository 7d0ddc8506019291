"""One ASGI application per path: authenticate, read the query and the body, call, answer. Every error comes out in that API's shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.dialects.smsgate.answers import error_answer, wrong
from hub.dialects.smsgate.callers import Caller, Callers
from hub.http import read_body
from hub.log import get_logger
from hub.services import Services
from hub.storage.transaction import UseCase

log = get_logger("dialects.smsgate")

PREFIXES = ("/3rdparty/v1", "/api/3rdparty/v1")
BODY_MAX_BYTES = 8 * 1024 * 1024
"""The largest data field in a hundred encrypted numbers is far below; attachments of an MMS, which is refused with a reason, are not."""
MOST_PARAMETERS = 64
_DECODER = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: who asks, and what."""

    services: Services
    callers: Callers
    caller: Caller
    prefix: str
    tail: str
    """What follows the operation's path: an id, decoded."""
    query: Mapping[str, str]
    body: Any
    """The decoded JSON; None without a body."""
    trace_id: str | None

    @property
    def account_id(self) -> str:
        """The account of the caller."""
        return self.caller.account_id

    @property
    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self.services.clock.now()

    def new_id(self) -> str:
        """An id for a new row."""
        return self.services.ids.next(self.services.clock.now())

    async def write(self, use_case: UseCase[Any, Any], command: Any) -> Any:
        """Apply one command; returns after its commit."""
        return await self.services.db.writer.submit(use_case, command, *command.keys())


Handler = Callable[[Ask], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """Below the prefix; one that ends in `/` is followed by an id."""
    scope: str | None
    """None = nobody is asked who they are."""
    run: Handler


class DoorRoute(Route):
    """A route whose application answers every method itself, so that a wrong one is told in that API's shape."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class PathApp:
    """The operations of one path under one prefix."""

    def __init__(
        self,
        services: Services,
        callers: Callers,
        prefix: str,
        path: str,
        operations: Sequence[Operation],
        before: Callable[[], Awaitable[None]],
    ) -> None:
        self._services = services
        self._callers = callers
        self._prefix = prefix
        self._path = path
        self._before = before
        self._by_method = {operation.method: operation for operation in operations}

    @property
    def methods(self) -> list[str]:
        """Which it has."""
        return sorted(self._by_method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope, receive))(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        try:
            return await self._run(scope, receive)
        except HubError as error:
            return error_answer(error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a request failed inside the hub", path=self._path)
            return error_answer(HubError(Code.INTERNAL))

    async def _run(self, scope: Scope, receive: Receive) -> Response:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        operation = self._by_method.get(method)
        if operation is None:
            answer = error_answer(HubError(Code.METHOD_NOT_ALLOWED))
            answer.headers["Allow"] = ", ".join(self.methods)
            return answer
        caller = _NOBODY
        if operation.scope is not None:
            await self._before()
            caller = await self._callers.identify(scope)
            caller.require(operation.scope)
        raw = await read_body(scope, receive, BODY_MAX_BYTES) if method in ("POST", "PUT", "PATCH") else b""
        ask = Ask(
            services=self._services,
            callers=self._callers,
            caller=caller,
            prefix=self._prefix,
            tail=_tail(scope, self._prefix + self._path) if self._path.endswith("/") else "",
            query=_query(scope),
            body=_decoded(raw),
            trace_id=scope.get("trace_id"),
        )
        return await operation.run(ask)


_NOBODY = Caller.__new__(Caller)
"""For operations that ask nobody who they are; reading its account is an error of ours."""


def door_routes(
    services: Services, callers: Callers, operations: Sequence[Operation], before: Callable[[], Awaitable[None]]
) -> list[Route]:
    """One route per path and prefix, in the order of the table. `before` is awaited before each request of a known path."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    routes: list[Route] = []
    for prefix in PREFIXES:
        for path, rows in by_path.items():
            app = PathApp(services, callers, prefix, path, rows, before)
            pattern = prefix + path + ("{tail:path}" if path.endswith("/") else "")
            routes.append(DoorRoute(pattern, app, methods=app.methods))
        routes.append(DoorRoute(prefix + "/{rest:path}", _Nothing(), methods=["GET"]))
    return routes


class _Nothing:
    """What answers at a path that API does not have."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = HubError(Code.NOT_FOUND, f"Nothing answers at {sanitise(scope['path'])[:200]}.")
        await error_answer(error)(scope, receive, send)


def _tail(scope: Scope, before: str) -> str:
    """The id at the end of a path. Read from the undecoded path, because an id may hold an encoded slash."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1").partition("?")[0]
    return unquote(path[len(before) :], errors="replace").removesuffix("/") if path.startswith(before) else ""


def _query(scope: Scope) -> dict[str, str]:
    """The parameters, the last of each name; other APIs' clients send some that mean nothing here."""
    try:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise wrong(f"The query has more than {MOST_PARAMETERS} parameters.") from None
    return {name: value for name, value in pairs if value != ""}


def _decoded(raw: bytes) -> Any:
    if not raw.strip():
        return None
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise wrong(f"The body is not JSON: {sanitise(str(error))}") from None
    except RecursionError:
        raise wrong("The body is nested too deeply.") from None
