"""The messages of one batch: loaded once, folded word by word in arrival order, written once.

Every change of a message's state goes through here, whoever asks for it: a customer, a phone, a timer. That gives all of them
the same four things: the decision of `hub.core.status`, the row it makes, a line on the timeline (applied or not, with the
reason), and the customer event when a status was entered. Folding ten words of ten commands in one batch leaves what ten
batches of one would leave.
"""

import copy
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from hub.accounts.credits import CreditBook, is_refunded, refund
from hub.accounts.settings import read_settings
from hub.core import moves, reports
from hub.core.clock import UtcMs
from hub.core.effects import Effect, LiveHint, WakeAt
from hub.core.events import EventType, MediaData, events_of
from hub.core.folding import Decision, MessageView, Word, fold
from hub.core.retry import sms_retry_at
from hub.core.status import SETTLED, STATUSES, UNBOUND, Status
from hub.log import get_logger
from hub.messages.announce import message_event
from hub.messages.known_segments import letters_of, write_segments
from hub.messages.sent_media import media_for_events
from hub.messages.story import facts_of, kind_of
from hub.messages.threads import conversation_id
from hub.storage import messages as stored
from hub.storage.facts import find_fact
from hub.storage.messages import Hop, MessageRow
from hub.storage.messages_lines import LineFace, faces_of, settings_of
from hub.storage.timeline import line_of_offer
from hub.storage.transaction import Tx
from hub.storage.usage import add_usage
from hub.webhooks.outbox import NewEvent, publish

log = get_logger("messages")

_JSON = msgspec.json.Encoder()


class Actor(NamedTuple):
    """Who a word comes from: `api`, `operator`, `hub`, `phone`; with the raw report where there is one."""

    name: str
    raw: str | None = None


HUB = Actor("hub")
PHONE = Actor("phone")


class Entry:
    """One message of the batch, as it stands after the words folded so far."""

    __slots__ = ("is_changed", "row", "view", "written")

    def __init__(self, row: MessageRow, view: MessageView) -> None:
        self.row = row
        self.view = view
        self.is_changed = False
        self.written = stored.changing_of(row)
        """What the database has of it."""

    @property
    def status(self) -> Status:
        return self.view.status


