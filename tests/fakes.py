"""Stand-ins that tests hand to code that takes a clock or randomness."""

import random

from hub.core.clock import UtcMs

START_MS: UtcMs = 1_790_000_000_000
"""2026-09-21T14:13:20Z: where a `FakeClock` begins."""


class FakeClock:
    """A clock that stands still until a test moves it. `now_ms` and `monotonic_seconds` may be set."""

    def __init__(self, now_ms: UtcMs = START_MS) -> None:
        self.now_ms = now_ms
        self.monotonic_seconds = 1000.0

    def now(self) -> UtcMs:
        return self.now_ms

    def monotonic(self) -> float:
        return self.monotonic_seconds

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self.now_ms += round(seconds * 1000)
        self.monotonic_seconds += seconds


def seeded_bytes(seed: int) -> "random.Random":
    """Repeatable randomness; its `randbytes` fits `IdSource`."""
    return random.Random(seed)
