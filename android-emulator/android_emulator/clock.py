"""The phone's clocks: a wall clock that may be wrong or jump, and an elapsed clock that only runs on (Android's elapsedRealtime)."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the emulator asks of time; a test may hand in its own."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch, as the phone believes it is."""
        ...

    def elapsed_seconds(self) -> float:
        """Seconds since some fixed moment; never steps."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class PhoneClock:
    """The machine's time, plus what is wrong with this phone's clock."""

    def __init__(self, offset_ms: int = 0) -> None:
        self.offset_ms = offset_ms
        """How far the phone's wall clock is ahead of the truth (negative: behind)."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms

    def elapsed_seconds(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def step(self, by_ms: int) -> None:
        """Set the wall clock forward or back, as a user or the network's time service does."""
        self.offset_ms += by_ms
