"""Texts given out in a list, to phones that ask for one: a listed text is that phone's from the commit that listed it.

Such a phone cannot be asked to wait for permission: what it reads, it sends. So whatever stands in a list is bound to it before the
list leaves, and never goes to another phone, also when the list got lost on its way: the phone knows texts by their ids, so what it
has not spoken of is simply listed again. That is why little is listed at a time: for each line as much as its pace sends in two minutes.
"""

from collections.abc import Mapping, Sequence

import msgspec

from hub.core import moves, reports
from hub.core.clock import UtcMs
from hub.core.effects import Effect
from hub.core.errors import HubError
from hub.core.pacing import MINUTE_MS, Sent, Usage, allowance_ahead, from_buckets
from hub.core.status import Status
from hub.devices.arrival import OfPhone, admitted
from hub.messages.ledger import HUB, Entry, Ledger
from hub.messages.lines import limits_of, line_usage, read_account_settings, utc_offset
from hub.messages.outcomes import with_effects
from hub.storage.devices import DeviceRow, lock_devices
from hub.storage.messages import MessageRow
from hub.storage.messages_lines import LineRow, lines_by_id, lines_in_devices
from hub.storage.messages_phones import lock_messages_on
from hub.storage.messages_queue import claim, paused_batches
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.usage import recent_usage

MINUTES_AHEAD = 2
MOST = 100
"""Texts in one list."""
ASK_AGAIN_REASON = "no_word"
"""Uncertain only because its time ran out without a word: the phone is asked again. Other doubts are not settled by listing."""


class ListFor(OfPhone, frozen=True, kw_only=True):
    """A phone asks for its texts.

    `spoken_of`: texts it has told of lately, which need not be listed again. `knows_cancel`: it understands a text that is being cancelled;
    one that does not would send it, so it is not shown any.
    """

    knows_cancel: bool
    spoken_of: frozenset[str] = frozenset()


class ListedText(msgspec.Struct, frozen=True, kw_only=True):
    """One text of a list. `slot`: of the SIM it must leave by, None = the phone has told of none."""

    row: MessageRow
    slot: int | None
    is_cancelling: bool


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A list, in the order in which the texts should be sent."""

    texts: tuple[ListedText, ...] = ()
    has_more: bool = False
    """More texts wait for this phone's lines."""
    more_at: UtcMs | None = None
    """When the pace lets the next one be listed; None = when the phone has told of those it has."""


def list_for(tx: Tx, commands: Sequence[ListFor]) -> list[Done[Listing] | Refused]:
    """Bind and list. Refused as `hub.devices.connect.may_connect` says."""
    devices = lock_devices(tx.conn, {command.device_id for command in commands})
    ledger = Ledger(tx, ())
    outcomes: list[Done[Listing] | Refused] = []
    for command in commands:
        try:
            device = admitted(devices, command)
        except HubError as error:
            outcomes.append(Refused(error))
        else:
            outcomes.append(Done(_Listing(tx, ledger, device, command).run()))
            ledger.flush()
    effects: tuple[Effect, ...] = ledger.close()
    return with_effects(outcomes, effects)


