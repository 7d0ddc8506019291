"""The HTTP client of one lane: one method, `send`, and everything a hostile receiver could abuse is bounded here.

- The guard sees each address at the moment it is dialled; redirects are not followed; proxies of the environment are not used.
- One deadline covers look-up, connect, handshake, request and answer: limits per operation let a dripping receiver last for ever.
- Bodies are never decompressed. At most 16 kB are read, 4 KiB kept, then the connection is closed; headers are limited too.
- The status decides. A body that is cut, broken or endless after it changes nothing.
- A kept connection that breaks before any byte of an answer is not the receiver's failure: the same request goes out once more on a
  new one. There is no other hidden retry.
- Connections idle for 30 s are closed, and no pool lives longer than 5 minutes, because names move.
"""

import asyncio
import socket
import ssl
from typing import Any, Protocol

import aiohttp
import yarl
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from hub.core.ports import RenderedRequest
from hub.webhooks.answer import KEPT_BODY_BYTES, Answer, timing_of
from hub.webhooks.failures import may_not_have_arrived, result_of_error, shown_error
from hub.webhooks.judgement import result_of_status
from hub.webhooks.resolver import Resolver
from hub.webhooks.targets import AddressRefused, Guard
from hub.webhooks.trip import Trip, begin_trip, current_trip

READ_BYTES = 16 * 1024
HEADER_BYTES = 8 * 1024
MOST_HEADERS = 64
IDLE_SECONDS = 30.0
POOL_SECONDS = 300.0

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, Any]


class Sender(Protocol):
    """How a request leaves the hub. One object per lane."""

    async def send(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        """Send, and tell what came of it; raises nothing but cancellation."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class HttpClient:
    """What the lanes of a process share: resolver, guard, TLS settings. Makes the lanes' pools."""

    def __init__(self, guard: Guard, resolver: Resolver, *, proxy: str = "") -> None:
        self.guard = guard
        self.resolver = resolver
        self.proxy = proxy or None
        self.tls = _TimedContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self.tls.load_default_certs()

    def pool(self, limit: int) -> "Pool":
        """A pool of at most `limit` connections."""
        return Pool(self, limit)

    async def close(self) -> None:
        """Look up no more names."""
        await self.resolver.close()


class _Generation:
    """One aiohttp session and how many requests are on it; replaced as a whole when it is old or suspect."""

    __slots__ = ("busy", "is_retired", "session", "until")

    def __init__(self, session: aiohttp.ClientSession, until: float) -> None:
        self.session = session
        self.until = until
        self.busy = 0
        self.is_retired = False


class Pool:
    """The connections of one lane. A `Sender`."""

    def __init__(self, client: HttpClient, limit: int) -> None:
        self._client = client
        self._limit = limit
        self._now: _Generation | None = None

    async def send(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        """See `Sender`; one more try on a new connection when a kept one had died."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + deadline_seconds
        answer, again = await self._send_once(request, ends_at)
        if again:
            await self._retire()
            answer, _ = await self._send_once(request, ends_at)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._retire()

    async def _send_once(self, request: RenderedRequest, ends_at: float) -> tuple[Answer, bool]:
        loop = asyncio.get_running_loop()
        generation = await self._generation(loop.time())
        generation.busy += 1
        trip = begin_trip()
        exchange = _Exchange(trip)
        try:
            async with asyncio.timeout_at(ends_at):
                await exchange.run(generation.session, request, self._client.proxy)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            again = trip.is_reused and exchange.status is None and may_not_have_arrived(error)
            return exchange.answer(error), again
        finally:
            generation.busy -= 1
            if generation.is_retired and generation.busy == 0:
                await generation.session.close()
        return exchange.answer(), False

    async def _generation(self, now: float) -> _Generation:
        if self._now is not None and self._now.until <= now:
            await self._retire()
        if self._now is None:
            self._now = _Generation(self._session(), now + POOL_SECONDS)
        return self._now

    async def _retire(self) -> None:
        """Nothing new goes out on these connections; they close when the last answer is in."""
        old, self._now = self._now, None
        if old is not None:
            old.is_retired = True
            if old.busy == 0:
                await old.session.close()

    def _session(self) -> aiohttp.ClientSession:
        client = self._client
        connector = _Connector(
            limit=self._limit,
            keepalive_timeout=IDLE_SECONDS,
            ssl=client.tls,
            use_dns_cache=False,
            resolver=client.resolver,
            socket_factory=None if client.proxy else _guarded_sockets(client.guard),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept", "Content-Type"),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BYTES // 2,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            max_headers=MOST_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None),
        )


class _Exchange:
    """One request and what is known of its answer so far: kept outside the call, because the deadline may cut it anywhere."""

    __slots__ = ("body", "first", "headers", "status", "trip")

    def __init__(self, trip: Trip) -> None:
        self.trip = trip
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self.first: float | None = None

    async def run(self, session: aiohttp.ClientSession, request: RenderedRequest, proxy: str | None) -> None:
        """Send, and read what is worth reading."""
        response = await session.request(
            request.method,
            yarl.URL(request.url, encoded=True),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            proxy=proxy,
        )
        try:
            self.first = self.trip.clock()
            self.status = response.status
            self.headers = _kept_headers(response.raw_headers)
            await self._read(response.content)
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _read(self, content: aiohttp.StreamReader) -> None:
        while len(self.body) < READ_BYTES and not content.at_eof():
            chunk = await content.read(READ_BYTES - len(self.body))
            if not chunk:
                return
            self.body += chunk

    def answer(self, error: BaseException | None = None) -> Answer:
        """What came of it. An error after the status line is none."""
        result = result_of_status(self.status) if self.status is not None else None
        return Answer(
            result if result is not None else result_of_error(error or OSError(), self.trip),
            self.status,
            self.headers,
            self.body[:KEPT_BODY_BYTES],
            shown_error(error, self.trip) if error is not None and result is None else None,
            self.trip.address,
            timing_of(self.trip, self.first, self.trip.clock()),
        )


class _Connector(aiohttp.TCPConnector):
    """Notes when a connection is ready."""

    async def connect(  # the base class names its parameter so
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        trip = current_trip()
        if trip is not None:
            trip.is_connected(connection.transport)
        return connection


class _TimedContext(ssl.SSLContext):
    """Notes when a handshake begins: asyncio asks for the handshake's buffers at that moment, in the request's own context."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        trip = current_trip()
        if trip is not None:
            trip.begins_tls()
        return super().wrap_bio(*args, **kwargs)


def _guarded_sockets(guard: Guard) -> Any:
    """A socket factory that makes none towards a refused address."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _name, address = info
        trip = current_trip()
        try:
            guard.check(address[0])
        except AddressRefused as refused:
            if trip is not None:
                trip.blocked = str(refused)
            raise
        if trip is not None:
            trip.dials(address[0])
        return socket.socket(family, kind, protocol)

    return make


def _kept_headers(raw: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[str, str], ...]:
    """The headers as text, at most 8 kB of them."""
    kept, size = [], 0
    for name, value in raw:
        size += len(name) + len(value)
        if size > HEADER_BYTES:
            break
        kept.append((name.decode("latin-1").replace("\x00", ""), value.decode("latin-1").replace("\x00", "")))
    return tuple(kept)
