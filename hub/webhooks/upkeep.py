"""What is done beside the sending: chores, replays, what is too old, idle lanes, and the numbers for operators."""

import asyncio
from collections.abc import Sequence

from hub.core.clock import UtcMs
from hub.core.errors import HubError
from hub.log import get_logger
from hub.storage import webhooks_chores as stored_chores
from hub.storage.database import Database
from hub.storage.webhooks_due import Lane as DueLane
from hub.storage.webhooks_replays import has_running
from hub.webhooks import metrics
from hub.webhooks.bulkheads import Bulkheads
from hub.webhooks.chores import (
    CancelAll,
    Chore,
    DoChore,
    ExpireHeld,
    GiveUpOld,
    HoldAll,
    SetChore,
    do_chores,
    expire_held,
    give_up_old,
    set_chores,
)
from hub.webhooks.engine_clock import EngineClock
from hub.webhooks.lane_keeper import LaneKeeper
from hub.webhooks.recorder import Recorder
from hub.webhooks.replay import StepReplays, step_replays
from hub.webhooks.sentences import Why
from hub.webhooks.settings import DeliverySettings
from hub.webhooks.watch import sums

log = get_logger("webhooks")

EVERY_SECONDS = 0.5
BUSY_SECONDS = 0.02
"""Between two steps of something long: others write in between."""
FAR_SECONDS = 3600.0
EXPIRE_EVERY_MS = 600_000


class Upkeep:
    """Runs beside the delivery loop."""

    def __init__(
        self,
        db: Database,
        clock: EngineClock,
        keeper: LaneKeeper,
        recorder: Recorder,
        bulkheads: Bulkheads,
        settings: DeliverySettings,
    ) -> None:
        self._db = db
        self._clock = clock
        self._keeper = keeper
        self._recorder = recorder
        self._bulkheads = bulkheads
        self._keep_ms = round(settings.keep_events_days * 24 * 3_600_000)
        self._expire_at: UtcMs = 0
        self._seen: Sequence[DueLane] = ()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be a chore or a replay."""
        self._woken.set()

    def saw(self, lanes: Sequence[DueLane], now: UtcMs) -> None:
        """What the last complete look found: every endpoint with pending deliveries."""
        self._seen = lanes
        oldest = min((lane.due_at for lane in lanes), default=now)
        metrics.OLDEST_DUE_SECONDS.set(max(0, now - oldest) / 1000)

    def seconds_to_next(self, now: UtcMs) -> float:
        """How long on the machine until something is due, a pause ends, or a cool-down: for the delivery loop's sleep."""
        moments = [lane.due_at for lane in self._seen if lane.due_at > now]
        for lane in self._keeper.lanes.values():
            if lane.paused_until > now:
                moments.append(lane.paused_until)
            if not lane.breaker.is_closed and lane.breaker.state.open_until > now:
                moments.append(lane.breaker.state.open_until)
        if not moments:
            return FAR_SECONDS
        return self._clock.real_seconds(max(1, min(moments) - now) / 1000)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            is_busy = False
            try:
                is_busy = await self._tick()
            except HubError as error:
                log.info("the upkeep of webhooks waits for the database", error=str(error))
            try:
                async with asyncio.timeout(BUSY_SECONDS if is_busy else EVERY_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()

    async def _tick(self) -> bool:
        """One round; whether something long is under way."""
        is_busy = await self._chores()
        is_busy = await self._replays() or is_busy
        await self._late()
        is_busy = await self._expire() or is_busy
        await self._keeper.release_idle()
        self._count()
        return is_busy

    async def _chores(self) -> bool:
        rows = await self._db.read(stored_chores.open_chores)
        left = [await self._db.writer.submit(do_chores, DoChore(row), f"endpoint:{row.endpoint_id}") for row in rows]
        return any(left)

    async def _replays(self) -> bool:
        if not await self._db.read(has_running):
            return False
        return await self._db.writer.submit(step_replays, StepReplays(), "webhooks:replays") > 0

    async def _late(self) -> None:
        """Give up what has been due for longer than its endpoint's maximum age; clear what waits for an endpoint that is off."""
        now = self._clock.now()
        for seen in self._seen:
            lane = self._keeper.lanes.get(seen.endpoint_id)
            if lane is None:
                continue
            key = f"endpoint:{seen.endpoint_id}"
            endpoint = lane.endpoint
            if endpoint.is_deleted or endpoint.state == "disabled":
                chore: Chore = CancelAll(Why.ENDPOINT_DELETED) if endpoint.is_deleted else HoldAll()
                await self._db.writer.submit(set_chores, SetChore(endpoint.id, endpoint.version, chore), key)
                continue
            age = endpoint.schedule.max_age_seconds
            if age is not None and seen.due_at < now - age * 1000:
                before = now - round(age * 1000)
                count = await self._db.writer.submit(give_up_old, GiveUpOld(endpoint.id, before), key)
                metrics.DEAD.labels(Why.TOO_OLD).inc(count)

    async def _expire(self) -> bool:
        """Once in a while: held deliveries whose events are about to be deleted. Whether there are more."""
        now = self._clock.now()
        if not self._keep_ms or now < self._expire_at:
            return False
        command = ExpireHeld(now - self._keep_ms)
        if await self._db.writer.submit(expire_held, command, "webhooks:held") > 0:
            return True
        self._expire_at = now + EXPIRE_EVERY_MS
        return False

    def _count(self) -> None:
        now = self._clock.now()
        states = dict.fromkeys(("sending", "open", "half_open", "paused", "off"), 0)
        for lane in self._keeper.lanes.values():
            states[_word(lane.endpoint.is_sending, lane.breaker.word(now), lane.paused_until > now)] += 1
        for state, count in states.items():
            metrics.LANES.labels(state).set(count)
        metrics.IN_FLIGHT.set(self._bulkheads.in_flight)
        metrics.CLOCK_OFFSET.set(self._clock.receivers_offset_ms / 1000)
        metrics.ENDPOINT_ALERT.clear()
        broken = [(lane, rules) for lane in self._keeper.lanes.values() if (rules := sums(lane.watch, now).broken())]
        for lane, rules in broken[: metrics.WORST]:
            for rule in rules:
                metrics.ENDPOINT_ALERT.labels(lane.id, rule).set(1)
        metrics.LATE_SECONDS.clear()
        latest = sorted((lane for lane in self._seen if lane.due_at < now), key=lambda lane: lane.due_at)
        for lane_due in latest[: metrics.WORST]:
            metrics.LATE_SECONDS.labels(lane_due.endpoint_id).set((now - lane_due.due_at) / 1000)


def _word(is_sending: bool, breaker: str, is_paused: bool) -> str:
    if not is_sending:
        return "off"
    if breaker != "closed":
        return breaker
    return "paused" if is_paused else "sending"
