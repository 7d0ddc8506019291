"""What is noted on the way of one request: when its name was known, its connection up, its handshake begun and done."""

import time


class Trip:
    """Moments on the machine's monotonic clock, in seconds; None = it did not come to that (a kept connection skips most)."""

    __slots__ = (
        "address",
        "blocked",
        "connected",
        "dialled",
        "lookup_began",
        "lookup_ended",
        "started",
        "tls_began",
        "up",
    )

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.lookup_began: float | None = None
        self.lookup_ended: float | None = None
        self.dialled: float | None = None
        self.up: float | None = None
        self.tls_began: float | None = None
        self.connected: float | None = None
        self.address: str | None = None
        self.blocked: str | None = None
        """What the guard said."""

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

    def is_up(self, address: str) -> None:
        """The TCP connection to this address is up."""
        self.up = time.perf_counter()
        self.address = address

    def begins_tls(self) -> None:
        """The TLS handshake begins."""
        self.tls_began = time.perf_counter()

    def is_connected(self) -> None:
        """The connection is ready for the request."""
        self.connected = time.perf_counter()
