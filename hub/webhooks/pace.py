"""How fast a lane may send: a window of requests in flight that breathes, and a rate that the customer set. Pure."""

from hub.core.clock import UtcMs


class Window:
    """Between 1 and `most` requests in flight: one more after each success, half after a failure."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = most

    def grow(self) -> None:
        """A request succeeded."""
        if self.size < self.most:
            self.size += 1

    def shrink(self) -> None:
        """A request failed."""
        self.size = max(1, self.size // 2)

    def restart(self) -> None:
        """The endpoint is back after an outage: begin gently."""
        self.size = 1

    def resize(self, most: int) -> None:
        """The endpoint's setting has changed."""
        self.size = min(self.size, most) if most < self.most else self.size
        self.size = most if self.size == self.most else self.size
        self.most = most


class Rate:
    """At most `per_second` starts a second, with a burst of one second's worth (generic cell rate algorithm, ITU-T I.371)."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._next: float = 0.0

    def wait_ms(self, now: UtcMs) -> float:
        """How long until the next start is allowed; 0 = now."""
        return max(0.0, self._next - now - 1000.0 + 1000.0 / self.per_second)

    def take(self, now: UtcMs) -> None:
        """A request starts."""
        self._next = max(self._next, now) + 1000.0 / self.per_second
