"""The clock of a running hub: wall time taken once at start, moved on by the monotonic clock.

A step of the machine's clock (NTP, an operator, a bad battery) therefore changes no due time, no lease and no expiry of a running hub.
"""

import time

from hub.core.clock import UtcMs


class SystemClock:
    """`hub.core.clock.Clock` over the machine's clocks; `factor` > 1 lets tests live hours in seconds."""

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor
        self._monotonic_at_start = time.monotonic()
        self._wall_at_start = time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return (time.monotonic() - self._monotonic_at_start) * self._factor

    def now(self) -> UtcMs:
        """Milliseconds since the epoch, UTC."""
        return int((self._wall_at_start + self.monotonic()) * 1000)

    def real_seconds(self, seconds: float) -> float:
        """How long to sleep on the machine for `seconds` of this clock."""
        return seconds / self._factor