class _Listing:
    """One phone's list."""

    def __init__(self, tx: Tx, ledger: Ledger, device: DeviceRow, command: ListFor) -> None:
        self._tx, self._ledger, self._device, self._command = tx, ledger, device, command
        self._held = [row for row in lock_messages_on(tx.conn, {device.id}) if row.account_id == device.account_id]
        lines = lines_in_devices(tx.conn, {device.account_id}, {device.id})
        self._lines = {line.id: line for line in lines}
        self._texts: list[ListedText] = []
        self._has_more = False
        self._more_at: list[UtcMs] = []

    def run(self) -> Listing:
        self._list_held()
        if not self._ledger.is_held:
            self._list_new()
        return Listing(texts=tuple(self._texts), has_more=self._has_more, more_at=min(self._more_at, default=None))

    # --- what is the phone's already

    def _list_held(self) -> None:
        """What it has not spoken of, and what it should stop; its SIM may have moved meanwhile, the text stays with this phone."""
        missing = {row.line_id or "" for row in self._held} - set(self._lines)
        others = lines_by_id(self._tx.conn, {self._device.account_id}, missing) if missing else {}
        for row in self._held:
            if len(self._texts) >= MOST:
                self._has_more = True
                return
            if self._is_to_list_again(row):
                line = self._lines.get(row.line_id or "") or others.get(row.line_id or "")
                self._texts.append(_listed(row, line))

    def _is_to_list_again(self, row: MessageRow) -> bool:
        if row.cancel_requested_at is not None:
            return self._command.knows_cancel
        if row.id in self._command.spoken_of:
            return False
        if row.state == Status.DISPATCHED.value:
            return True
        return row.state == Status.UNCERTAIN.value and row.reason == ASK_AGAIN_REASON

    # --- what waits

    def _list_new(self) -> None:
        lines = {line.id: line for line in self._lines.values() if may_list(line, self._tx.now)}
        waiting = claim(self._tx, list(lines), MOST + 1)
        paused = paused_batches(
            self._tx.conn, {row.batch_id for rows in waiting.values() for row in rows if row.batch_id}
        )
        queue = [row for rows in waiting.values() for row in rows if self._is_open(row) and row.batch_id not in paused]
        rooms = _Rooms(self._tx, lines, self._held)
        full: set[str] = set()
        for row in sorted(queue, key=lambda row: (-row.priority, row.due_at, row.id)):
            line = lines[row.line_id or ""]
            if len(self._texts) >= MOST:
                self._has_more = True
                return
            if line.id in full:
                continue
            if rooms.take(line, row.segments):
                self._texts.append(self._bind(row, line))
            else:
                # The first that does not fit holds the line's queue: shorter texts behind it must not starve it.
                full.add(line.id)
                self._has_more = True
                at = rooms.next_at(line, row.segments)
                self._more_at += [at] if at is not None else []

    def _is_open(self, row: MessageRow) -> bool:
        is_over = row.expires_at is not None and row.expires_at <= self._tx.now
        return not is_over and row.offered_at is None and row.cancel_requested_at is None

    def _bind(self, row: MessageRow, line: LineRow) -> ListedText:
        entry: Entry = self._ledger.add(row)
        submission, now, device_id = row.submission + 1, self._tx.now, self._device.id
        offer = moves.Offer(message_id=row.id, at=now, device_id=device_id, submission=submission, line_id=line.id)
        self._ledger.apply(entry, offer, HUB, is_listed=True)
        word = reports.JobAccepted(message_id=row.id, at=now, device_id=device_id, submission=submission)
        self._ledger.apply(entry, word, HUB, is_listed=True)
        return _listed(entry.row, line)


def _listed(row: MessageRow, line: LineRow | None) -> ListedText:
    slot = line.slot if line is not None and (line.subscription_id or 0) >= 0 else None
    return ListedText(row=row, slot=slot, is_cancelling=row.cancel_requested_at is not None)


def may_list(line: LineRow, now: UtcMs) -> bool:
    """Whether anything may be given out for this line now, its pace aside."""
    return (
        line.is_enabled
        and line.is_present
        and line.is_device_usable
        and not line.awaiting_confirmation
        and not (line.paused_until is not None and line.paused_until > now)
    )


class _Rooms:
    """How many more segments each line may be given ahead."""

    def __init__(self, tx: Tx, lines: Mapping[str, LineRow], held: Sequence[MessageRow]) -> None:
        self._now = tx.now
        accounts = {line.account_id for line in lines.values() if line.per_day or line.per_month}
        settings = read_account_settings(tx.conn, accounts)
        self._zones = {id_: utc_offset(one.time_zone, tx.now) for id_, one in settings.items()}
        rows = list(lines.values())
        budgets = line_usage(tx.conn, tx.now, rows, self._zones)
        recent = recent_usage(tx.conn, [line.id for line in rows], tx.now - MINUTES_AHEAD * MINUTE_MS) if rows else {}
        self._usage: dict[str, Usage] = {}
        for line in rows:
            known = budgets[line.id]
            longer = known.recent if line.per_hour is not None else from_buckets(recent.get(line.id, ()))
            self._usage[line.id] = msgspec.structs.replace(known, recent=longer)
        self._unsent: dict[str, int] = {}
        for row in held:
            if row.state == Status.DISPATCHED.value and row.line_id is not None:
                self._unsent[row.line_id] = self._unsent.get(row.line_id, 0) + row.segments

    def take(self, line: LineRow, segments: int) -> bool:
        """Whether so many fit now; they are counted when they do."""
        unsent = self._unsent.get(line.id, 0)
        if unsent and unsent + segments > line.per_minute * MINUTES_AHEAD:
            return False
        at = self.next_at(line, segments)
        if at is None or at > self._now:
            return False
        usage = self._usage[line.id]
        self._usage[line.id] = Usage(
            recent=(*usage.recent, Sent(self._now, segments)),
            today=usage.today + segments,
            this_month=usage.this_month + segments,
        )
        self._unsent[line.id] = unsent + segments
        return True

    def next_at(self, line: LineRow, segments: int) -> UtcMs | None:
        """When the pace and the budgets let so many be given out."""
        offset = self._zones.get(line.account_id, 0)
        return allowance_ahead(
            self._usage[line.id],
            limits_of(line),
            self._now,
            minutes=MINUTES_AHEAD,
            want=segments,
            utc_offset_seconds=offset,
        ).next_at
