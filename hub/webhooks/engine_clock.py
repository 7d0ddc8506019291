"""The time that due deliveries are measured by.

On PostgreSQL that is the database's: several hub processes share its rows, and their own clocks may differ. The process measures how far
its clock is off whenever it renews its leases, and adds that. On SQLite it is the process's own clock, which moves with the machine's
monotonic one and so does not jump when somebody sets the time.

Signatures carry a time too, and a receiver refuses one that is five minutes off. A hub that was *started* with a wrong clock learns it
from its receivers: when the `Date` headers of at least five agree within five seconds, and are those of the majority, their median
corrects the time that is signed.
"""

from statistics import median
from typing import Protocol

from hub.core.clock import Clock, UtcMs

TOLERATED_DATABASE_MS = 2_000
TOLERATED_RECEIVERS_MS = 30_000
RECEIVERS_NEEDED = 5
AGREE_WITHIN_MS = 5_000
SAMPLE_LIVES_MS = 3_600_000
MOST_SAMPLES = 256


class PacedClock(Clock, Protocol):
    """A clock that may run faster than the machine's, in tests."""

    def real_seconds(self, seconds: float) -> float:
        """How long to sleep on the machine for `seconds` of this clock."""
        ...


class EngineClock:
    """`now` for due times, `signing_now` for signatures."""

    def __init__(self, clock: PacedClock) -> None:
        self._clock = clock
        self._is_scaled = clock.real_seconds(1.0) != 1.0
        self.database_offset_ms = 0
        self.receivers_offset_ms = 0
        self._samples: dict[str, tuple[UtcMs, int]] = {}

    def now(self) -> UtcMs:
        """What due times, pauses and cool-downs are compared with."""
        return self._clock.now() + self.database_offset_ms

    def signing_now(self) -> UtcMs:
        """What stands in `webhook-timestamp`."""
        return self.now() + self.receivers_offset_ms

    def real_seconds(self, seconds: float) -> float:
        """How long to sleep on the machine for `seconds`."""
        return self._clock.real_seconds(seconds)

    def database_said(self, database_now: UtcMs | None) -> None:
        """What PostgreSQL's clock shows at this moment. A test's scaled clock keeps its own time."""
        if database_now is not None and not self._is_scaled:
            self.database_offset_ms = database_now - self._clock.now()

    def receiver_said(self, receiver: str, at: UtcMs) -> None:
        """The `Date` of a receiver's answer that has just come; `receiver` is its address: each has one voice."""
        if self._is_scaled:
            return
        now = self.now()
        if len(self._samples) >= MOST_SAMPLES and receiver not in self._samples:
            self._samples = {
                key: (when, off) for key, (when, off) in self._samples.items() if now - when < SAMPLE_LIVES_MS
            }
            if len(self._samples) >= MOST_SAMPLES:
                return
        self._samples[receiver] = (now, at - now)
        self._judge(now)

    def _judge(self, now: UtcMs) -> None:
        offsets = [off for when, off in self._samples.values() if now - when < SAMPLE_LIVES_MS]
        if len(offsets) < RECEIVERS_NEEDED:
            return
        middle = round(median(offsets))
        agreeing = sum(abs(off - middle) <= AGREE_WITHIN_MS for off in offsets)
        if agreeing < RECEIVERS_NEEDED or 2 * agreeing <= len(offsets):
            return
        # An HTTP date is cut to the second: below the tolerance it says nothing that the machine does not know better.
        self.receivers_offset_ms = middle if abs(middle) > TOLERATED_RECEIVERS_MS else 0

    def alerts(self) -> tuple[str, ...]:
        """What is wrong with the clocks, in sentences."""
        found = []
        if abs(self.database_offset_ms) > TOLERATED_DATABASE_MS:
            found.append(
                f"This process's clock is {-self.database_offset_ms / 1000:+.1f} s off the database's: set it right."
            )
        if self.receivers_offset_ms:
            found.append(
                f"Webhook receivers' clocks agree that this hub's is {-self.receivers_offset_ms / 1000:+.0f} s off: set it right. "
                "Signatures carry their time until then."
            )
        return tuple(found)
