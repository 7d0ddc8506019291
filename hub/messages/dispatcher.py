"""The loop that offers waiting texts to the phones connected to this process.

A hint after a commit says which lines have work, so a text is on its way within milliseconds; a look at all queues every
two seconds is the promise behind it. Each round asks for one offer per phone at once and lets the writer put them into one
commit, so a busy, silent or slow phone holds up no other.
"""

import asyncio
import heapq
from collections.abc import Collection, Iterable
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from device_protocol.limits import SILENT_SECONDS
from hub.core.clock import Clock, UtcMs
from hub.core.effects import WakeDispatch
from hub.core.errors import HubError
from hub.core.ports import AtHand, PhoneSessions
from hub.log import get_logger
from hub.messages.dispatch import Offered, OfferTo, offer
from hub.storage.database import Database
from hub.storage.messages_lines import Placement, placements
from hub.storage.messages_queue import waiting_lines

log = get_logger("messages.dispatch")

POLL_SECONDS = 2.0
MOST_PLACES = 100_000
"""Placements remembered; beyond it all are forgotten and read again."""


class Phone(NamedTuple):
    """A phone that may have work."""

    account_id: str
    device_id: str


class OfferLimits(NamedTuple):
    """How many unanswered offers a phone may have, and when it was silent."""

    most_open: int = 8
    most_open_silent: int = 2


class Dispatcher:
    """See the module. `wake` is called on the event loop."""

    name = "dispatch"

    def __init__(self, db: Database, sessions: PhoneSessions, clock: Clock, limits: OfferLimits) -> None:
        self._db, self._sessions, self._clock, self._limits = db, sessions, clock, limits
        self._woken = asyncio.Event()
        self._lines: set[str] = set()
        self._accounts: set[str] = set()
        self._is_everything = True
        self._places: dict[str, Phone] = {}
        self._full: set[Phone] = set()
        """Phones that were left with less than there was, so that room for one more is worth a look."""
        self._later: list[tuple[UtcMs, Phone]] = []
        self._poll_at = 0.0

    def wake(self, effect: WakeDispatch) -> None:
        """Texts may be due: on these lines, anywhere in the account, or anywhere."""
        if effect.account_id is None:
            self._is_everything = True
        elif effect.is_room and effect.line_ids:
            self._lines.update(line_id for line_id in effect.line_ids if self._may_take_more(line_id))
        elif effect.line_ids:
            self._lines.update(effect.line_ids)
        else:
            self._accounts.add(effect.account_id)
        if self._lines or self._accounts or self._is_everything:
            self._woken.set()

    def _may_take_more(self, line_id: str) -> bool:
        """Whether a phone was left with less than there was. A line that was never asked for has had no queue here."""
        return self._places.get(line_id) in self._full

    def at_hand(self, device_id: str) -> AtHand | None:
        """The phone, if it is connected here and is offered its texts. Called in the writer's thread; it only looks."""
        session_no, silent = self._sessions.session_no(device_id), self._sessions.silent_for(device_id)
        if session_no is None or silent is None or not self._sessions.is_offered_to(device_id):
            return None
        is_silent = silent >= SILENT_SECONDS
        return AtHand(session_no, self._limits.most_open_silent if is_silent else self._limits.most_open)

    async def run(self) -> None:
        """Offer until cancelled."""
        while True:
            await self._wait()
            try:
                await self.offer_round()
            except HubError as error:
                log.warning("offers could not be stored", why=error.code)

    async def offer_round(self) -> None:
        """Offer once to every phone that was named since the last round, or whose wait is over."""
        phones = await self._take()
        commands = [command for phone in sorted(phones) if (command := self._command(phone)) is not None]
        if not commands:
            return
        waiting = [self._submit(command) for command in commands]
        await asyncio.wait(waiting)

    async def _wait(self) -> None:
        """Until somebody wakes it, a wait is over, or it is time to look at everything."""
        now = self._clock.monotonic()
        until = max(self._poll_at - now, 0.0)
        if self._later:
            until = min(until, max(self._later[0][0] - self._clock.now(), 0) / 1000)
        try:
            async with asyncio.timeout(until):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()
        if self._clock.monotonic() >= self._poll_at:
            self._is_everything = True
            self._poll_at = self._clock.monotonic() + POLL_SECONDS

    async def _take(self) -> set[Phone]:
        lines, self._lines = self._lines, set()
        accounts, self._accounts = self._accounts, set()
        is_everything, self._is_everything = self._is_everything, False
        phones = self._over()
        if not self._sessions.online_devices():
            return set()  # nobody to offer to: whoever connects is offered to by the wake-up of the hello
        unknown = {line for line in lines if line not in self._places}
        if is_everything or unknown or accounts:
            self._remember(await self._db.read(_read_places, unknown, accounts, is_everything), phones)
        phones.update(self._places[line] for line in lines if line in self._places)
        return phones

    def _over(self) -> set[Phone]:
        """Phones whose pace or budget lets the next text go by now."""
        now = self._clock.now()
        phones = set()
        while self._later and self._later[0][0] <= now:
            phones.add(heapq.heappop(self._later)[1])
        return phones

    def _remember(self, found: Iterable[Placement], phones: set[Phone]) -> None:
        if len(self._places) > MOST_PLACES:
            self._places.clear()
            self._full.clear()
            self._is_everything = True
        for place in found:
            phone = Phone(place.account_id, place.device_id)
            self._places[place.line_id] = phone
            phones.add(phone)

    def _command(self, phone: Phone) -> OfferTo | None:
        if self._sessions.nudge(phone.device_id):
            return None  # it asks for its texts itself
        session_no = self._sessions.session_no(phone.device_id)
        silent = self._sessions.silent_for(phone.device_id)
        if session_no is None or silent is None:
            return None
        return OfferTo(
            account_id=phone.account_id,
            device_id=phone.device_id,
            session_no=session_no,
            silent_seconds=silent,
            most_open=self._limits.most_open,
            most_open_silent=self._limits.most_open_silent,
        )

    def _submit(self, command: OfferTo) -> asyncio.Future[Offered]:
        """What came of it is noted at once, before the phone can answer what it was offered."""
        future = self._db.writer.submit_soon(offer, command, *command.keys())
        future.add_done_callback(partial(self._note, command))
        return future

    def _note(self, command: OfferTo, future: asyncio.Future[Offered]) -> None:
        phone = Phone(command.account_id, command.device_id)
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            log.warning("an offer was not stored", device=command.device_id, error=str(error))
            self._full.add(phone)
            return
        offered = future.result()
        if offered.is_full:
            self._full.add(phone)
        else:
            self._full.discard(phone)
        if offered.again_at is not None:
            heapq.heappush(self._later, (offered.again_at, phone))


def _read_places(
    conn: Connection, line_ids: Collection[str], account_ids: Collection[str], is_everything: bool
) -> list[Placement]:
    wanted = set(line_ids) | (set(waiting_lines(conn)) if is_everything else set())
    return placements(conn, wanted, account_ids)
