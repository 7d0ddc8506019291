"""What dialects of JSON over HTTP with a key have in common: who asks, the body, and every fault answered in the vendor's shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from hub.accounts.credentials import Principal
from hub.accounts.scopes import Scope as Right
from hub.core.errors import Code, HubError
from hub.core.text import is_storable
from hub.dialects.auth import authenticate
from hub.http import decode, json_response, read_body
from hub.log import get_logger
from hub.services import Services

log = get_logger("dialects")

BodyT = TypeVar("BodyT")


class Call:
    """One request of somebody who may make it."""

    def __init__(self, services: Services, who: Principal, request: Request, raw: bytes) -> None:
        self.services = services
        self.who = who
        self.request = request
        self.raw = raw

    @property
    def account_id(self) -> str:
        """Whose rows it may see."""
        return self.who.account_id

    @property
    def now(self) -> int:
        """The hub's clock."""
        return self.services.clock.now()

    @property
    def trace_id(self) -> str | None:
        """What finds this request again in logs and timelines."""
        return self.request.scope.get("trace_id")

    def new_id(self) -> str:
        """A fresh id."""
        return self.services.ids.next(self.now)

    def body(self, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
        """The body as the decoder's type. Raises `bad_request`, and `validation` naming the field."""
        if b"\\u0000" in self.raw:
            raise HubError(Code.VALIDATION, "The body holds a NUL character; leave it out.")
        return decode(decoder, self.raw)

    def query(self, name: str) -> str | None:
        """A parameter of the URL, None when it is absent or empty. Raises `validation` for one that no text can hold."""
        value = self.request.query_params.get(name) or None
        if value is not None and not is_storable(value):
            raise HubError(Code.VALIDATION, f"{name} holds a character that no text can have.")
        return value


Run = Callable[[Call], Awaitable[Any]]
Refuse = Callable[[HubError], Response]


class Operation:
    """What one method of one path does: `run` gives what is answered as JSON, or a whole response."""

    def __init__(self, run: Run, right: Right, status: int = 200) -> None:
        self.run, self.right, self.status = run, right, status


class Path:
    """An ASGI application for one path. Credentials are looked at before anything else."""

    def __init__(self, services: Services, operations: Mapping[str, Operation], refuse: Refuse) -> None:
        self._services = services
        self._operations = operations
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope, receive))(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        try:
            who = await authenticate(scope, self._services.credentials)
            operation = self._operations.get("GET" if scope["method"] == "HEAD" else scope["method"])
            if operation is None:
                answer = self._refuse(HubError(Code.METHOD_NOT_ALLOWED))
                answer.headers["Allow"] = ", ".join(sorted(self._operations))
                return answer
            who.require(operation.right)
            raw = await read_body(scope, receive, self._services.config.max_body_bytes)
            result = await operation.run(Call(self._services, who, Request(scope), raw))
        except HubError as error:
            return self._refuse(error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a request failed inside the hub", trace_id=scope.get("trace_id"))
            return self._refuse(HubError(Code.INTERNAL))
        return result if isinstance(result, Response) else json_response(result, operation.status)


ANY_METHOD = ["DELETE", "GET", "PATCH", "POST", "PUT"]
"""All of them come to us, so that a wrong one is refused in the vendor's shape too."""


class PathRoute(Route):
    """A route; with `parameter`, only for requests that have it in their query (or, with `is_present=False`, that have not).

    Two vendors use `GET /api/v1/sms`: with `id` it is one's, without it the other's.
    """

    def __init__(self, path: str, app: Path, *, parameter: str | None = None, is_present: bool = True) -> None:
        super().__init__(path, app, methods=ANY_METHOD)
        self._parameter = parameter
        self._is_present = is_present
        self.claim = path if parameter is None else f"{path}?{'' if is_present else '!'}{parameter}"
        """What no other adapter may claim too."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette asks it."""
        if self._parameter is not None and scope["type"] == "http":
            names = {pair.partition(b"=")[0] for pair in scope["query_string"].split(b"&")}
            if (self._parameter.encode() in names) is not self._is_present:
                return Match.NONE, {}
        return super().matches(scope)
