"""How many segments left in the last minute: the phone's own pace, and the limit Android puts on every app."""

from collections import deque

from android_emulator.clock import Clock


class SegmentWindow:
    """A sliding window of segments sent; `segments` 0 means no limit."""

    def __init__(self, clock: Clock, segments: int, seconds: float = 60) -> None:
        self.segments = segments
        self.seconds = seconds
        self._clock = clock
        self._sent: deque[float] = deque()

    def wait_seconds(self, segments: int) -> float:
        """How long until so many more may leave; a text longer than the whole window waits until it is empty."""
        now = self._clock.elapsed_seconds()
        while self._sent and self._sent[0] <= now - self.seconds:
            self._sent.popleft()
        too_many = len(self._sent) + segments - self.segments
        if not self.segments or not self._sent or too_many <= 0:
            return 0.0
        last_to_leave = self._sent[min(too_many, len(self._sent)) - 1]
        return last_to_leave + self.seconds - now

    def count(self, segments: int) -> None:
        """So many leave now."""
        if self.segments:
            self._sent.extend([self._clock.elapsed_seconds()] * segments)
