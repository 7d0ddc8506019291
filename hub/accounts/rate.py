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
        level = self._level
        if now > self._at:
            level += (now - self._at) * self._per_second
            level = level if level < self._size else self._size
            self._at = now
        if level >= 1.0 - _ROUNDING:
            self._level = level - 1.0 if level > 1.0 else 0.0
            return 0.0
        self._level = level
        return (1.0 - level) / self._per_second
