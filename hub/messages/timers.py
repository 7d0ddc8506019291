"""The loop of everything that happens by time: release, expiry, doubt, offers taken back, texts that leave a dead line.

It looks once a second. What it finds it hands to the writer as commands, which look again inside their transaction: between
finding and acting the text may have moved on.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hub.core.clock import Clock, UtcMs
from hub.core.effects import WakeAt
from hub.core.errors import HubError
from hub.core.ports import PhoneSessions
from hub.log import get_logger
from hub.messages.dispatch import Retract, retract
from hub.messages.expire import OVERDUE_SECONDS, Timer, TimeUp, time_up
from hub.messages.idempotency import forget_old_keys
from hub.messages.lines import budgets, is_ready, line_view
from hub.messages.routes import Reroute, reroute
from hub.storage import messages_queue as queue
from hub.storage.database import Database
from hub.storage.facts import find_fact
from hub.storage.messages_lines import LineRow, live_lines, ready_accounts

log = get_logger("messages.timers")

EVERY_SECONDS = 1.0
FAILOVER_EVERY_SECONDS = 3.0
KEYS_EVERY_SECONDS = 60.0
MOST = 500
"""Texts of one kind in one look; with more waiting it looks again at once."""
MOST_MOVED = 200
"""Texts of one line that look for another one at a time."""
ELSEWHERE_SECONDS = 5.0
"""How much longer an offer of another process's phone stays open, so that the process that knows the phone acts first."""


class TimerSettings(NamedTuple):
    """How long things may take."""

    offer_timeout_seconds: float = 15.0
    failover_seconds: float = 60.0
    uncertain_seconds: float = 7 * 86_400.0


class Timers:
    """See the module."""

    name = "message timers"

    def __init__(self, db: Database, sessions: PhoneSessions, clock: Clock, settings: TimerSettings) -> None:
        self._db, self._sessions, self._clock, self._settings = db, sessions, clock, settings
        self._woken = asyncio.Event()
        self._failover_at = 0.0
        self._keys_at = 0.0
        self._next_at: UtcMs | None = None

    def wake_at(self, effect: WakeAt) -> None:
        """A text has something to do then: look at that very moment instead of up to a second later."""
        if self._next_at is None or effect.at < self._next_at:
            self._next_at = effect.at
            self._woken.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except HubError as error:
                log.warning("timers could not be carried out", why=error.code)
            await self._sleep()

    async def look(self) -> None:
        """One look at everything that may be due."""
        if await self._db.read(find_fact, "hold") is None:
            await self._drain("release", queue.scheduled_until, 0)
            await self._drain("time_over", queue.expired_until, 0)
            await self._drain("cancel_after_hold", _cancels_waiting, 0)
            await self._take_back_offers()
            if self._clock.monotonic() >= self._failover_at:
                self._failover_at = self._clock.monotonic() + FAILOVER_EVERY_SECONDS
                await self._fail_over()
        await self._drain("overdue", queue.overdue_until, OVERDUE_SECONDS)
        await self._drain("outcome_unknown", queue.uncertain_until, self._settings.uncertain_seconds)
        await self._forget_keys()

    async def _sleep(self) -> None:
        seconds = EVERY_SECONDS
        while seconds > 0:
            if self._next_at is not None:
                seconds = min(seconds, max(self._next_at - self._clock.now(), 0) / 1000)
            self._woken.clear()
            started = self._clock.monotonic()
            try:
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            except TimeoutError:
                break
            seconds -= self._clock.monotonic() - started
        if self._next_at is not None and self._next_at <= self._clock.now():
            self._next_at = None

    async def _drain(
        self, timer: Timer, find: Callable[[Connection, UtcMs, int], list[queue.Due]], older_than_seconds: float
    ) -> None:
        """Let one timer act on all it finds, page by page; a page that changed nothing ends it."""
        while True:
            until = self._clock.now() - round(older_than_seconds * 1000)
            found = await self._db.read(find, until, MOST)
            commands = [
                TimeUp(
                    account_id=due.account_id,
                    message_id=due.message_id,
                    timer=timer,
                    uncertain_seconds=self._settings.uncertain_seconds,
                )
                for due in found
            ]
            changed = await self._submit(time_up, commands)
            if len(found) < MOST or not changed:
                return

    async def _take_back_offers(self) -> None:
        now = self._clock.now()
        timeout_ms = round(self._settings.offer_timeout_seconds * 1000)
        found = await self._db.read(queue.offers_until, now - timeout_ms, MOST)
        commands = []
        for due in found:
            is_here = due.device_id is not None and self._sessions.is_online(due.device_id)
            before = now - timeout_ms - (0 if is_here else round(ELSEWHERE_SECONDS * 1000))
            if due.offered_at <= before:
                commands.append(
                    Retract(
                        account_id=due.account_id, message_id=due.message_id, offered_before=before, is_deaf=is_here
                    )
                )
        await self._submit(retract, commands)

    async def _fail_over(self) -> None:
        here = frozenset(self._sessions.online_devices())
        away = self._settings.failover_seconds
        found = await self._db.read(find_stranded, self._clock.now(), here, away)
        commands = [Reroute(account_id=due.account_id, message_id=due.message_id, away_seconds=away) for due in found]
        await self._submit(reroute, commands)

    async def _forget_keys(self) -> None:
        if self._clock.monotonic() < self._keys_at:
            return
        self._keys_at = self._clock.monotonic() + KEYS_EVERY_SECONDS
        while await self._db.writer.submit(forget_old_keys, MOST, "idempotency") >= MOST:
            pass

    async def _submit(self, use_case: Any, commands: Sequence[Any]) -> bool:
        """Apply commands together; whether any of them changed something."""
        waiting = [self._db.writer.submit_soon(use_case, command, *command.keys()) for command in commands]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                log.warning("a timer's command failed", error=str(result))
        return any(result is True for result in results)


def _cancels_waiting(conn: Connection, _until: UtcMs, most: int) -> list[queue.Due]:
    return queue.cancels_waiting(conn, most)


def find_stranded(conn: Connection, now: UtcMs, here: frozenset[str], away_seconds: float) -> list[queue.Due]:
    """Texts that wait for a line that cannot send, of accounts that have one that can; and texts that have none at all.

    `here` are the phones connected to this process.
    """
    found = queue.unplaced(conn, MOST)
    waiting = set(queue.waiting_lines(conn))
    rows = live_lines(conn, waiting)
    for line_id in sorted(waiting - {row.id for row in rows}):
        found += queue.stranded(conn, line_id, now, MOST_MOVED, with_pinned=True)
    blocked = _blocked(conn, now, rows, here, away_seconds)
    able = ready_accounts(conn, {row.account_id for row in blocked}, now)
    for row in blocked:
        if row.account_id in able:
            found += queue.stranded(conn, row.id, now, MOST_MOVED, with_pinned=False)
    return found


def _blocked(
    conn: Connection, now: UtcMs, rows: Sequence[LineRow], here: frozenset[str], away_seconds: float
) -> list[LineRow]:
    """The lines that cannot send now; a full minute is no reason, a phone that is away becomes one after its grace."""
    allowed = budgets(conn, now, rows)
    seen_since = now - round(away_seconds * 1000)
    return [
        row
        for row in rows
        if not is_ready(line_view(row, 0, allowed.get(row.id), seen_since), now, is_here=row.device_id in here)
    ]
