"""How often a password may be tried: by name and by address, each with a burst and then slowly.

Only wrong tries count in the end: a right one gives its own back. It is counted before the password is looked at, so that
many tries at the same moment get no further than one after the other.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from hub.core.clock import Clock
from hub.core.errors import Code, HubError

BY_NAME = (10, 30.0)
"""Tries in a row, and seconds until one more."""
BY_ADDRESS = (40, 6.0)
"""More, because a whole office may share one."""
MOST_REMEMBERED = 20_000


class _Allowance:
    """Buckets by some word; a bucket that is full again is forgotten first."""

    def __init__(self, burst: int, seconds: float) -> None:
        self._burst, self._seconds = burst, seconds
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, word: str, now: float) -> float:
        """Count a try; 0.0 when it may go, else the seconds until one may."""
        used = self._level(word, now)
        if used + 1 > self._burst:
            return (used + 1 - self._burst) * self._seconds
        self._put(word, used + 1, now)
        return 0.0

    def give_back(self, word: str, now: float) -> None:
        """A try turned out to be right."""
        self._put(word, max(0.0, self._level(word, now) - 1), now)

    def _level(self, word: str, now: float) -> float:
        used, at = self._used.get(word, (0.0, now))
        return max(0.0, used - (now - at) / self._seconds)

    def _put(self, word: str, used: float, now: float) -> None:
        self._used[word] = (used, now)
        self._used.move_to_end(word)
        if len(self._used) > MOST_REMEMBERED:
            self._used.popitem(last=False)


class LoginRate:
    """The tries of this process."""

    def __init__(
        self, clock: Clock, *, by_name: tuple[int, float] = BY_NAME, by_address: tuple[int, float] = BY_ADDRESS
    ) -> None:
        self._clock = clock
        self._names = _Allowance(*by_name)
        self._addresses = _Allowance(*by_address)

    def take(self, username: str, address: str) -> None:
        """Count a try. Raises `rate_limited` with the time to wait."""
        now = self._clock.monotonic()
        wait = self._addresses.take(address, now)
        if wait == 0.0:
            wait = self._names.take(_folded(username), now)
            if wait > 0.0:
                self._addresses.give_back(address, now)
        if wait > 0.0:
            raise HubError(
                Code.RATE_LIMITED, "Too many tries. Wait a little, then try again.", retry_after_seconds=wait
            )

    def give_back(self, username: str, address: str) -> None:
        """The try was right."""
        now = self._clock.monotonic()
        self._names.give_back(_folded(username), now)
        self._addresses.give_back(address, now)


def _folded(username: str) -> str:
    """Names are of any length and may be a password typed into the wrong field: only a hash stays in memory."""
    return hashlib.sha256(username.encode("utf-8", "surrogatepass")).hexdigest()
