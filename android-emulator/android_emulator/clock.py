"""The phone's clocks: a wall clock that may be wrong or jump, and a steady one that only runs on (Android's elapsedRealtime)."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the emulator asks of time; a test may hand in its own."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch, as the phone believes it is."""
        ...

    def steady_ms(self) -> int:
        """The wall clock when the process began, plus the time since: never steps."""
        ...

    def elapsed_seconds(self) -> float:
        """Seconds since some fixed moment."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class PhoneClock:
    """The machine's time, plus what is wrong with this phone's clock."""

    def __init__(self, offset_ms: int = 0) -> None:
        self.offset_ms = offset_ms
        """How far the phone's wall clock is ahead of the truth (negative: behind)."""
        self._slept_seconds = 0.0
        self._steady_from = self.wall_ms() - round(time.monotonic() * 1000)

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms

    def steady_ms(self) -> int:
        return self._steady_from + round(self.elapsed_seconds() * 1000)

    def elapsed_seconds(self) -> float:
        return time.monotonic() + self._slept_seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def step(self, by_ms: int) -> None:
        """Set the wall clock forward or back, as a user or the network's time service does."""
        self.offset_ms += by_ms

    def fall_asleep(self, seconds: float) -> None:
        """Let so much time pass for the phone alone, as in a deep sleep that the rest of the world did not share."""
        self._slept_seconds += seconds
        self.offset_ms += round(seconds * 1000)
