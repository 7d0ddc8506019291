"""Gathers outcomes into commits of at most 256, or whatever came within 10 ms, and says when no new try may start.

Two rules bound what a crash or an outage can double:

1. At most 256 outcomes are uncommitted. So after `kill -9` the duplicates are at most the requests in flight and one commit.
2. When a commit takes longer than a quarter of a second, or fails, no new try starts until one has succeeded. So a database that is down
   for an hour costs one repetition of what was in flight when it went, not a storm.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from hub.core.errors import Code, HubError
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.storage.database import Database
from hub.storage.webhooks_outcomes import AttemptRow, LaneMemory, OutcomeRow, Parked
from hub.webhooks import metrics
from hub.webhooks.lanes import Lane
from hub.webhooks.recording import Group, Told, record

log = get_logger("webhooks")

MOST_IN_GROUP = 256
MOST_UNCOMMITTED = 256
GATHER_SECONDS = 0.010
SLOW_COMMIT_SECONDS = 0.25
PAUSE_SECONDS = 0.5
"""Before a failed commit is tried again; the writer has been patient before that."""


class Recorder:
    """One per process. Everything is called on the event loop."""

    def __init__(
        self,
        db: Database,
        node: str,
        *,
        on_commit: Callable[[Iterable[Lane]], None],
        on_lost: Callable[[Sequence[str]], None],
    ) -> None:
        self._db = db
        self._node = node
        self._on_commit = on_commit
        self._on_lost = on_lost
        self._group = Group(node)
        self._lanes: dict[str, Lane] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._commits: set[asyncio.Task[None]] = set()
        self._open_since: list[float] = []
        self._uncommitted = 0
        self.is_failing = False
        """The last commit failed."""

    @property
    def may_start(self) -> bool:
        """Whether a new try may start."""
        if self.is_failing or self._uncommitted >= MOST_UNCOMMITTED:
            return False
        return not self._open_since or time.monotonic() - self._open_since[0] < SLOW_COMMIT_SECONDS

    def outcome(self, lane: Lane, row: OutcomeRow, attempt: AttemptRow | None) -> None:
        """A try has ended."""
        self._group.outcomes.append((lane.id, row))
        self._uncommitted += 1
        if attempt is not None:
            self._group.attempts.append(attempt)
        self._of(lane)
        if len(self._group) >= MOST_IN_GROUP:
            self.flush()

    def attempt(self, lane: Lane, attempt: AttemptRow) -> None:
        """A try that changed nothing for its delivery: a failed probe."""
        self._group.attempts.append(attempt)
        self._of(lane)

    def memory(self, lane: Lane, row: LaneMemory) -> None:
        """What the lane will remember; only the latest counts."""
        self._group.memories[lane.id] = row
        self._of(lane)

    def parked(self, rows: Sequence[Parked]) -> None:
        """Deliveries that wait behind others."""
        if rows:
            self._group.parked.extend(rows)
            self._start_timer()

    def told(self, lane: Lane, told: Told) -> None:
        """A notice."""
        self._group.told.append(told)
        self._of(lane)

    def reopened(self, lane: Lane, now: int) -> None:
        """The endpoint is back."""
        self._group.reopened[lane.id] = now
        self._of(lane)

    def flush(self) -> None:
        """Commit what there is now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._group:
            return
        group, lanes = self._group, self._lanes
        self._group, self._lanes = Group(self._node), {}
        task = asyncio.create_task(self._commit(group, lanes))
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)

    async def commit_now(self) -> None:
        """Commit what there is, and wait until that and what was on its way is stored."""
        self.flush()
        if self._commits:
            await asyncio.wait(self._commits)

    async def drain(self) -> None:
        """Wait until everything is committed."""
        self.flush()
        while self._commits:
            await asyncio.wait(self._commits)
            self.flush()

    def _of(self, lane: Lane) -> None:
        self._group.fences[lane.id] = lane.fence
        self._lanes[lane.id] = lane
        self._start_timer()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self.flush)

    async def _commit(self, group: Group, lanes: dict[str, Lane]) -> None:
        started = time.monotonic()
        self._open_since.append(started)
        try:
            lost = await self._until_committed(group)
        finally:
            self._open_since.remove(started)
            self._uncommitted -= len(group)
        if lost is None:
            return
        failpoint("delivery.recorded")
        metrics.COMMIT_SECONDS.observe(time.monotonic() - started)
        self.is_failing = False
        for endpoint_id, row in group.outcomes:
            lanes[endpoint_id].recorded((row.id,))
        if lost:
            metrics.STALE.inc(len(lost))
            self._on_lost(lost)
        self._on_commit(lanes.values())

    async def _until_committed(self, group: Group) -> Sequence[str] | None:
        """The lanes that were lost meanwhile; None when the hub stops before the commit."""
        while True:
            try:
                done = await self._db.writer.submit(record, group, f"webhooks:{self._node}")
                return done.lost
            except HubError as error:
                self.is_failing = True
                if error.code is Code.SHUTTING_DOWN:
                    return None
                if error.code is not Code.INTERNAL or not _lighten(group):
                    log.warning("outcomes of webhooks wait for the database", outcomes=len(group), error=str(error))
                    await asyncio.sleep(PAUSE_SECONDS)


def _lighten(group: Group) -> bool:
    """Leave out what an outcome can do without: nothing a receiver answers may keep an outcome from being stored.

    False when nothing is left to leave out.
    """
    for name in ("attempts", "told"):
        left_out = getattr(group, name)
        if left_out:
            log.error(
                "part of the outcomes of webhooks could not be stored and is left out", part=name, rows=len(left_out)
            )
            left_out.clear()
            return True
    return False
