"""One row of the API's table: a method and a path, what goes in, what comes out, who may, and the function that does it.

The table is the only place where this is written: routes, checks and the OpenAPI document are all made from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection
from starlette.types import ASGIApp, Receive, Scope

from hub.accounts.credentials import Principal
from hub.accounts.scopes import Scope as KeyScope
from hub.core.errors import Code, HubError
from hub.core.ids import Kind
from hub.dialects.native_v1.fields import Query
from hub.services import Services
from hub.storage.transaction import UseCase

QueryT = TypeVar("QueryT", bound=Query)
BodyT = TypeVar("BodyT")
ReturnsT = TypeVar("ReturnsT")
ResultT = TypeVar("ResultT")
P = ParamSpec("P")


class Keyed(Protocol):
    """A command that knows what orders it."""

    def keys(self) -> tuple[str, ...]: ...


CommandT = TypeVar("CommandT", bound=Keyed)


class NoQuery(Query):
    """Takes no query parameters."""


NoBody = type(None)
"""Reads no body, or answers with none."""


def found(view: ResultT | None) -> ResultT:
    """What a look-up found. Raises `not_found`: for an id that is another account's, too."""
    if view is None:
        raise HubError(Code.NOT_FOUND)
    return view


class Call(msgspec.Struct, Generic[QueryT, BodyT], frozen=True):
    """One request, checked: who asks, the ids of its path as they are stored, its query and its body."""

    services: Services
    who: Principal
    path: Mapping[str, str]
    query: QueryT
    body: BodyT
    scope: Scope
    receive: Receive
    raw_body: bytes = b""

    @property
    def account_id(self) -> str:
        """The account every look-up of this request is scoped by."""
        return self.who.account_id

    @property
    def line_ids(self) -> frozenset[str] | None:
        """The lines the one who asks may see and send by; None = all of the account."""
        return self.who.line_ids

    @property
    def trace_id(self) -> str | None:
        """Names this request in logs, and everything it sets off."""
        trace_id: str | None = self.scope.get("trace_id")
        return trace_id

    @property
    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self.services.clock.now()

    def new_id(self) -> str:
        """An id for a new row, made before the write is queued."""
        return self.services.ids.next(self.services.clock.now())

    def header(self, name: bytes) -> str | None:
        """A request header (lower-case name), None when it was not sent."""
        for key, value in self.scope["headers"]:
            if key == name:
                text: str = value.decode("latin-1")
                return text
        return None

    async def read(
        self, fn: Callable[Concatenate[Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Run a read in one snapshot of the database."""
        return await self.services.db.read(fn, *args, **kwargs)

    async def write(self, use_case: UseCase[CommandT, ResultT], command: CommandT) -> ResultT:
        """Apply one command; returns after its commit."""
        return await self.services.db.writer.submit(use_case, command, *command.keys())


class Answer(msgspec.Struct, Generic[ReturnsT], frozen=True):
    """An answer that is not just the operation's usual status: another one, or headers beside it."""

    body: ReturnsT
    status: int | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Content(msgspec.Struct, frozen=True):
    """An answer that is not JSON: a picture, or (as an ASGI application) a stream."""

    media_type: str
    content: bytes | ASGIApp


Handler = Callable[[Call[QueryT, BodyT]], Awaitable[ReturnsT | Answer[ReturnsT]]]

PATH_IDS: Mapping[str, Kind] = MappingProxyType(
    {
        "message_id": "message",
        "batch_id": "batch",
        "conversation_id": "conversation",
        "device_id": "device",
        "line_id": "line",
        "enrolment_id": "enrolment",
        "webhook_id": "endpoint",
        "delivery_id": "delivery",
        "replay_id": "replay",
        "key_id": "key",
        "contact_id": "contact",
        "snippet_id": "snippet",
        "login_id": "login",
        "user_id": "user",
        "gateway_id": "gateway",
        "mailbox_id": "mailbox",
        "media_id": "media",
    }
)
"""Every parameter of a path is an id; its name says of what. One that is no such id is answered 404, like a foreign one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[QueryT, BodyT, ReturnsT]):
    """One operation. Its summary is the first line of the handler's docstring, its description the rest."""

    method: str
    path: str
    run: Handler[QueryT, BodyT, ReturnsT]
    scope: KeyScope | None
    """None = any valid key will do."""
    query: type[QueryT]
    body: type[BodyT]
    """`NoBody` = none is read."""
    returns: type[ReturnsT]
    """`Content` = see `media_type`; `NoBody` = 204 without a body."""
    status: int = 200
    other_statuses: Mapping[int, str] = field(default_factory=dict)
    """Further successful statuses with the same body, and when they come."""
    errors: tuple[Code, ...] = ()
    """What it refuses with, beyond what every operation does."""
    request_headers: Mapping[str, str] = field(default_factory=dict)
    """Optional request headers and what they do."""
    media_type: str = "application/json"
    example: Mapping[str, Any] | None = None
    """A request body for the reference."""
    is_body_optional: bool = False
    takes_bytes: bool = False
    """The body is an attachment as it is (`Call.raw_body`), as large as one may be; `body` is `NoBody`."""
    takes_ticket: bool = False
    """Authorised by a key or by a stream ticket in the query."""
    knows_lines: bool = False
    """Shows and does only what is of the lines that the one who asks may see (`Call.line_ids`). Others are closed to somebody
    who may see some lines only, so that an operation which was not thought about leaks nothing."""

    @property
    def id(self) -> str:
        """Its name in OpenAPI: the handler's."""
        return self.run.__name__

    @property
    def tag(self) -> str:
        """The resource: the first word of its path below `/v1`."""
        return self.path.split("/")[2]

    @property
    def path_ids(self) -> tuple[str, ...]:
        """The parameters in its path, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


AnyOperation = Operation[Any, Any, Any]
