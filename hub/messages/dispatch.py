"""Offers: the hub proposes waiting messages to a phone, and takes a proposal back that was not accepted.

An offer binds nobody. It is committed before the phone hears of it, under a new submission number, so that whatever the
phone says later names an offer the hub knows. How much is offered is held by what the phone has not answered yet (8, or 2
when it was silent), by its lines' pace and budgets in segments, and by the order of the queue: priority, then due time.
"""

from collections.abc import Sequence

import msgspec

from device_protocol.handover import HandoverRules
from device_protocol.limits import OFFERS_MAX, SILENT_SECONDS
from hub.core import moves
from hub.core.address import is_sealed
from hub.core.clock import UtcMs
from hub.core.effects import Effect, ToPhone
from hub.core.pacing import Sent, Usage, allowance
from hub.core.status import WAITING
from hub.messages.jobs import job_frame
from hub.messages.ledger import HUB, Entry, Ledger
from hub.messages.lines import DECRYPTING_TRANSPORTS, limits_of, line_usage, may_send, utc_offsets
from hub.messages.outcomes import with_effects
from hub.messages.routes import leave_unable, move_on
from hub.messages.sent_media import MMS, media_for_phones
from hub.storage.messages import MessageRow
from hub.storage.messages_lines import LineRow, lines_in_devices
from hub.storage.messages_phones import fence_phones
from hub.storage.messages_queue import claim, open_offers, paused_batches
from hub.storage.transaction import Done, Refused, Tx

RULES = HandoverRules()
MOST_PER_LINE = OFFERS_MAX
"""Messages looked at per line and pass: no more can be offered at once."""


class OfferTo(msgspec.Struct, frozen=True, kw_only=True):
    """Offer a connected phone what waits for its lines."""

    account_id: str
    device_id: str
    session_no: int
    silent_seconds: float = 0.0
    most_open: int = OFFERS_MAX
    """Unanswered offers the phone may have, when it is not silent."""
    most_open_silent: int = 2

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"device:{self.device_id}",)


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What an offer round did."""

    is_current: bool = False
    """The connection was still the phone's newest."""
    count: int = 0
    again_at: UtcMs | None = None
    """When the pace or a budget lets the next message go; None when nothing waits for that."""
    is_full: bool = False
    """More may wait: all the room the phone had was used, or as many of a line's messages were offered as are looked at."""


def offer(tx: Tx, commands: Sequence[OfferTo]) -> list[Done[Offered] | Refused]:
    """Offer waiting messages to phones; effects are the jobs, on the connection each command names."""
    phones = fence_phones(tx.conn, {command.device_id for command in commands})
    ledger = Ledger(tx, ())
    current = [
        command
        for command in commands
        if (phone := phones.get(command.device_id)) is not None
        and (phone.account_id, phone.session_no) == (command.account_id, command.session_no)
    ]
    round_ = _Round(tx, ledger, [] if ledger.is_held else current)
    outcomes = [round_.offer_to(command) if command in current else Done(Offered()) for command in commands]
    woken = leave_unable(ledger, [ledger.add(row) for row in round_.unable])
    return with_effects(outcomes, (*ledger.close(), *woken))


