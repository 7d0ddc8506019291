"""The HTTP side of the listening socket: an answer whose length is known leaves in one piece.

uvicorn writes the head of an answer when the application starts it, and the body when that comes: two system calls and, on an idle
connection, two packets. ASGI lets a server keep the head until the first piece of the body is there; for short answers that saves a tenth
of what an accepted text costs. Everything else (streams, HEAD, answers without a length) is left to uvicorn.
https://asgi.readthedocs.io/en/stable/specs/www.html#response-start-send-event
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from hub.upgrade import WebSocketProtocol, is_usual

_START, _BODY = "http.response.start", "http.response.body"
_LEFT_TO_UVICORN = frozenset({b"connection", b"transfer-encoding"})
"""Headers that change how the connection goes on."""


LONGEST_HEAD_BYTES = 64 * 1024
"""Of a request line and its headers that come in several pieces; one piece alone has at most 256 KiB."""


LONGEST_HEAD_SECONDS = 30.0
"""From the start of a connection, or of a request on it, until the end of the head."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with `AtOnce` around the application of each request, and an end to requests that have none.

    The parser keeps all headers of a request until their end, and uvicorn bounds them with its other parser only: anybody could fill the
    memory by one connection. https://www.rfc-editor.org/rfc/rfc6585#section-5
    Nor does uvicorn bound how long a request takes to arrive: a body that trickles would hold its connection, and a task of the
    application, for ever. https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
    """

    _head: int | None = None
    """Bytes of a head that is not at its end yet; None between heads."""
    _began: float | None = None
    """When the request that is arriving (or the connection, before its first one) began; None when a request is whole."""
    _idle_since: float | None = None
    """When the last answer was complete; None from the first byte of the next request on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected."""
        self._began = self.loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """What came from the socket."""
        before = self._head
        super().data_received(data)
        if before is not None and self._head == before:
            self._head = before + len(data)
            if self._head > LONGEST_HEAD_BYTES:
                self._refuse_head()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = 0
        self._began = self.loop.time()
        self._idle_since = None
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is at its end."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is whole."""
        self._began = None
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The request asks for a websocket."""
        if not is_usual(self.scope["method"], self.url, self.headers):
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        protocol = WebSocketProtocol(config=self.config, server_state=self.server_state, app_state=self.app_state)
        protocol.connection_made(self.transport)
        protocol.begin(self.url, self.headers)
        self.transport.set_protocol(protocol)

    def on_response_complete(self) -> None:
        """An answer is complete: what uvicorn does then, without the timer it starts for each answer and takes back at the next request.

        Connections that nobody uses are found by the look for late ones (`cut_if_late`).
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()

    def cut_if_late(self, now: float, most_seconds: float) -> None:
        """End the connection when its request is still not whole `most_seconds` after it began, or when it has been idle for longer than
        uvicorn's `timeout_keep_alive`; `now` is the loop's time."""
        if self.transport.is_closing():
            return
        if self._began is None:
            if self._idle_since is not None and now - self._idle_since >= self.timeout_keep_alive:
                self.transport.close()
            return
        is_body = self._head is None and self.cycle is not None
        if now - self._began < (most_seconds if is_body else min(LONGEST_HEAD_SECONDS, most_seconds)):
            return
        if is_body and not self.cycle.response_started:
            self._refuse(408, b"The body of the request did not arrive whole in %d seconds.\n" % most_seconds)
        elif self._head is not None and (self.cycle is None or self.cycle.response_complete):
            self._refuse(408, b"The headers of the request did not arrive in time.\n")
        self.transport.close()

    def _refuse_head(self) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self._refuse(431, b"The headers are too large.\n")
        self.transport.close()

    def _refuse(self, status: int, said: bytes) -> None:
        """An answer of the server itself; the connection is closed behind it."""
        lines = b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(said)
        self.transport.write(STATUS_LINE[status] + lines + said)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        super()._start_asgi_task(cycle, AtOnce(cycle, app))  # type: ignore[arg-type]


class AtOnce:
    """One request: the application is given a `send` that keeps the head until the whole body is there."""

    __slots__ = ("_app", "_cycle", "_head", "_send")

    def __init__(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:
        self._cycle = cycle
        self._app = app
        self._head: bytes | None = None
        self._send: Send = cycle.send  # type: ignore[assignment]

    def __call__(self, scope: Scope, receive: Receive, _send: Send) -> Awaitable[None]:
        return self._app(scope, receive, self.send)

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        cycle, head = self._cycle, self._head
        if head is not None:
            self._head = None
            if cycle.disconnected:
                return
            body: bytes = message.get("body", b"")
            is_whole = not message.get("more_body", False) and len(body) == cycle.expected_content_length
            if is_whole and message["type"] == _BODY and not cycle.flow.write_paused:
                cycle.transport.write(head + body)
                self._complete()
                return
            cycle.transport.write(head)
        elif message["type"] == _START and self._keeps(message):
            return
        await self._send(message)

    def _keeps(self, message: Message) -> bool:
        """Make the head and keep it; False when uvicorn is to send this answer its own way."""
        cycle = self._cycle
        if cycle.response_started or cycle.disconnected or cycle.access_log or cycle.scope["method"] == "HEAD":
            return False
        headers: Sequence[tuple[bytes, bytes]] = tuple(message.get("headers", ()))
        size = _length(headers)
        if size is None:
            return False
        pieces = [STATUS_LINE[message["status"]]]
        for name, value in (*cycle.default_headers, *headers):
            pieces += (name, b": ", value, b"\r\n")
        pieces.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        self._head = b"".join(pieces)
        cycle.response_started, cycle.waiting_for_100_continue = True, False
        cycle.chunked_encoding, cycle.expected_content_length = False, size
        return True

    def _complete(self) -> None:
        """What uvicorn does after the last piece of an answer."""
        cycle = self._cycle
        cycle.expected_content_length = 0
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


def _length(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """The length an answer says it has; None where it says none, or says something uvicorn had better look at."""
    size: int | None = None
    for name, value in headers:
        if not _is_plain(name):
            return None
        if name == b"content-length":
            size = int(value)
    values = b"".join([value for _, value in headers])
    return None if HEADER_VALUE_RE.search(values) else size


@lru_cache(maxsize=256)
def _is_plain(name: bytes) -> bool:
    """Whether a header is written as it is: a well-formed name in lower case that says nothing of the connection."""
    return name == name.lower() and name not in _LEFT_TO_UVICORN and not HEADER_RE.search(name)
