"""`/v1/stream`: the account's events as they happen (server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html).

    event: ready            once, with the cursor the stream begins at
    id: <cursor>
    data: {"cursor": …, "is_reset": false}

    id: <cursor>            each customer event, as in `GET /v1/events`; a browser's EventSource calls `onmessage`
    data: {"id": "evt_…", "type": "sms:received", …}

    event: change           something a dashboard shows has changed; read it if you show it. No id: these are not repeated
    data: {"kind": "message", "id": "msg_…"}

A client that comes back with `Last-Event-ID` misses no event and gets none twice. `is_reset` true says that the hub was restored from a
backup since: what was read before may have to be read again. A client that does not read is cut, and comes back.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, get_args

import msgspec
from msgspec import Meta, field
from starlette.types import Receive, Scope, Send

from hub.accounts.credentials import Principal
from hub.accounts.scopes import Scope as KeyScope
from hub.core import ids
from hub.core.errors import Code, HubError
from hub.core.events import EventType
from hub.dialects.native_v1.events import EventCursor
from hub.dialects.native_v1.events import shown as shown_event
from hub.dialects.native_v1.fields import Model, Query, UtcTime, time
from hub.dialects.native_v1.operation import AnyOperation, Call, Content, NoBody, NoQuery, Operation
from hub.dialects.native_v1.own_lines import own_hints
from hub.dialects.native_v1.pages import FeedCursor, feed_cursor
from hub.dialects.native_v1.tickets import new_ticket
from hub.dialects.native_v1.waiting import ClientGone, Waiting, waiting
from hub.live import Hint
from hub.log import get_logger
from hub.services import Services
from hub.storage.feeds import Position, latest_position, read_events

log = get_logger("stream")

TICK_SECONDS = 5.0
"""How often the feed is read without a hint: hints may be lost, and other processes have their own."""
QUIET_SECONDS = 15.0
"""After this long without a word a comment is sent, so that proxies keep the connection."""
SEND_SECONDS = 10.0
"""A client that takes longer to read is cut."""
PAGE = 200
MOST_STREAMS = 200
"""Open streams of one account on one process."""

_ENCODER = msgspec.json.Encoder()
_KINDS = frozenset(get_args(ids.Kind))
_SHOWN_KINDS = {"endpoint": "webhook"}


StreamTicket = Annotated[
    str, Meta(min_length=1, max_length=1024, description="From `POST /v1/stream/tickets`, in place of a key.")
]


class StreamQuery(Query):
    """What to follow."""

    ticket: StreamTicket | None = None
    after: Annotated[
        EventCursor | None, Meta(description="Begin after this place; `Last-Event-ID` counts before it.")
    ] = None
    type: Annotated[list[EventType], Meta(description="Only these events; empty = all.")] = field(default_factory=list)
    changes: Annotated[bool, Meta(description="Also say what has changed for a dashboard.")] = True


class Ticket(Model):
    """Opens one stream without a key in a header."""

    ticket: str
    url: Annotated[str, Meta(description="What to give to EventSource.")]
    expires_at: UtcTime


class Ready(Model):
    """The first event of a stream."""

    cursor: EventCursor
    is_reset: bool


class Change(Model):
    """Something changed; read it if you show it."""

    kind: str
    id: str


class EventStream:
    """One open stream, as an ASGI application."""

    def __init__(self, services: Services, who: Principal, query: StreamQuery, last_event_id: str | None) -> None:
        self._services = services
        self._who = who
        self._query = query
        start = last_event_id or query.after
        self._cursor = None if start is None else FeedCursor(start, services.hub_epoch)
        self._position = Position(0, 0)
        self._quiet_since = services.clock.monotonic()
        self._seen_changes = services.credentials.changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._position = await self._first_position()
        try:
            async with waiting(self._services.live, self._who.account_id, receive) as hints:
                await self._open(send)
                await self._follow(hints, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ClientGone:
            return
        except TimeoutError:
            log.warning("cut a stream whose client does not read", key_id=self._who.key_id)

    async def _first_position(self) -> Position:
        if self._cursor is not None:
            return self._cursor.position
        return await self._services.db.read(latest_position, self._who.account_id)

    async def _open(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        cursor = self._place()
        is_reset = self._cursor is not None and self._cursor.is_foreign
        ready = _ENCODER.encode(Ready(cursor=cursor, is_reset=is_reset))
        await self._say(send, b"event: ready\nid: %b\ndata: %b\n\n" % (cursor.encode(), ready))

    async def _follow(self, hints: Waiting, send: Send) -> None:
        """Until the client, the hub, or the end of the key ends it."""
        await self._send_events(send)
        while not hints.was_cut:
            found = await hints.take(TICK_SECONDS)
            if not await self._may_go_on():
                return
            if not found or any(hint.kind == "event" for hint in found):
                await self._send_events(send)
            if self._query.changes:
                await self._send_changes(found, send)
            await self._keep_open(send)

    async def _may_go_on(self) -> bool:
        changes = self._services.credentials.changes
        if changes == self._seen_changes and self._services.clock.monotonic() - self._quiet_since < QUIET_SECONDS:
            return True
        self._seen_changes = changes
        if self._who.user_id is not None:
            return await self._services.signed_in.is_alive(self._who)
        return await self._services.credentials.is_alive(self._who)

    async def _send_events(self, send: Send) -> None:
        has_more = True
        while has_more:
            page = await self._services.db.read(
                read_events,
                self._who.account_id,
                self._position,
                types=self._query.type,
                line_ids=self._who.line_ids,
                limit=PAGE,
            )
            epoch = self._services.hub_epoch
            lines = b"".join(
                b"id: %b\ndata: %b\n\n"
                % (
                    feed_cursor(epoch, event.position).encode(),
                    _ENCODER.encode(shown_event(event, self._who.account_id, self._services)),
                )
                for event in page.events
            )
            self._position, has_more = page.next, page.has_more
            if lines:
                await self._say(send, lines)

    async def _send_changes(self, hints: list[Hint], send: Send) -> None:
        if self._who.line_ids is not None:
            hints = await own_hints(self._services, self._who.account_id, self._who.line_ids, hints)
        lines = b"".join(
            b"event: change\ndata: %b\n\n" % _ENCODER.encode(_change(hint))
            for hint in dict.fromkeys(hints)
            if hint.kind != "event"
        )
        if lines:
            await self._say(send, lines)

    async def _keep_open(self, send: Send) -> None:
        if self._services.clock.monotonic() - self._quiet_since >= QUIET_SECONDS:
            await self._say(send, b": still here\n\n")

    async def _say(self, send: Send, lines: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        self._quiet_since = self._services.clock.monotonic()

    def _place(self) -> str:
        return feed_cursor(self._services.hub_epoch, self._position)


def _change(hint: Hint) -> Change:
    shown = ids.render(hint.kind, hint.id) if hint.kind in _KINDS else hint.id  # type: ignore[arg-type]
    return Change(kind=_SHOWN_KINDS.get(hint.kind, hint.kind), id=shown)


async def follow_stream(call: Call[StreamQuery, None]) -> Content:
    """Follow the events.

    Server-sent events. Each event's `id` is its cursor: come back with it in `Last-Event-ID` (a browser's EventSource does so
    by itself) and nothing is missed or repeated. `event: change` names something that has changed, for pages that show it.
    Without a cursor the stream begins now.
    """
    if call.services.live.watching(call.account_id) >= MOST_STREAMS:
        raise HubError(Code.RATE_LIMITED, f"{MOST_STREAMS} streams are open already.", retry_after_seconds=10)
    return Content("text/event-stream", EventStream(call.services, call.who, call.query, call.header(b"last-event-id")))


async def create_stream_ticket(call: Call[NoQuery, None]) -> Ticket:
    """Make a stream ticket.

    It opens `/v1/stream` without a header. For a browser's EventSource, which cannot send one. It lives a minute and does what
    your key may do.
    """
    ticket, expires_at = new_ticket(call.services, call.who)
    return Ticket(ticket=ticket, url=f"/v1/stream?ticket={ticket}", expires_at=time(expires_at))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        knows_lines=True, method="GET", path="/v1/stream", run=follow_stream, scope=KeyScope.EVENTS_READ, query=StreamQuery, body=NoBody,
        returns=Content, media_type="text/event-stream", takes_ticket=True,
        request_headers={"Last-Event-ID": "Where the last connection ended: the `id` of the last event."},
    ),
    Operation(
        knows_lines=True, method="POST", path="/v1/stream/tickets", run=create_stream_ticket, scope=KeyScope.EVENTS_READ, query=NoQuery,
        body=NoBody, returns=Ticket, status=201,
    ),
)  # fmt: skip
