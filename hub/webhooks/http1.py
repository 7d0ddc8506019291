"""One HTTP/1.1 connection to a receiver: writes a request, reads what of the answer is worth reading, and no more.

The parsing is llhttp's (Node's parser, through `httptools`), which also decides whether the connection may be used again. Around it
stand the limits that a hostile receiver meets:

- 8 kB of headers, and 16 kB of everything after them (or what whoever dials says): then the connection is closed, and the status that
  came counts.
- What breaks after the status line and headers changes nothing; what breaks before them is no answer.
- Bytes nobody asked for close the connection.
"""

import asyncio
import time
from typing import cast

import httptools

HEADER_BYTES = 8 * 1024
READ_BYTES = 16 * 1024


class NoAnswer(ConnectionError):
    """The connection ended before the headers of an answer."""


class BadAnswer(ConnectionError):
    """What came is not HTTP."""


class HeadersTooLarge(BadAnswer):
    """More headers than are read."""


class Exchange:
    """What has come of an answer so far."""

    __slots__ = ("body", "bytes_in", "first_at", "headers", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        """Known once all headers are."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.bytes_in = 0
        self.first_at: float | None = None


class Connection(asyncio.Protocol):
    """An open connection. One request at a time; `is_reusable` says whether another may follow."""

    __slots__ = (
        "_is_complete",
        "_parser",
        "_read_bytes",
        "_transport",
        "_waiter",
        "born_at",
        "exchange",
        "idle_since",
        "is_reusable",
    )

    def __init__(self, read_bytes: int = READ_BYTES) -> None:
        self._read_bytes = read_bytes
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._is_complete = False
        self.exchange = Exchange()
        self.is_reusable = False
        self.born_at = self.idle_since = time.monotonic()

    # --- what the pool calls ------------------------------------------------------------------------------------------------------

    def send(self, request: bytes) -> "asyncio.Future[None]":
        """Write a request. The future ends with the answer, or with the error that stands for it."""
        transport = self._transport
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        self.exchange = Exchange()
        self.is_reusable = self._is_complete = False
        if transport is None or transport.is_closing():
            self._fail(NoAnswer("the connection was closed"))
        else:
            transport.write(request)
        return waiter

    def cut(self) -> None:
        """The deadline: whoever has sent a status has answered."""
        if self.exchange.status is None:
            self._fail(TimeoutError())
        else:
            self._finish()

    def close(self) -> None:
        """Close at once; nothing is waited for."""
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    @property
    def address(self) -> str | None:
        """Of the receiver."""
        peer = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(peer[0]) if peer else None

    @property
    def is_complete(self) -> bool:
        """The answer came to its own end: nothing of it was cut off."""
        return self._is_complete

    @property
    def is_open(self) -> bool:
        """It was not closed by either side, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    # --- what the event loop calls ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.close()
            return
        exchange = self.exchange
        if exchange.first_at is None:
            exchange.first_at = time.perf_counter()
        exchange.bytes_in += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.is_reusable = False
            self._finish()
        except httptools.HttpParserError as error:
            self._broken(error)
        if not self._is_waiting():
            return
        if exchange.status is None:
            if exchange.bytes_in > HEADER_BYTES:
                self._fail(HeadersTooLarge(f"more than {HEADER_BYTES} bytes of headers"))
        elif (
            self._is_complete
            or exchange.bytes_in > HEADER_BYTES + self._read_bytes
            or len(exchange.body) >= self._read_bytes
        ):
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._waiter is None:
            return
        if self.exchange.status is not None:
            self._finish()
        else:
            self._fail(error if isinstance(error, OSError) else NoAnswer("the connection was closed"))

    # --- what the parser calls -----------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_complete:  # a second answer to one request
            self.is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.exchange.status is None:
            self.exchange.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._is_complete:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self.exchange.headers.clear()  # "100 Continue", "103 Early Hints": the answer is still to come
            return
        self.exchange.status = status

    def on_body(self, body: bytes) -> None:
        exchange = self.exchange
        if len(exchange.body) < self._read_bytes and not self._is_complete:
            exchange.body += body[: self._read_bytes - len(exchange.body)]

    def on_message_complete(self) -> None:
        if self.exchange.status is not None and not self._is_complete:
            self._is_complete = True
            self.is_reusable = self._parser.should_keep_alive()

    # --- the end -------------------------------------------------------------------------------------------------------------------

    def _is_waiting(self) -> bool:
        return self._waiter is not None

    def _broken(self, error: Exception) -> None:
        if self.exchange.status is None:
            self._fail(BadAnswer(str(error) or "not HTTP"))
        else:
            self._finish()

    def _finish(self) -> None:
        """The answer counts. What is not known to be at its end is closed."""
        waiter, self._waiter = self._waiter, None
        if not (self._is_complete and self.is_reusable):
            self.close()
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: BaseException) -> None:
        waiter, self._waiter = self._waiter, None
        self.close()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
