"""Commands that wait for their commit: the order they keep, how they are grouped, and when there are too many.

Two commands that share a serial key (`device:…`, `message:…`, `idem:…`) are applied in the order they arrived, whatever
use case they belong to. Everything else may be grouped freely, and is: that is what makes one commit carry many commands.
"""

import asyncio
import threading
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.core.errors import Code, HubError
from hub.storage.transaction import Done, Refused, Tx

AnyUseCase = Callable[[Tx, Sequence[Any]], Sequence[Done[Any] | Refused]]

RETRY_AFTER_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class Waiting:
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
        lowest = _lowest_wave(waiting, made, last_wave_of)
        own = waves_of.setdefault(waiting.use_case, [])
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
    """A bounded queue in front of one or more writers ("lanes"). Safe to share between threads.

    With several lanes the first key's hash chooses one. While a command is on its way, its keys belong to its lane, and a
    later command with one of them follows it there; one whose keys belong to two lanes is held back until one of them is
    free, and so is everything behind it that shares a key with it.
    """

    def __init__(self, lanes: int, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._all_done = threading.Condition(self._lock)
        self._ready = [threading.Event() for _ in range(lanes)]
        self._lanes: list[deque[Waiting]] = [deque() for _ in range(lanes)]
        self._pending = 0
        self._is_closed = False
        self._next_lane = 0
        self._lane_of: dict[str, int] = {}
        self._uses: Counter[str] = Counter()
        self._held: list[Waiting] = []

    def __len__(self) -> int:
        """Commands accepted and not yet answered."""
        return self._pending

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more commands."""
        return self._is_closed

    def put(self, waiting: Waiting) -> None:
        """Take a command. Raises `HubError("queue_full")`, and `HubError("shutting_down")` once closed."""
        with self._lock:
            if self._is_closed:
                raise HubError(Code.SHUTTING_DOWN, retry_after_seconds=RETRY_AFTER_SECONDS)
            if self._pending >= self._limit:
                raise HubError(Code.QUEUE_FULL, retry_after_seconds=RETRY_AFTER_SECONDS)
            self._pending += 1
            if len(self._lanes) == 1:
                self._enter(0, waiting)
            else:
                self._place(waiting, set())

    def wait(self, lane: int) -> bool:
        """Block until the lane has a command; False when the queue is closed and everything in it is done."""
        while not self._lanes[lane]:
            self._ready[lane].wait()
            self._ready[lane].clear()
            if self._is_closed and self._pending == 0:
                return False
        return True

    def waiting_in(self, lane: int) -> int:
        """How many commands wait in a lane now."""
        return len(self._lanes[lane])

    def take(self, lane: int, most: int) -> list[Waiting]:
        """The next commands of a lane, in arrival order, at most `most`."""
        line = self._lanes[lane]
        return [line.popleft() for _ in range(min(most, len(line)))]

    def done(self, batch: Sequence[Waiting]) -> None:
        """The commands were answered: their keys are free, and who waited for them may go on."""
        with self._lock:
            self._pending -= len(batch)
            if len(self._lanes) > 1:
                self._release(batch)
            if self._pending == 0:
                self._all_done.notify_all()

    def close(self) -> None:
        """Take no more commands, wait until every accepted one is answered, and let the lanes end."""
        with self._lock:
            self._is_closed = True
            self._all_done.wait_for(lambda: self._pending == 0)
        for ready in self._ready:
            ready.set()

    def _enter(self, lane: int, waiting: Waiting) -> None:
        self._lanes[lane].append(waiting)
        if not self._ready[lane].is_set():
            self._ready[lane].set()

    def _place(self, waiting: Waiting, held_keys: set[str]) -> None:
        lane = None if self._is_behind_held(waiting, held_keys) else self._choose_lane(waiting)
        if lane is None:
            self._held.append(waiting)
            held_keys.update(waiting.keys)
            return
        for key in waiting.keys:
            self._lane_of[key] = lane
            self._uses[key] += 1
        self._enter(lane, waiting)

    def _is_behind_held(self, waiting: Waiting, held_keys: set[str]) -> bool:
        if self._held and not held_keys:
            held_keys.update(key for held in self._held for key in held.keys)
        return not held_keys.isdisjoint(waiting.keys)

    def _choose_lane(self, waiting: Waiting) -> int | None:
        owned = {self._lane_of[key] for key in waiting.keys if key in self._lane_of}
        if len(owned) > 1:
            return None
        if owned:
            return owned.pop()
        if waiting.keys:
            return hash(waiting.keys[0]) % len(self._lanes)
        self._next_lane = (self._next_lane + 1) % len(self._lanes)
        return self._next_lane

    def _release(self, batch: Sequence[Waiting]) -> None:
        for waiting in batch:
            for key in waiting.keys:
                self._uses[key] -= 1
                if self._uses[key] == 0:
                    del self._uses[key], self._lane_of[key]
        if self._held:
            held, self._held = self._held, []
            held_keys: set[str] = set()
            for waiting in held:
                self._place(waiting, held_keys)
