"""Brakes on the doors that take secrets: in memory, per process, bounded.

Failures count against the address they came from, because guessing is what they look like; what succeeds does not, because after a
restart thousands of phones may come from one address at once. A single credential has its own brake, whatever the outcome.
"""

from __future__ import annotations

from collections import OrderedDict

from hub.core.clock import Clock
from hub.core.errors import Code, HubError

MOST_KEYS = 50_000
"""Keys remembered; the one used longest ago is forgotten first."""


class Brake:
    """A token bucket per key: `burst` at once, then one every `seconds`."""

    def __init__(self, clock: Clock, *, burst: int, seconds: float) -> None:
        self._clock = clock
        self._burst = burst
        self._seconds = seconds
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When each key's bucket will be full again; one that is full is not remembered."""

    def check(self, key: str) -> None:
        """`rate_limited` when the key has used up its bucket."""
        wait = self._wait(key)
        if wait > 0:
            raise HubError(Code.RATE_LIMITED, retry_after_seconds=wait)

    def count(self, key: str) -> None:
        """Take one from the key's bucket."""
        now = self._clock.monotonic()
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._seconds
        self._full_at.move_to_end(key)
        if len(self._full_at) > MOST_KEYS:
            self._full_at.popitem(last=False)

    def take(self, key: str) -> None:
        """`check`, then `count`."""
        self.check(key)
        self.count(key)

    def _wait(self, key: str) -> float:
        full_at = self._full_at.get(key)
        if full_at is None:
            return 0.0
        missing = (full_at - self._clock.monotonic()) / self._seconds
        return max(0.0, (missing - self._burst + 1) * self._seconds) if missing > self._burst - 1 else 0.0
