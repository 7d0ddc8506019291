"""What is noted on the way of one request: when its name was known, its connection up, its handshake begun.

aiohttp's own tracing tells the same, but costs 12 µs a request even where nothing listens (a sixth of the whole request); these notes
are written by the few places that know, and only when a connection is made. They find their request through a context variable,
because those places are called deep inside the HTTP client.
"""

import time
from asyncio import BaseTransport
from contextvars import ContextVar


class Trip:
    """Moments on the monotonic clock of the machine, in seconds; None = it did not come to that."""

    __slots__ = ("address", "blocked", "connected", "dialled", "lookup_began", "lookup_ended", "started", "tls_began")

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.lookup_began: float | None = None
        self.lookup_ended: float | None = None
        self.dialled: float | None = None
        """The first socket was made: this request did not find an open one."""
        self.tls_began: float | None = None
        self.connected: float | None = None
        """A connection, new or kept, was ready."""
        self.address: str | None = None
        self.blocked: str | None = None
        """What the guard said."""

    @staticmethod
    def clock() -> float:
        """The clock of these notes."""
        return time.perf_counter()

    def began_lookup(self) -> None:
        """The name is being looked up."""
        self.lookup_began = time.perf_counter()

    def ended_lookup(self) -> None:
        """The name's addresses are known."""
        self.lookup_ended = time.perf_counter()

    def dials(self, address: str) -> None:
        """A socket towards this address is made."""
        if self.dialled is None:
            self.dialled = time.perf_counter()
        self.address = address

    def begins_tls(self) -> None:
        """The TCP connection is up, the TLS handshake begins."""
        self.tls_began = time.perf_counter()

    def is_connected(self, transport: BaseTransport | None) -> None:
        """A connection, new or kept, is ready."""
        self.connected = time.perf_counter()
        if self.address is None and transport is not None:
            peer = transport.get_extra_info("peername")
            self.address = str(peer[0]) if peer else None

    @property
    def is_reused(self) -> bool:
        """It was sent on a connection that was open before."""
        return self.dialled is None and self.connected is not None


_current: ContextVar[Trip | None] = ContextVar("webhook_trip", default=None)
current_trip = _current.get


def begin_trip() -> Trip:
    """Start the notes of the request this task is about to send."""
    trip = Trip()
    _current.set(trip)
    return trip
