"""How long the writer waits for more commands before it commits what it has.

Without a wait it wakes for tiny batches, and a third of the throughput goes (measured at 64 connections: 12.8 k commands a second without,
15 k with 1 ms). But when everybody who could send a command waits for this very commit, no more will come, and the rest of the wait is
time in which the machine does nothing. So it looks after every step whether commands still come.

Those whose commands were just committed are on their way back with the next ones, but their answers have to be written first, which
takes the event loop longer than a step. Until half as many as were committed last are there, a step without a command is no sign that none
will come: without this every fourth commit held one to four texts, and a commit costs as much as ten to twenty texts in it.

Where a server stores (PostgreSQL) the writer waits for it half of its time, and when all callers wait for the same commit the event
loop has nothing to do meanwhile. So there half of the last ones is enough: while the server works for one half the loop works for the
other. SQLite works in the writer's own thread, and gains nothing by that.
"""

import time
from collections.abc import Callable

ENOUGH_WAITING = 256
"""With this many commands there is nothing to wait for."""
FEWEST_HALF = 8
"""Halves smaller than this are not worth a commit of their own."""
STEP_SECONDS = 0.00025
"""A busy event loop brings a command about every 0.1 ms."""


def gather(
    waiting: Callable[[], int],
    window_seconds: float,
    last: int = 0,
    *,
    half_is_enough: bool = False,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Return when a step brought no command, when there are enough, or when the window is over. `waiting` counts them, `last` is how many
    were committed last; `half_is_enough`: of those, if they are not too few."""
    until = monotonic() + window_seconds
    expected = last // 2
    enough = expected if half_is_enough and expected >= FEWEST_HALF else ENOUGH_WAITING
    before, now = -1, waiting()
    while (before < now or now < expected) and now < enough and (left := until - monotonic()) > 0:
        sleep(min(STEP_SECONDS, left))
        before, now = now, waiting()
