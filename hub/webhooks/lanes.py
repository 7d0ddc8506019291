"""A lane: one endpoint on one process, with what it may send now and in which order. Pure but for holding a `Sender`.

A delivery is at any moment in one of these places:

    database, due ──fetched──> ready ──started──> in flight ──answered──> unrecorded ──committed──> database, ended or due later
                      └──> behind (another of its key is ready or in flight)

Of one order key only one is ready or in flight; the others that were fetched with it stand behind it in the order of their numbers. When
it ends they move up; when it is to be tried again they are forgotten here, and are fetched and parked behind it (`Parked`) anew.

`unrecorded` is why no state "in progress" is needed in the database: until the outcome's commit the row still looks pending there, and
whatever is known here is left out of what is fetched.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from hub.core.clock import UtcMs
from hub.storage.webhooks_due import Due
from hub.storage.webhooks_outcomes import HELD, LaneMemory, Parked
from hub.webhooks.breaker import Breaker, BreakerState
from hub.webhooks.client import Sender
from hub.webhooks.health import Health
from hub.webhooks.opened import OpenEndpoint
from hub.webhooks.pace import Rate, Window
from hub.webhooks.watch import UNWATCHED, Watch, encode_watch

HELD_AHEAD_MS = 1_000
"""How long to wait behind a delivery that is held: the upkeep loop is letting it go."""
RECENT = 32
SLOW_MS = 2_000
MOST_BEHIND = 512

Standing: TypeAlias = tuple[UtcMs, BreakerState, Health, Watch]


@dataclass(eq=False, slots=True)
class Lane:
    """One endpoint's sending."""

    endpoint: OpenEndpoint
    fence: int
    health: Health
    breaker: Breaker
    window: Window
    sender: Sender
    watch: Watch = UNWATCHED
    paused_until: UtcMs = 0
    careful_until: UtcMs = 0
    """Watched until then for a delivery that stops the process: one at a time, each noted before it is tried."""
    suspect_id: int | None = None
    """The delivery that was being tried when the process died, again and again."""
    rate: Rate | None = None
    is_stale: bool = False
    """The endpoint was changed: nothing starts until its settings have been read again."""
    is_lost: bool = False
    """Another process owns it."""
    has_more: bool = False
    """The last fetch brought as much as was asked for: there is probably more due."""
    looks_after_commit: bool = False
    """Something fetched was left where it is until outcomes of this lane are committed."""
    last_used: float = 0.0
    """On the machine's monotonic clock, as `sampled_at`: when a receiver's clock was last looked at."""
    sampled_at: float = 0.0
    written: Standing | None = None
    """What its memory was made of when that was last written."""
    after_key: str = ""
    probe_turn: int = 0
    ready: tuple[deque[Due], deque[Due]] = field(default_factory=lambda: (deque(), deque()))
    """Live deliveries and replays that may start."""
    behind: dict[str, list[Due]] = field(default_factory=dict)
    in_flight: dict[int, Due] = field(default_factory=dict)
    unrecorded: dict[int, UtcMs | None] = field(default_factory=dict)
    """Answered, not committed: when it is due again, None when it ended."""
    _open_keys: set[str] = field(default_factory=set)
    _replays_in_flight: int = 0
    _durations: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    _behind_count: int = 0

    @property
    def id(self) -> str:
        """The endpoint's id."""
        return self.endpoint.id

    @property
    def is_idle(self) -> bool:
        """Nothing of it is in memory."""
        return not (self.in_flight or self.unrecorded or self.ready[0] or self.ready[1])

    @property
    def is_slow(self) -> bool:
        """One in ten of its last answers took more than 2 s."""
        slow = sum(duration > SLOW_MS for duration in self._durations)
        return len(self._durations) >= 8 and slow * 10 >= len(self._durations)

    def known(self) -> Iterable[int]:
        """Deliveries that are not to be fetched again."""
        yield from self.in_flight
        yield from self.unrecorded
        for queue in self.ready:
            for due in queue:
                yield due.id
        for waiting in self.behind.values():
            for due in waiting:
                yield due.id

    # --- what may happen now ------------------------------------------------------------------------------------------------------

    def may_send(self, now: UtcMs) -> bool:
        """Nothing but the rate and the window holds it back."""
        return (
            self.endpoint.is_sending
            and not (self.is_stale or self.is_lost)
            and now >= self.paused_until
            and self.breaker.is_closed
        )

    def is_careful(self, now: UtcMs) -> bool:
        """It is watched."""
        return now < self.careful_until

    def wait_ms(self, now: UtcMs) -> float | None:
        """How long until it may start one more: 0 = now, None = not by waiting."""
        most = 1 if self.is_careful(now) else self.window.size
        if not self.may_send(now) or len(self.in_flight) >= most:
            return None
        return 0.0 if self.rate is None else self.rate.wait_ms(now)

    def room(self) -> int:
        """How many more deliveries are worth having in memory."""
        if self._behind_count >= MOST_BEHIND:
            return 0
        return max(0, self.window.size - len(self.ready[0]) - len(self.ready[1]))

    def take(self, now: UtcMs) -> Due | None:
        """The next delivery to start; live ones first, and one place is kept free of replays."""
        if self.ready[0]:
            due = self.ready[0].popleft()
        elif self.ready[1] and self._replays_in_flight < max(1, self.window.size - 1):
            due = self.ready[1].popleft()
        else:
            return None
        self.starts(due, now)
        return due

    def starts(self, due: Due, now: UtcMs) -> None:
        """This delivery is being tried."""
        self.in_flight[due.id] = due
        self._replays_in_flight += due.queue
        if due.order_key:
            self._open_keys.add(due.order_key)
        if self.rate is not None:
            self.rate.take(now)

    # --- what comes in --------------------------------------------------------------------------------------------------------------

    def fetched(self, rows: Iterable[Due], now: UtcMs) -> list[Parked]:
        """Take in what was fetched; gives back those that have to wait behind a delivery that is not here."""
        parked: list[Parked] = []
        known = set(self.known())
        for due in sorted(rows, key=_heads_first):
            if due.id in known:
                if self.endpoint.read_by == "number" and self.unrecorded.get(due.id) is not None:
                    break  # the first of all is to be tried again: what follows waits for it
                continue
            if self._waits_for_commit(due):
                self.looks_after_commit = True
                continue
            waits_until = self._waits_until(due, now)
            if waits_until is not None:
                parked.append(Parked(waits_until, due.id))
            elif due.order_key in self._open_keys:
                self._stand_behind(due)
            else:
                self._make_ready(due)
        return parked

    def _waits_for_commit(self, due: Due) -> bool:
        """The one ahead is over, which the database did not know yet: who is the first of the key now shows only after the commit."""
        return (
            due.order_key not in self._open_keys
            and due.ahead_id in self.unrecorded
            and self.unrecorded[due.ahead_id] is None
        )

    def _waits_until(self, due: Due, now: UtcMs) -> UtcMs | None:
        """Until when it waits for one ahead that is neither in this lane's hands nor over."""
        if due.ahead_id is None or due.order_key in self._open_keys:
            return None
        if due.ahead_id in self.unrecorded:
            return (self.unrecorded[due.ahead_id] or now) + 1
        if due.ahead_state == HELD:
            return now + HELD_AHEAD_MS
        return max(due.ahead_due_at or now, due.due_at) + 1

    def _make_ready(self, due: Due) -> None:
        self.ready[due.queue].append(due)
        if due.order_key:
            self._open_keys.add(due.order_key)

    def _stand_behind(self, due: Due) -> None:
        waiting = self.behind.setdefault(due.order_key, [])
        waiting.append(due)
        waiting.sort()
        self._behind_count += 1

    # --- what goes out ---------------------------------------------------------------------------------------------------------------

    def answered(self, due: Due, again_at: UtcMs | None, duration_ms: int) -> None:
        """A try has ended; `again_at` is when the delivery is due again, None when it is over."""
        del self.in_flight[due.id]
        self.unrecorded[due.id] = again_at
        self._replays_in_flight -= due.queue
        self._durations.append(duration_ms)
        if due.order_key:
            self._move_up(due.order_key, again_at)

    def _move_up(self, key: str, again_at: UtcMs | None) -> None:
        waiting = self.behind.get(key)
        if again_at is None and waiting:
            self._behind_count -= 1
            following = waiting.pop(0)
            self.ready[following.queue].append(following)
            if not waiting:
                del self.behind[key]
            return
        if waiting:
            self._behind_count -= len(self.behind.pop(key))
        self._open_keys.discard(key)

    def recorded(self, delivery_ids: Iterable[int]) -> None:
        """The outcomes are committed."""
        for delivery_id in delivery_ids:
            self.unrecorded.pop(delivery_id, None)

    def standing(self) -> Standing:
        """What `memory` is made of: compared after each try, and spelled out only when something in it has changed."""
        return (self.paused_until, self.breaker.state, self.health, self.watch)

    def memory(self) -> LaneMemory:
        """What has to outlive this process."""
        health = self.health
        return LaneMemory(
            self.paused_until or None,
            msgspec.json.encode(self.breaker.state).decode(),
            health.failing_since,
            health.last_ok_at,
            health.tries_since_ok,
            health.noticed,
            encode_watch(self.watch),
            self.id,
        )

    def put_back(self, due: Due) -> None:
        """A probe failed: the delivery is in the database as it was."""
        del self.in_flight[due.id]
        self._replays_in_flight -= due.queue
        if due.order_key:
            self._move_up(due.order_key, due.due_at)

    def forget_ready(self) -> None:
        """Give back what was fetched and not started: the lane pauses, or its settings have changed."""
        for queue in self.ready:
            for due in queue:
                self._open_keys.discard(due.order_key)
            queue.clear()
        self._behind_count = 0
        self.behind.clear()
        self._open_keys = {due.order_key for due in self.in_flight.values() if due.order_key}


def _heads_first(due: Due) -> tuple[bool, int]:
    """Those with nothing ahead of them as they came, then the others by number."""
    return (False, 0) if due.ahead_id is None else (True, due.id)
