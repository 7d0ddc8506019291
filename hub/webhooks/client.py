"""The HTTP client of one lane: one method, `send`, and everything a hostile receiver could abuse is bounded here or below.

- The guard sees each address at the moment it is dialled (`dial`); redirects are not followed.
- One deadline covers look-up, connect, handshake, request and answer: limits per operation let a dripping receiver last for ever.
- Bodies are never decompressed, and little of them is read (`http1`). The status decides.
- A kept connection that breaks before any byte of an answer is not the receiver's failure: the same request goes out once more on a
  new one. There is no other hidden retry.
- Connections idle for 30 s are closed, and none lives longer than 5 minutes, because names move.

Why not an HTTP library: docs/decisions/0002-webhook-client.md has the measurements.
"""

import asyncio
import ssl
import time
from typing import Protocol

from hub.core.ports import RenderedRequest
from hub.webhooks.answer import KEPT_BODY_BYTES, Answer, timing_of
from hub.webhooks.dial import Dialler, Target, target_of
from hub.webhooks.failures import result_of_error, shown_error
from hub.webhooks.http1 import HEADER_BYTES, Connection, Exchange
from hub.webhooks.judgement import result_of_status
from hub.webhooks.resolver import Resolver
from hub.webhooks.sentences import Result
from hub.webhooks.targets import Guard
from hub.webhooks.trip import Trip

IDLE_SECONDS = 30.0
LIFE_SECONDS = 300.0


class Sender(Protocol):
    """How a request leaves the hub. One object per lane."""

    async def send(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        """Send, and tell what came of it; raises nothing but cancellation."""
        ...

    def close(self) -> None:
        """Close the connections; requests that are under way end first."""
        ...


class Client(Protocol):
    """What the lanes of a process send by."""

    @property
    def guard(self) -> Guard:
        """Which addresses customers' URLs may lead to."""
        ...

    @property
    def dialler(self) -> Dialler:
        """What opens connections to addresses that customers choose."""
        ...

    @property
    def has_mail(self) -> bool:
        """Whether mails can leave the hub."""
        ...

    def pool(self) -> Sender:
        """The way out of one lane."""
        ...

    def close(self) -> None:
        """Begin nothing more."""
        ...


class HttpClient:
    """What the lanes of a process share: resolver, guard, TLS settings. Makes the lanes' pools."""

    def __init__(self, guard: Guard, resolver: Resolver, *, proxy: str = "") -> None:
        self.guard: Guard = guard
        self._resolver = resolver
        tls = ssl.create_default_context()
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self.dialler: Dialler = Dialler(guard, resolver, tls, proxy)

    @property
    def has_mail(self) -> bool:
        """Never."""
        return False

    def pool(self) -> "Pool":
        """A pool of connections for one lane."""
        return Pool(self.dialler)

    def close(self) -> None:
        """Look up no more names."""
        self._resolver.close()


class Pool:
    """The connections of one lane. A `Sender`. How many are open at once is the lane's window."""

    def __init__(self, dialler: Dialler) -> None:
        self._dialler = dialler
        self._idle: dict[tuple[bool, str, int], list[Connection]] = {}
        self._reaper: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def send(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        """See `Sender`; once more on a new connection when a kept one had died."""
        trip = Trip()
        ends_at = asyncio.get_running_loop().time() + deadline_seconds
        try:
            target = target_of(request.url, self._dialler.has_proxy)
            data = _encoded(request, target, self._dialler)
        except ValueError as error:
            return Answer(Result.BLOCKED, error=str(error), timing=timing_of(trip, None, time.perf_counter()))
        kept = self._kept(target)
        if kept is not None:
            answer = await self._exchange(kept, target, data, trip, ends_at)
            if answer is not None:
                return answer
        try:
            async with asyncio.timeout_at(ends_at):
                connection = await self._dialler.dial(target, trip)
        except (OSError, TimeoutError, ValueError) as error:  # ssl's errors are OSErrors
            return _no_answer(error, trip)
        answer = await self._exchange(connection, target, data, trip, ends_at)
        assert answer is not None
        return answer

    def close(self) -> None:
        """Close what is idle; what is busy closes when its answer is in."""
        self._is_closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _exchange(
        self, connection: Connection, target: Target, data: bytes, trip: Trip, ends_at: float
    ) -> Answer | None:
        """The answer; None when a kept connection died before any byte of one."""
        is_kept = trip.connected is None
        waiter = connection.send(data)
        deadline = asyncio.get_running_loop().call_at(ends_at, connection.cut)
        try:
            await waiter
        except (OSError, TimeoutError) as error:
            if is_kept and connection.exchange.bytes_in == 0 and not isinstance(error, TimeoutError):
                return None
            return _no_answer(error, trip)
        except BaseException:
            connection.close()
            raise
        finally:
            deadline.cancel()
        if is_kept:
            trip.address = connection.address
        self._keep(connection, target)
        return _answer(connection.exchange, trip)

    # --- kept connections -----------------------------------------------------------------------------------------------------------

    def _kept(self, target: Target) -> Connection | None:
        connections = self._idle.get((target.is_tls, target.host, target.port))
        now = time.monotonic()
        while connections:
            connection = connections.pop()
            if (
                connection.is_open
                and now - connection.idle_since < IDLE_SECONDS
                and now - connection.born_at < LIFE_SECONDS
            ):
                return connection
            connection.close()
        return None

    def _keep(self, connection: Connection, target: Target) -> None:
        now = time.monotonic()
        if not connection.is_reusable or self._is_closed or now - connection.born_at >= LIFE_SECONDS:
            connection.close()
            return
        connection.idle_since = now
        self._idle.setdefault((target.is_tls, target.host, target.port), []).append(connection)
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._reap)

    def _reap(self) -> None:
        """Close what has been idle for long; a lane's pool is looked through once in 30 s, while it has any."""
        self._reaper = None
        before = time.monotonic() - IDLE_SECONDS / 2
        for key, connections in list(self._idle.items()):
            fresh = [connection for connection in connections if connection.is_open and connection.idle_since > before]
            for connection in connections:
                if connection not in fresh:
                    connection.close()
            if fresh:
                self._idle[key] = fresh
            else:
                del self._idle[key]
        if self._idle:
            self._reaper = asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, self._reap)


