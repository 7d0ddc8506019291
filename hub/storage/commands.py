"""Commands that wait for their commit: the order they keep, how they are grouped, and when there are too many.

Two commands that share a serial key (`device:…`, `message:…`, `idem:…`) are applied in the order they arrived, whatever
use case they belong to. Everything else may be grouped freely, and is: that is what makes one commit carry many commands.
"""

import asyncio
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.core.errors import Code, HubError
from hub.storage.transaction import Done, Refused, Tx

AnyUseCase = Callable[[Tx, Sequence[Any]], Sequence[Done[Any] | Refused]]

RETRY_AFTER_SECONDS = 1.0


class Waiting(msgspec.Struct, eq=False):
    """One command on its way, with the future its caller awaits."""

    use_case: AnyUseCase
    command: Any
    keys: tuple[str, ...]
    future: asyncio.Future[Any]
    since: float
    """`time.monotonic()` of its arrival."""


@dataclass(slots=True)
class Wave:
    """Commands of one use case that are applied in one call; `places` are their places in the batch."""

    use_case: AnyUseCase
    places: list[int]


def waves(batch: Sequence[Waiting]) -> list[Wave]:
    """Fold a batch, given in arrival order, into as few calls as its keys allow.

    A command joins the first wave of its use case that is not before a wave with one of its keys; where there is none, it
    opens a new wave at the end. Within a wave commands stand in arrival order, and the use case folds them in that order.
    """
    made: list[Wave] = []
    waves_of: dict[Hashable, list[int]] = {}
    last_wave_of: dict[str, int] = {}
    for place, waiting in enumerate(batch):
        own = waves_of.setdefault(waiting.use_case, [])
        if own and not waiting.keys:
            made[own[0]].places.append(place)
            continue
        lowest = _lowest_wave(waiting, made, last_wave_of)
        at = bisect_left(own, lowest)
        if at == len(own):
            own.append(len(made))
            made.append(Wave(waiting.use_case, []))
        number = own[at]
        made[number].places.append(place)
        for key in waiting.keys:
            last_wave_of[key] = number
    return made


def _lowest_wave(waiting: Waiting, made: Sequence[Wave], last_wave_of: dict[str, int]) -> int:
    lowest = 0
    for key in waiting.keys:
        last = last_wave_of.get(key)
        if last is not None:
            lowest = max(lowest, last if made[last].use_case == waiting.use_case else last + 1)
    return lowest


class CommandQueue:
    """A bounded queue in front of the writer. Safe to share between threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._all_done = threading.Condition(self._lock)
        self._ready = threading.Event()
        self._line: deque[Waiting] = deque()
        self._pending = 0
        self._is_closed = False

    def __len__(self) -> int:
        """Commands accepted and not yet answered."""
        return self._pending

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more commands."""
        return self._is_closed

    def untaken(self) -> int:
        """How many commands wait to be taken now."""
        return len(self._line)

    def put(self, waiting: Waiting) -> None:
        """Take a command. Raises `HubError("queue_full")`, and `HubError("shutting_down")` once closed."""
        with self._lock:
            if self._is_closed:
                raise HubError(Code.SHUTTING_DOWN, retry_after_seconds=RETRY_AFTER_SECONDS)
            if self._pending >= self._limit:
                raise HubError(Code.QUEUE_FULL, retry_after_seconds=RETRY_AFTER_SECONDS)
            self._pending += 1
            self._line.append(waiting)
        if not self._ready.is_set():
            self._ready.set()

    def wait(self) -> bool:
        """Block until there is a command to take; False when the queue is closed and everything in it is done."""
        while not self._line:
            self._ready.wait()
            self._ready.clear()
            if self._is_closed and self._pending == 0:
                return False
        return True

    def take(self, most: int) -> list[Waiting]:
        """The next commands, in arrival order, at most `most`."""
        return [self._line.popleft() for _ in range(min(most, len(self._line)))]

    def done(self, batch: Sequence[Waiting]) -> None:
        """The commands were answered: who waited for them may go on."""
        with self._lock:
            self._pending -= len(batch)
            if self._pending == 0:
                self._all_done.notify_all()

    def close(self) -> None:
        """Take no more commands, wait until every accepted one is answered, and let the writer's thread end."""
        with self._lock:
            self._is_closed = True
            self._all_done.wait_for(lambda: self._pending == 0)
        self._ready.set()