class _Round:
    """What one batch of offers knows: lines, what they may send, and what waits for them."""

    def __init__(self, tx: Tx, ledger: Ledger, commands: Sequence[OfferTo]) -> None:
        self._tx, self._ledger = tx, ledger
        devices = {command.device_id for command in commands}
        accounts = {command.account_id for command in commands}
        self.unable: list[MessageRow] = []
        """MMS on lines whose phones no longer send any."""
        self._open: dict[str, int] = {}
        self._out: dict[str, int] = {}
        for device_id, line_id, segments in open_offers(tx.conn, devices) if devices else ():
            self._open[device_id] = self._open.get(device_id, 0) + 1
            self._out[line_id] = self._out.get(line_id, 0) + segments
        with_room = {command.device_id for command in commands if self._free_of(command) > 0}
        lines = [line for line in lines_in_devices(tx.conn, accounts, devices) if may_send(line, tx.now)]
        self._lines: dict[str, list[LineRow]] = {}
        for line in lines:
            self._lines.setdefault(line.device_id or "", []).append(line)
        wanted = [line.id for line in lines if line.device_id in with_room]
        self._waiting = claim(tx, wanted, MOST_PER_LINE)
        able = {line.id for line in lines if line.sends_mms}
        self.unable += [row for row in self._rows() if row.kind == MMS and row.line_id not in able]
        self._media = media_for_phones(tx.conn, self._rows())
        self._paused = paused_batches(tx.conn, {row.batch_id for row in self._rows() if row.batch_id is not None})
        self._zones = utc_offsets([line for line in lines if line.per_day or line.per_month], tx.now)
        self._usage = line_usage(tx.conn, tx.now, [line for line in lines if line.id in self._waiting], self._zones)

    def offer_to(self, command: OfferTo) -> Done[Offered]:
        """One phone's share: the best of all its lines' queues, as many as it may have open."""
        free = self._free_of(command)
        jobs: list[ToPhone] = []
        again_at: list[UtcMs] = []
        lines = {line.id: line for line in self._lines.get(command.device_id, ())}
        queue = [
            row for line_id in lines for row in self._waiting.get(line_id, ()) if self._is_open(row, lines[line_id])
        ]
        blocked: set[str] = set()
        for row in sorted(queue, key=lambda row: (-row.priority, row.due_at, row.id)):
            line = lines[row.line_id or ""]
            if len(jobs) >= free or line.id in blocked:
                continue
            goes_at = self._goes_at(line, row.segments)
            if goes_at is not None and goes_at <= self._tx.now:
                jobs.append(ToPhone(command.device_id, command.session_no, self._offer(line, row, command.device_id)))
            else:
                # The first that does not fit holds the line's queue: shorter texts behind it must not starve it.
                blocked.add(line.id)
                again_at += [goes_at] if goes_at is not None else []
        is_full = len(jobs) >= free or any(len(self._waiting.get(line_id, ())) >= MOST_PER_LINE for line_id in lines)
        offered = Offered(is_current=True, count=len(jobs), again_at=min(again_at, default=None), is_full=is_full)
        return Done(offered, tuple(jobs))

    def _rows(self) -> list[MessageRow]:
        return [row for rows in self._waiting.values() for row in rows]

    def _free_of(self, command: OfferTo) -> int:
        limit = command.most_open_silent if command.silent_seconds >= SILENT_SECONDS else command.most_open
        return max(0, limit - self._open.get(command.device_id, 0))

    def _is_open(self, row: MessageRow, line: LineRow) -> bool:
        """Not offered in this very round, not in a paused batch, its time not over (a timer is about to say so), and not encrypted for
        other phones than the one its SIM has moved to."""
        if is_sealed(row.peer) and line.transport not in DECRYPTING_TRANSPORTS:
            return False
        if row.kind == MMS and not line.sends_mms:
            return False
        is_over = row.expires_at is not None and row.expires_at <= self._tx.now
        is_taken = row.offered_at is not None or row.cancel_requested_at is not None
        return not is_taken and not is_over and row.batch_id not in self._paused

    def _goes_at(self, line: LineRow, segments: int) -> UtcMs | None:
        usage = self._usage[line.id]
        out = self._out.get(line.id, 0)
        counted = Usage(
            recent=(*usage.recent, Sent(self._tx.now, out)) if out else usage.recent,
            today=usage.today + out,
            this_month=usage.this_month + out,
        )
        offset = self._zones.get(line.account_id, 0)
        return allowance(counted, limits_of(line), self._tx.now, want=segments, utc_offset_seconds=offset).next_at

    def _offer(self, line: LineRow, row: MessageRow, device_id: str) -> object:
        entry = self._ledger.add(row)
        word = moves.Offer(
            message_id=row.id, at=self._tx.now, device_id=device_id, submission=row.submission + 1, line_id=line.id
        )
        self._ledger.apply(entry, word, HUB)
        self._out[line.id] = self._out.get(line.id, 0) + row.segments
        self._open[device_id] = self._open.get(device_id, 0) + 1
        return job_frame(entry.row, line, self._tx.now, self._media.get(row.id, ()))


class Retract(msgspec.Struct, frozen=True, kw_only=True):
    """Take back an offer that has been open since `offered_before` or longer."""

    account_id: str
    message_id: str
    offered_before: UtcMs
    is_deaf: bool = False
    """The phone is connected and does not answer: another line takes it, if one can. A phone that is gone may come back."""

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


def retract(tx: Tx, commands: Sequence[Retract]) -> list[Done[bool] | Refused]:
    """Take offers back; the value says whether there was one. A phone that accepts it later is told to drop it."""
    ledger = Ledger(tx, [(command.account_id, command.message_id) for command in commands])
    taken: list[bool] = []
    woken: list[Effect] = []
    for command in commands:
        entry = ledger.find(command.account_id, command.message_id)
        is_taken = entry is not None and _take_back(ledger, entry, command)
        taken.append(is_taken)
        if is_taken and entry is not None and command.is_deaf:
            ledger.flush()
            woken += move_on(ledger, [entry])
    return with_effects([Done(one) for one in taken], (*ledger.close(), *woken))


def _take_back(ledger: Ledger, entry: Entry, command: Retract) -> bool:
    row = entry.row
    if entry.status not in WAITING or row.offered_at is None or row.offered_at > command.offered_before:
        return False
    word = moves.Withdraw(message_id=row.id, at=ledger.tx.now, submission=row.submission)
    facts = {"device_id": row.device_id, "line_id": row.line_id}
    return ledger.apply(entry, word, HUB, **facts).is_applied