def _encoded(request: RenderedRequest, target: Target, dialler: Dialler) -> bytes:
    """The request as it goes over the wire. ValueError when a header would break out of its line."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in request.headers])
    if lines.count("\n") != len(request.headers) or lines.count("\r") != len(request.headers):
        raise ValueError("a header holds a line break")
    if dialler.has_proxy and not target.is_tls:
        lines += dialler.proxy_header()
    rest = f"{lines}content-length: {len(request.body)}\r\n\r\n"
    return b"".join((request.method.encode(), target.head, rest.encode("latin-1", "replace"), request.body))


def _answer(exchange: Exchange, trip: Trip) -> Answer:
    status = exchange.status
    assert status is not None
    return Answer(
        result_of_status(status),
        status,
        _kept_headers(exchange.headers),
        exchange.body[:KEPT_BODY_BYTES],
        None,
        trip.address,
        timing_of(trip, exchange.first_at, time.perf_counter()),
    )


def _no_answer(error: BaseException, trip: Trip) -> Answer:
    timing = timing_of(trip, None, time.perf_counter())
    return Answer(result_of_error(error, trip), error=shown_error(error, trip), address=trip.address, timing=timing)


def _kept_headers(raw: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """The headers as text, at most 8 kB of them."""
    kept, size = [], 0
    for name, value in raw:
        size += len(name) + len(value)
        if size > HEADER_BYTES:
            break
        kept.append((name.decode("latin-1"), value.decode("latin-1").replace("\x00", "")))
    return tuple(kept)