class Ledger:
    """See the module. `close` writes; nothing is written before, unless `flush` is called."""

    def __init__(self, tx: Tx, refs: Iterable[tuple[str, str]]) -> None:
        """`refs` are the `(account, message)` pairs that the batch speaks of; a foreign id is not found."""
        self.tx = tx
        self.is_held = find_fact(tx.conn, "hold") is not None
        self._entries: dict[str, Entry] = {}
        self._hops: list[Hop] = []
        self._announced: list[tuple[MessageRow, EventType, UtcMs]] = []
        self._used: dict[tuple[str, str], int] = {}
        self._touched: dict[str, str] = {}
        self._failing: dict[str, str] = {}
        self._replayed: list[tuple[str, str]] = []
        self._refunded: set[str] = set()
        self._wake_at: UtcMs | None = None
        self._load(set(refs))

    def add(self, row: MessageRow) -> Entry:
        """Take in a message that this transaction has locked already."""
        entry = self._entries.get(row.id)
        if entry is None:
            entry = self._entries[row.id] = Entry(row, self._view_of(row))
        return entry

    def find(self, account_id: str, message_id: str) -> Entry | None:
        """The message, if it is this account's."""
        entry = self._entries.get(message_id)
        return entry if entry is not None and entry.row.account_id == account_id else None

    @property
    def entries(self) -> Sequence[Entry]:
        """All messages of the batch, in id order."""
        return list(self._entries.values())

    def apply(self, entry: Entry, word: Word, actor: Actor, **more_facts: Any) -> Decision:
        """Fold one word into a message, and tell it on its timeline."""
        before = entry.view
        decision = fold(before, word)
        row = entry.row
        at = _time_of(word, self.tx.now)
        if decision.is_applied:
            entry.view = decision.view
            entry.is_changed = True
            if isinstance(word, reports.JobWord) and _is_adopted(row, decision):
                self._follow_to_its_line(row, word)
            self._take_over(row, before, decision, word, at)
        self.tell(
            entry,
            kind_of(word, decision),
            actor,
            facts_of(word, decision, row) | more_facts,
            at=at,
            moved=(before.status, decision.new_status) if decision.transitions else None,
            is_applied=decision.is_applied,
        )
        for event in events_of(decision.transitions):
            self._announced.append((copy.copy(row), event, at))
        return decision

    def refuse(self, entry: Entry, word: Word, actor: Actor, why_not: str) -> None:
        """Keep a word on the timeline without letting it change anything."""
        decision = Decision(view=entry.view, is_applied=False, why_not=why_not)
        facts = facts_of(word, decision, entry.row)
        self.tell(entry, kind_of(word, decision), actor, facts, at=_time_of(word, self.tx.now), is_applied=False)

    def tell(
        self,
        entry: Entry,
        kind: str,
        actor: Actor,
        facts: dict[str, Any],
        *,
        at: UtcMs | None = None,
        moved: tuple[Status, Status] | None = None,
        is_applied: bool = True,
    ) -> None:
        """Add a row to the message's timeline."""
        before, after = (moved[0].value, moved[1].value) if moved else (None, None)
        data = _JSON.encode(facts).decode() if facts else "{}"
        row = entry.row
        self._hops.append(
            Hop(
                row.account_id,
                row.id,
                at or self.tx.now,
                actor.name,
                str(kind),
                before,
                after,
                is_applied,
                data,
                actor.raw,
            )
        )

    def change_place(self, entry: Entry, **fields: Any) -> None:
        """Set line, thread or due time of a message that waits in the hub."""
        for name, value in fields.items():
            setattr(entry.row, name, value)
        entry.is_changed = True

    def renew_offer(self, entry: Entry) -> None:
        """The open offer is made again: its time to be accepted starts now."""
        entry.row.offered_at = self.tx.now
        entry.is_changed = True

    def flush(self) -> None:
        """Write what the words so far came to, for a decision that reads it back; the batch goes on."""
        changed = [entry for entry in self._entries.values() if entry.is_changed]
        conn = self.tx.conn
        stored.write_messages(conn, [(entry.row, entry.written) for entry in changed])
        stored.insert_hops(conn, self._hops)
        add_usage(self.tx, self._used)
        self._settle_credits()
        self._touched.update({entry.row.id: entry.row.account_id for entry in changed})
        self._hops.clear()
        self._used.clear()
        for entry in changed:
            entry.is_changed, entry.written = False, stored.changing_of(entry.row)

    def take_told(self) -> list[Hop]:
        """What the timelines were told so far, for a caller who stores these new messages and their timelines himself."""
        for entry in self._entries.values():
            entry.is_changed, entry.written = False, stored.changing_of(entry.row)
        told, self._hops = self._hops, []
        return told

    def _settle_credits(self) -> None:
        """What failed gets its price back, what is replayed pays again: in this transaction, with its rows locked."""
        self._refunded |= refund(self.tx, [(account, id_) for id_, account in self._failing.items()])
        CreditBook(self.tx, {account for account, _ in self._replayed}).charge_again(self._replayed)
        self._failing.clear()
        self._replayed.clear()

    def close(self) -> tuple[Effect, ...]:
        """Write everything, and return what must happen after the commit."""
        self.flush()
        effects: list[Effect] = [LiveHint(account, "message", id_) for id_, account in self._touched.items()]
        if self._wake_at is not None:
            effects.append(WakeAt(self._wake_at))
        return (*effects, *self._publish())

    # --- loading

    def _load(self, refs: set[tuple[str, str]]) -> None:
        if not refs:
            return
        rows = stored.lock_messages(self.tx.conn, {account for account, _ in refs}, {id_ for _, id_ in refs})
        for row in rows:
            if (row.account_id, row.id) in refs:
                self.add(row)

    def _view_of(self, row: MessageRow) -> MessageView:
        return MessageView(
            status=STATUSES[row.state],
            device_id=row.device_id,
            submission=row.submission,
            is_offered=row.offered_at is not None,
            segments=letters_of(row.segment_reports),
            expected_segments=row.segments,
            tries=row.tries,
            max_tries=row.max_tries,
            is_cancel_requested=row.cancel_requested_at is not None,
            is_held=self.is_held,
        )

    def allow_generic_retries(self, account_ids: Iterable[str]) -> None:
        """Let the messages of accounts that set `retry_generic` be tried again after a failure of unknown kind."""
        wanted = set(account_ids)
        if not wanted:
            return
        settings = settings_of(self.tx.conn, wanted)
        allowed = {account for account, text in settings.items() if read_settings(text).retry_generic}
        for entry in self._entries.values():
            if entry.row.account_id in allowed:
                entry.view = msgspec.structs.replace(entry.view, retry_generic=True)

    # --- the row

    def _take_over(self, row: MessageRow, before: MessageView, decision: Decision, word: Word, at: UtcMs) -> None:
        after, now = decision.view, self.tx.now
        if after.segments is not before.segments or after.submission != before.submission:
            row.segment_reports = write_segments(row.segment_reports, after.segments, word, at)
        row.state = after.status.value
        row.device_id = after.device_id
        row.submission = after.submission
        row.tries = after.tries
        if after.is_offered != before.is_offered:
            row.offered_at = now if after.is_offered else None
        if after.is_cancel_requested != before.is_cancel_requested:
            row.cancel_requested_at = now if after.is_cancel_requested else None
        if decision.reason is not None:
            row.reason, row.error_code = decision.reason, _code_of(word)
        for transition in decision.transitions:
            self._enter(row, transition.after, at)

    def _follow_to_its_line(self, row: MessageRow, word: reports.JobWord) -> None:
        """A phone had the message that is not the one the hub thought: line and thread are those it was offered by."""
        line_id = line_of_offer(self.tx.conn, row.account_id, row.id, word.device_id, word.submission)
        if line_id is not None and line_id != row.line_id:
            row.line_id = line_id
            row.conversation_id = conversation_id(row.account_id, line_id, row.peer)

    def _enter(self, row: MessageRow, status: Status, at: UtcMs) -> None:
        now = self.tx.now
        log.info("a text moves", message=row.id, to_status=status, device=row.device_id, trace_id=row.trace_id)
        match status:
            case Status.DISPATCHED:
                row.bound_at = now
                self._count_usage(row)
            case Status.RETRIED:
                row.bound_at = row.offered_at = None
                row.due_at = sms_retry_at(row.submission, now, _jitter(row))
                self._wake_at = min(self._wake_at or row.due_at, row.due_at)
            case Status.QUEUED:
                self._queue_again(row)
            case Status.SENT:
                row.sent_at = at
            case Status.DELIVERED:
                row.delivered_at = at
            case Status.UNCERTAIN:
                row.uncertain_at = now
        if status in (Status.SENT, Status.DELIVERED):
            row.reason = row.error_code = None
        if status in SETTLED:
            row.final_at = now
            if is_refunded(status, row.reason):
                self._failing[row.id] = row.account_id

    def _queue_again(self, row: MessageRow) -> None:
        """Its time has come, or an operator replays it: a replay gets its whole time to live anew."""
        row.due_at = self.tx.now
        if row.final_at is not None:
            self._replayed.append((row.account_id, row.id))
            row.final_at = row.uncertain_at = row.bound_at = row.reason = row.error_code = None
            row.expires_at = self.tx.now + (row.ttl_seconds or 0) * 1000

    def _count_usage(self, row: MessageRow) -> None:
        if row.line_id is not None:
            key = (row.account_id, row.line_id)
            self._used[key] = self._used.get(key, 0) + row.segments

    # --- events

    def _publish(self) -> tuple[Effect, ...]:
        if not self._announced:
            return ()
        rows = [row for row, _, _ in self._announced]
        accounts, line_ids = {row.account_id for row in rows}, {row.line_id for row in rows if row.line_id}
        lines = faces_of(self.tx.conn, accounts, line_ids)
        media = media_for_events(self.tx.conn, rows)
        return publish(self.tx, [self._event(row, event, at, lines, media) for row, event, at in self._announced])

    def _event(
        self,
        row: MessageRow,
        event: EventType,
        at: UtcMs,
        lines: dict[str, LineFace],
        media: dict[str, tuple[MediaData, ...]],
    ) -> NewEvent:
        line = lines.get(row.line_id or "")
        is_back = row.id in self._refunded and is_refunded(STATUSES[row.state], row.reason)
        attached = media.get(row.id, ())
        return message_event(self.tx.new_id(), event, row, line, self.tx.now, at, is_refunded=is_back, media=attached)


def _is_adopted(row: MessageRow, decision: Decision) -> bool:
    after = decision.view
    return after.status not in UNBOUND and (after.device_id, after.submission) != (row.device_id, row.submission)


def _time_of(word: Word, now: UtcMs) -> UtcMs:
    """When it happened: the phone's word for it, on the hub's clock; else now."""
    return word.at if isinstance(word, reports.JobWord | moves.Move) else now


def _code_of(word: Word) -> str | None:
    if isinstance(word, reports.SubmitReport) and word.code is not None:
        return str(word.code) if word.network_code is None else f"{word.code}/{word.network_code}"
    if isinstance(word, reports.DeliveryReport) and word.tp_status is not None:
        return f"0x{word.tp_status:02x}"
    if isinstance(word, reports.CarrierReport):
        return word.code
    return None


def _jitter(row: MessageRow) -> float:
    """A number in [0, 1) that a rerun of the batch gives again."""
    return zlib.crc32(f"{row.id}{row.submission}".encode()) / 2**32
