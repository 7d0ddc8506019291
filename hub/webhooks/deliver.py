"""The delivery loop of one process: looks for what is due, keeps every lane busy within its limits, and stops in good order.

    wake-up (hint) or 250 ms (promise) ──> look ──> lanes ──> tries ──> settler ──> recorder ──> commit
                                             ^                                         │
                                             └──────────── room again ─────────────────┘

Nothing here decides: lanes, breaker and bulkheads say what may start, the settler what follows. What is sent but not yet committed is in
memory only; a process that dies leaves rows that look pending, and whoever looks next tries them again.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from hub.accounts.secretbox import SecretBox
from hub.core.errors import HubError
from hub.core.ports import Completing, WebhookFormat, as_it_is
from hub.log import get_logger
from hub.storage.database import Database
from hub.storage.webhooks_due import Due
from hub.storage.webhooks_lanes import database_now
from hub.storage.webhooks_outcomes import DEAD
from hub.webhooks.bulkheads import Bulkheads
from hub.webhooks.client import Client
from hub.webhooks.engine_clock import EngineClock, PacedClock
from hub.webhooks.lane_keeper import LaneKeeper
from hub.webhooks.lanes import Lane
from hub.webhooks.leases import Leases
from hub.webhooks.looking import Found, look, plan
from hub.webhooks.mail import MailIdentity
from hub.webhooks.recorder import Recorder
from hub.webhooks.recording import Trying, mark_trying
from hub.webhooks.sealer import Sealer
from hub.webhooks.sentences import Why
from hub.webhooks.settings import DeliverySettings
from hub.webhooks.settling import Settler
from hub.webhooks.tries import OnTexts, Tries
from hub.webhooks.upkeep import Upkeep
from hub.webhooks.watch import IsWatched

log = get_logger("webhooks")

LOOK_SECONDS = 0.25
"""Wake-ups may be lost; this may not."""
SPACING_SECONDS = 0.002
"""Between two looks while a lane has room for more of what is known to wait."""
HINT_SPACING_SECONDS = 0.010
"""Between two looks that only follow hints: these come with every commit, and a look costs as much as ten tries."""
VERSIONS_SECONDS = 1.0
"""How often it is checked whether endpoints were changed: hints of that may be lost too."""
FAULT_PAUSE_MS = 10_000
AWAY_SECONDS = 0.5
"""After a look failed: the database is away."""


class Deliverer:
    """A background loop (`hub.core.ports.Worker`)."""

    name = "webhooks"

    def __init__(
        self,
        db: Database,
        clock: PacedClock,
        box: SecretBox,
        formats: Mapping[str, WebhookFormat],
        settings: DeliverySettings,
        client: Client,
        on_texts: OnTexts | None = None,
        identity: MailIdentity | None = None,
        complete: Completing = as_it_is,
    ) -> None:
        self._db = db
        self._settings = settings
        self._client = client
        self._clock = EngineClock(clock)
        self._leases = Leases(db, settings.node, settings.lease_seconds)
        self._recorder = Recorder(db, settings.node, on_commit=self._committed, on_lost=self._lost)
        watched = {name for name, form in formats.items() if isinstance(form, IsWatched) and form.is_watched}
        self._settler = Settler(self._clock, self._recorder, random.random, settings.node, watched)
        self._tries = Tries(self._clock, formats, self._settler, on_texts, identity or MailIdentity(), complete)
        self._keeper = LaneKeeper(db, self._clock, self._leases, client, Sealer(box))
        self._bulkheads = Bulkheads(settings.max_in_flight)
        self._upkeep = Upkeep(db, self._clock, self._keeper, self._recorder, self._bulkheads, settings)
        self._waiting: deque[Lane] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._lost_lanes: list[Lane] = []
        self._woken = asyncio.Event()
        self._is_complete = True
        self._looked_at = self._versions_at = self._complete_at = 0.0
        self._is_stopping = False
        self._is_away = False

    # --- what others see -----------------------------------------------------------------------------------------------------------

    def wake(self, endpoint_ids: Sequence[str] = ()) -> None:
        """Something may be due. Endpoints that are named may have been changed."""
        if endpoint_ids:
            self._keeper.changed(endpoint_ids)
            self._upkeep.wake()
        self._is_complete = True
        self._woken.set()

    def alerts(self) -> tuple[str, ...]:
        """What an operator should know, in sentences."""
        away = ("Webhooks wait: their outcomes cannot be stored now.",) if self._recorder.is_failing else ()
        return (*self._clock.alerts(), *away)

    # --- the loop --------------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until cancelled; then wait for answers, commit, and give the lanes back."""
        self._is_stopping = False
        upkeep = asyncio.create_task(self._upkeep.run(), name="webhooks upkeep")
        try:
            await self._learn_time()
            while True:
                await self._wait()
                await self._look_once()
                if upkeep.done():
                    upkeep.result()
        finally:
            upkeep.cancel()
            await asyncio.wait([upkeep])
            await self._stop()

    async def _wait(self) -> None:
        """Until woken, until the next thing is due, or a quarter of a second."""
        pause = AWAY_SECONDS if self._is_away else min(LOOK_SECONDS, self._upkeep.seconds_to_next(self._clock.now()))
        try:
            async with asyncio.timeout(pause):
                await self._woken.wait()
        except TimeoutError:
            self._is_complete = True
        is_hungry = any(lane.has_more and lane.room() > 0 for lane in self._keeper.lanes.values())
        spacing = SPACING_SECONDS if is_hungry else HINT_SPACING_SECONDS
        rest = self._looked_at + spacing - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)
        self._woken.clear()
        # A lane with much to send wakes the loop all the time; what fell due a moment after the last complete look has its turn too.
        if time.monotonic() >= self._complete_at:
            self._is_complete = True

    async def _look_once(self) -> None:
        try:
            if self._leases.is_renewal_due:
                await self._renew()
            self._keeper.drop(self._take_lost())
            await self._keeper.refresh()
            if self._recorder.may_start and self._leases.is_fresh:
                await self._look()
            self._is_away = False
        except HubError as error:
            if not self._is_away:
                log.warning("webhooks cannot look for what is due", error=str(error))
            self._is_away = True

    async def _look(self) -> None:
        is_complete, self._is_complete = self._is_complete, False
        now = self._clock.now()
        with_versions = is_complete and time.monotonic() - self._versions_at >= VERSIONS_SECONDS
        if with_versions:
            self._versions_at = time.monotonic()
        asked = plan(self._keeper.lanes.values(), now, is_complete=is_complete, with_versions=with_versions)
        if not (is_complete or asked.rooms or asked.probes):
            return
        self._looked_at = time.monotonic()
        found = await self._db.read(look, asked)
        if is_complete:
            self._upkeep.saw(found.lanes, now)
            next_due = max(HINT_SPACING_SECONDS, self._upkeep.seconds_to_next(now))
            self._complete_at = time.monotonic() + min(LOOK_SECONDS, next_due)
            self._pump_ready()
        if self._keeper.compare(found.versions):
            self._woken.set()
        self._take_in(found, set(asked.rooms))
        if found.unknown:
            for lane in await self._keeper.take(found.unknown):
                lane.has_more = True
                self._woken.set()

    def _take_in(self, found: Found, asked: set[str]) -> None:
        now = self._clock.now()
        for endpoint_id in asked:
            lane = self._keeper.lanes.get(endpoint_id)
            if lane is None:
                continue
            rows = found.rows.get(endpoint_id, [])
            if any(due.endpoint_version > lane.endpoint.version for due in rows):
                lane.is_stale = True
                lane.forget_ready()
                self._woken.set()
                continue
            lane.has_more = endpoint_id in found.more
            lane.after_key = found.after_keys.get(endpoint_id, lane.after_key)
            self._recorder.parked(lane.fetched(rows, now))
            self._pump(lane)
        for endpoint_id, candidates in found.probes.items():
            lane = self._keeper.lanes.get(endpoint_id)
            if lane is not None and candidates:
                self._probe(lane, candidates)

    async def _renew(self) -> None:
        owned = await self._leases.renew()
        await self._learn_time()
        if owned < len(self._keeper.lanes):
            await self._keeper.drop_foreign(self._settings.node)

    async def _learn_time(self) -> None:
        self._clock.database_said(await self._db.read(database_now))

    # --- starting ---------------------------------------------------------------------------------------------------------------------

    def _may_start(self) -> bool:
        return not self._is_stopping and self._recorder.may_start and self._leases.is_fresh

    def _pump(self, lane: Lane) -> None:
        """Start what the lane may start now."""
        while (due := self._next(lane)) is not None:
            self._spawn(self._work(lane, due))
        if lane.has_more and lane.room() > 0:
            self._woken.set()

    def _pump_ready(self) -> None:
        """Start what was fetched when nothing could start: an old lease, a changed endpoint. No outcome of its own would wake it."""
        for lane in list(self._keeper.lanes.values()):
            if lane.ready[0] or lane.ready[1]:
                self._pump(lane)

    def _next(self, lane: Lane) -> Due | None:
        if not (lane.ready[0] or lane.ready[1]) or not self._may_start():
            return None
        now = self._clock.now()
        wait = lane.wait_ms(now)
        if wait is None:
            return None
        if wait > 0:
            asyncio.get_running_loop().call_later(self._clock.real_seconds(wait / 1000), self._pump, lane)
            return None
        if not self._bulkheads.admit(lane.id, lane.endpoint.account_id, is_slow=lane.is_slow):
            if lane not in self._waiting:
                self._waiting.append(lane)
            return None
        due = lane.take(now)
        if due is None:
            self._bulkheads.leave(lane.id, lane.endpoint.account_id)
        return due

    async def _work(self, lane: Lane, first: Due) -> None:
        """One place in a lane's window: tries one delivery after the other until there is nothing to start."""
        due: Due | None = first
        lane.last_used = time.monotonic()
        while due is not None:
            try:
                if not lane.is_careful(self._clock.now()) or await self._is_safe(lane, due):
                    await self._tries.run(lane, due)
            except Exception:
                self._failed_here(lane, due)
            finally:
                self._bulkheads.leave(lane.id, lane.endpoint.account_id)
            if self._waiting:
                self._let_in()
            due = self._next(lane)
            if due is not None and lane.window.size < lane.window.most:
                self._pump(lane)
        self._pump(lane)

    async def _is_safe(self, lane: Lane, due: Due) -> bool:
        """In a watched lane: note what is tried before it is, and give up what stopped the process again and again."""
        if due.id == lane.suspect_id:
            lane.suspect_id = None
            self._settler.end(lane, due, DEAD, Why.POISON)
            return False
        await self._recorder.commit_now()  # what was sent before is not to be sent again because of this one
        command = Trying(lane.id, lane.fence, due.id)
        if await self._db.writer.submit(mark_trying, command, f"webhooks:{self._settings.node}"):
            return True
        lane.put_back(due)
        self._lost((lane.id,))
        return False

    def _probe(self, lane: Lane, candidates: Sequence[Due]) -> None:
        """One request to find out whether an endpoint is back: another delivery each time, one of them may be poisonous."""
        now = self._clock.now()
        free = [due for due in candidates if due.id not in lane.in_flight and due.id not in lane.unrecorded]
        if not free or not self._may_start() or not lane.breaker.may_probe(now):
            return
        if not self._bulkheads.admit(lane.id, lane.endpoint.account_id, is_slow=lane.is_slow):
            return
        due = free[lane.probe_turn % len(free)]
        lane.probe_turn += 1
        lane.breaker.is_probing = True
        lane.starts(due, now)
        self._spawn(self._work_probe(lane, due))

    async def _work_probe(self, lane: Lane, due: Due) -> None:
        try:
            await self._tries.run(lane, due, is_probe=True)
        except Exception:
            self._failed_here(lane, due)
        finally:
            self._bulkheads.leave(lane.id, lane.endpoint.account_id)
            lane.breaker.is_probing = False
        self.wake()

    def _let_in(self) -> None:
        """A place is free: lanes that waited for one take turns."""
        for _ in range(len(self._waiting)):
            lane = self._waiting.popleft()
            self._pump(lane)
            if self._bulkheads.in_flight >= self._bulkheads.most:
                return

    def _failed_here(self, lane: Lane, due: Due) -> None:
        """The fault is the hub's own: the delivery stays as it was, and its lane rests a little."""
        log.exception("a webhook try failed in the hub", endpoint=lane.id)
        lane.paused_until = max(lane.paused_until, self._clock.now() + FAULT_PAUSE_MS)
        if due.id in lane.in_flight:
            lane.put_back(due)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    # --- commits ----------------------------------------------------------------------------------------------------------------------

    def _committed(self, lanes: Iterable[Lane]) -> None:
        """Outcomes are stored: what waited for that may start. Read by key, the next of a key is seen only now."""
        for lane in lanes:
            if lane.endpoint.read_by == "key" or lane.looks_after_commit:
                lane.has_more, lane.looks_after_commit = True, False
        self._let_in()
        for lane in list(self._keeper.lanes.values()):
            if lane.ready[0] or lane.ready[1] or lane.has_more:
                self._pump(lane)

    def _lost(self, endpoint_ids: Sequence[str]) -> None:
        self._lost_lanes += self._keeper.lost(endpoint_ids)
        self._woken.set()

    def _take_lost(self) -> list[Lane]:
        lost, self._lost_lanes = self._lost_lanes, []
        return lost

    async def _stop(self) -> None:
        """Start nothing more, let answers come in, commit, give the lanes back."""
        self._is_stopping = True
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.stop_seconds)
        for task in list(self._running):
            task.cancel()
        try:
            await self._recorder.drain()
            await self._keeper.release(list(self._keeper.lanes.values()))
            await self._leases.leave()
        except HubError as error:
            log.info("lanes were not given back", error=str(error))
        self._client.close()
