"""A token bucket: so many requests a second on average, with a burst of a few seconds' worth."""

from __future__ import annotations

BURST_SECONDS = 4
_ROUNDING = 1e-9


class Bucket:
    """One key's allowance. Times are seconds of a monotonic clock, given by the caller."""

    __slots__ = ("_at", "_level", "_per_second", "_size")

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._size = max(per_second * BURST_SECONDS, 1.0)
        self._level = self._size
        self._at = now

    def take(self, now: float) -> float:
        """Take one request: 0.0 when it may go, else the seconds until one may (nothing is taken then)."""
        if now > self._at:
            self._level = min(self._size, self._level + (now - self._at) * self._per_second)
            self._at = now
        if self._level >= 1.0 - _ROUNDING:
            self._level = max(self._level - 1.0, 0.0)
            return 0.0
        return (1.0 - self._level) / self._per_second
