"""How long the writer waits for more commands before it commits what it has.

Without a wait it wakes for tiny batches, and a third of the throughput goes (measured at 64 connections: 12.8 k commands a second without,
15 k with 1 ms). But when everybody who could send a command waits for this very commit, no more will come, and the rest of the wait is
time in which the machine does nothing. So it looks after every step whether commands still come.

Those whose commands were just committed are on their way back with the next ones, but their answers have to be written first, which
takes the event loop longer than a step. Until half as many as were committed last are there, a step without a command is no sign that none
will come: without this every fourth commit held one to four texts, and a commit costs as much as ten to twenty texts in it.
"""

import time
from collections.abc import Callable

ENOUGH_WAITING = 256
"""With this many commands there is nothing to wait for."""
STEP_SECONDS = 0.00025
"""A busy event loop brings a command about every 0.1 ms."""


def gather(
    waiting: Callable[[], int],
    window_seconds: float,
    last: int = 0,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Return when a step brought no command, when there are enough, or when the window is over. `waiting` counts them, `last` is how many
    were committed last."""
    until = monotonic() + window_seconds
    expected = last // 2
    before, now = -1, waiting()
    while (before < now or now < expected) and now < ENOUGH_WAITING and (left := until - monotonic()) > 0:
        sleep(min(STEP_SECONDS, left))
        before, now = now, waiting()
