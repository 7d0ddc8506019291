"""The circuit breaker of a lane: when an endpoint is down, stop using up tries on it, and notice quickly when it is back.

Rules:

1. It opens after 5 failures in a row that last at least 2 s, or when at least half of at least 20 results within 60 s failed.
   Failures are what says "the endpoint is down": connection, TLS, timeout, 408, 429, 5xx. Another 4xx says "this request is wrong"
   and counts only from the 20th in a row (a wrong secret, a wrong path).
2. While it is open nothing is sent and no tries are used up. The k-th cool-down lasts min(600, 10·2^(k-1)) s, ±20 %.
3. Then it is half open: exactly one probe. Its success closes the breaker, its failure starts the next cool-down and uses up no try.

So an endpoint is found to be back within 12 minutes, however long it was away. Pure: time and randomness come in.
"""

from collections import deque

import msgspec

from hub.core.clock import UtcMs
from hub.core.retry import JITTER, spread

FAILURES_IN_A_ROW = 5
LEAST_SPAN_MS = 2_000
WINDOW_SECONDS = 60
WINDOW_RESULTS = 20
OTHER_4XX_IN_A_ROW = 20
FIRST_COOL_DOWN_SECONDS = 10.0
LONGEST_COOL_DOWN_SECONDS = 600.0


class BreakerState(msgspec.Struct, frozen=True):
    """What survives a restart."""

    openings: int = 0
    """Cool-downs in a row; 0 = closed."""
    open_until: UtcMs = 0


CLOSED = BreakerState()


class Breaker:
    """One lane's breaker."""

    def __init__(self, state: BreakerState = CLOSED) -> None:
        self.state = state
        self.is_probing = False
        self._in_a_row = 0
        self._in_a_row_since: UtcMs = 0
        self._others_in_a_row = 0
        self._seconds: deque[_Second] = deque()
        self._total_in_window = self._failed_in_window = 0

    @property
    def is_closed(self) -> bool:
        """Requests may flow."""
        return self.state.openings == 0

    def may_probe(self, now: UtcMs) -> bool:
        """The cool-down is over and no probe is on its way."""
        return not self.is_closed and not self.is_probing and now >= self.state.open_until

    def word(self, now: UtcMs) -> str:
        """`closed`, `open` or `half_open`."""
        if self.is_closed:
            return "closed"
        return "half_open" if self.is_probing or now >= self.state.open_until else "open"

    def succeeded(self, now: UtcMs) -> bool:
        """A request succeeded; True when that closed the breaker."""
        self._in_a_row = self._others_in_a_row = 0
        if self.is_closed:
            self._count(now, False)
            return False
        self._forget()
        return True

    def failed(self, now: UtcMs, random: float, *, is_down: bool) -> bool:
        """A request failed; True when that opened the breaker (again). `is_down` as in rule 1."""
        if not self.is_closed:
            return False
        if not is_down:
            self._others_in_a_row += 1
            return self._others_in_a_row >= OTHER_4XX_IN_A_ROW and self._open(now, random)
        self._count(now, True)
        self._in_a_row_since = now if self._in_a_row == 0 else self._in_a_row_since
        self._in_a_row += 1
        lasted = now - self._in_a_row_since >= LEAST_SPAN_MS
        if (self._in_a_row >= FAILURES_IN_A_ROW and lasted) or self._most_failed():
            return self._open(now, random)
        return False

    def probe_failed(self, now: UtcMs, random: float) -> None:
        """The probe failed: the next cool-down."""
        self.is_probing = False
        self._open(now, random)

    def _open(self, now: UtcMs, random: float) -> bool:
        openings = self.state.openings + 1
        cool_down = min(FIRST_COOL_DOWN_SECONDS * 2.0 ** min(openings - 1, 16), LONGEST_COOL_DOWN_SECONDS)
        self.state = BreakerState(openings, now + round(cool_down * spread(JITTER, random) * 1000))
        return True

    def _forget(self) -> None:
        self.state = BreakerState()
        self.is_probing = False
        self._seconds.clear()
        self._total_in_window = self._failed_in_window = 0

    def _count(self, now: UtcMs, failed: bool) -> None:
        second = now // 1000
        if not self._seconds or self._seconds[-1].second != second:
            self._seconds.append(_Second(second))
            while self._seconds[0].second <= second - WINDOW_SECONDS:
                gone = self._seconds.popleft()
                self._total_in_window -= gone.total
                self._failed_in_window -= gone.failed
        self._seconds[-1].total += 1
        self._seconds[-1].failed += failed
        self._total_in_window += 1
        self._failed_in_window += failed

    def _most_failed(self) -> bool:
        return self._total_in_window >= WINDOW_RESULTS and 2 * self._failed_in_window >= self._total_in_window


class _Second:
    """Results of one second: a minute of a busy endpoint is 60 of these, not a hundred thousand results."""

    __slots__ = ("failed", "second", "total")

    def __init__(self, second: int) -> None:
        self.second = second
        self.total = self.failed = 0
