"""What phones of other makers post: one event a call, unnumbered, as often as they like.

Nothing tells whether an event is missing, so such a phone has no "complete up to". What came before is known by its id; and because
some apps post one event under two ids, by its fingerprint too: a hash of everything that makes it this event and no other. Both are
looked for under the phone's lock, and stored with what the event did, in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from device_protocol.frames import Sim, Status
from hub.core import reports
from hub.core.clock import UtcMs
from hub.core.effects import Effect, LiveHint
from hub.core.errors import HubError
from hub.core.folding import Decision, fold
from hub.core.text import sanitise, sanitise_or_none
from hub.devices.arrival import OfPhone, admitted
from hub.devices.lines import PHONE_STATE, SimReport, apply_sims
from hub.messages.consequences import Consequences
from hub.messages.ledger import Actor, Entry, Ledger
from hub.messages.receive import Incoming, IncomingPayload, receive
from hub.storage.devices import DeviceRow, lock_devices, write_devices
from hub.storage.devices_events import EventRow, insert_events, known_events, known_fingerprints
from hub.storage.transaction import Done, Refused, Tx

STREAM = "unnumbered"
"""What stands as stream with events that have no number."""


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """One event, in the words of the rules. What is None or empty, it says nothing of."""

    uuid: str
    type: str
    at: UtcMs
    raw: str
    """JSON, as it came; kept."""
    fingerprint: str | None = None
    received: IncomingPayload | None = None
    word: reports.JobWord | None = None
    """About a text this phone was given."""
    is_word_only_told: bool = False
    """It stands on the text's timeline and moves nothing."""
    sims: tuple[Sim, ...] | None = None
    status: Status | None = None
    why_unread: str | None = None
    """Nobody could read its payload: it is kept as it came."""


class StorePosted(OfPhone, frozen=True, kw_only=True):
    """A phone posted something."""

    posted: tuple[Posted, ...]


def store_posted(tx: Tx, commands: Sequence[StorePosted]) -> list[Done[int] | Refused]:
    """Store and apply; the value is how many were new. Refused as `hub.devices.connect.may_connect` says."""
    devices = lock_devices(tx.conn, {command.device_id for command in commands})
    taken: list[StorePosted] = []
    outcomes: list[Done[int] | Refused] = []
    for command in commands:
        try:
            admitted(devices, command)
        except HubError as error:
            outcomes.append(Refused(error))
        else:
            taken.append(command)
            outcomes.append(Done(0))
    batch = _Batch(tx, devices, taken)
    fresh = batch.run()
    effects = batch.effects
    numbers = iter(fresh)
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, Done):
            outcomes[place] = Done(next(numbers), tuple(effects))
            effects = []
    return outcomes


@dataclass(slots=True)
class _New:
    """An event that was not known, on its way to its row."""

    command: StorePosted
    event: Posted
    outcome: str = "stored"
    why: str | None = None
    message_id: str | None = None


class _Batch:
    """One call of `store_posted`, for commands of phones that are locked and let in."""

    def __init__(self, tx: Tx, devices: dict[str, DeviceRow], commands: Sequence[StorePosted]) -> None:
        self._tx, self._devices, self._commands = tx, devices, commands
        self.effects: list[Effect] = []

    def run(self) -> list[int]:
        """How many events of each command were new."""
        counts: list[int] = []
        new: list[_New] = []
        known = self._known()
        for command in self._commands:
            fresh = [_New(command, event) for event in command.posted if _is_first(known, command.device_id, event)]
            counts.append(len(fresh))
            new += fresh
        self._take_in([one for one in new if one.event.received is not None])
        self._apply_words([one for one in new if one.event.word is not None])
        self._apply_sims([one for one in new if one.event.sims is not None])
        self._note_status([one for one in new if one.event.status is not None])
        for one in new:
            if one.event.why_unread is not None:
                one.outcome, one.why = "quarantined", one.event.why_unread
                self.effects.append(LiveHint(one.command.account_id, "device", one.command.device_id))
        insert_events(self._tx.conn, [_row(one, self._tx.now) for one in new])
        return counts

    def _known(self) -> set[tuple[str, str]]:
        given = [(command.device_id, event) for command in self._commands for event in command.posted]
        uuids = known_events(self._tx, {(device_id, event.uuid) for device_id, event in given})
        told = {event.fingerprint for _, event in given if event.fingerprint is not None}
        prints = known_fingerprints(self._tx.conn, {device_id for device_id, _ in given}, told)
        return uuids | {(device_id, f"fingerprint {fingerprint}") for device_id, fingerprint in prints}

    def _take_in(self, new: Sequence[_New]) -> None:
        given = [_incoming(one, one.event.received) for one in new if one.event.received is not None]
        for one, received in zip(new, receive(self._tx, given), strict=True):
            one.outcome, one.message_id = "applied", received.message_id
            self.effects += received.effects

    def _apply_words(self, new: Sequence[_New]) -> None:
        words = [(one.command.account_id, one.event.word) for one in new if one.event.word is not None]
        if not words:
            return
        ledger = Ledger(self._tx, [(account_id, word.message_id) for account_id, word in words])
        consequences = Consequences(ledger)
        for one in new:
            _apply_word(ledger, consequences, one)
        self.effects += (*ledger.close(), *consequences.effects)

    def _apply_sims(self, new: Sequence[_New]) -> None:
        for one in new:
            device = self._devices[one.command.device_id]
            self.effects += apply_sims(self._tx, [SimReport(device, one.event.sims or (), {PHONE_STATE: True})])
            one.outcome = "applied"

    def _note_status(self, new: Sequence[_New]) -> None:
        for one in new:
            device = self._devices[one.command.device_id]
            device.status, device.status_at = msgspec.json.encode(one.event.status).decode(), self._tx.now
            write_devices(self._tx.conn, [device])
            one.outcome = "applied"


def _is_first(known: set[tuple[str, str]], device_id: str, event: Posted) -> bool:
    """Whether this is the first time; it is known from now on."""
    names = {(device_id, event.uuid)}
    if event.fingerprint is not None:
        names.add((device_id, f"fingerprint {event.fingerprint}"))
    is_first = not names & known
    known |= names
    return is_first


def _apply_word(ledger: Ledger, consequences: Consequences, one: _New) -> None:
    word = one.event.word
    entry = None if word is None else ledger.find(one.command.account_id, word.message_id)
    if word is None or entry is None or entry.row.direction != "mt":
        one.outcome, one.why = "not_applied", "unknown_message"
        return
    one.message_id = entry.row.id
    actor = Actor("phone", one.event.raw)
    if one.event.is_word_only_told:
        ledger.refuse(entry, word, actor, "by_segment")
        one.outcome, one.why = "not_applied", "by_segment"
        return
    decision = _judge(ledger, consequences, entry, word, actor)
    one.outcome, one.why = ("applied", None) if decision.is_applied else ("not_applied", decision.why_not)


def _judge(ledger: Ledger, consequences: Consequences, entry: Entry, word: reports.JobWord, actor: Actor) -> Decision:
    """Fold a word about a whole text. When segments left and which cannot be told, it may not look safe to send again."""
    if _may_have_left_in_part(entry, word):
        doubt, failure = _by_segments(entry, word)
        if fold(entry.view, doubt).is_applied:
            ledger.apply(entry, doubt, actor)
        word = failure
    decision = ledger.apply(entry, word, actor)
    consequences.follow(entry, word.device_id, decision)
    return decision


def _may_have_left_in_part(entry: Entry, word: reports.JobWord) -> bool:
    """Such an app shares one result among all segments: the first that fails ends the text, whatever left before."""
    is_failure = isinstance(word, reports.SubmitReport) and word.outcome == "failed" and word.segment is None
    return is_failure and entry.view.expected_segments > 1 and getattr(word, "code", None) is not None


def _by_segments(entry: Entry, word: reports.JobWord) -> tuple[reports.SubmitReport, reports.SubmitReport]:
    """The first segment may have left, the second was refused."""
    failure = reports.SubmitReport(
        message_id=word.message_id,
        device_id=word.device_id,
        submission=word.submission,
        at=word.at,
        outcome="failed",
        segment=1,
        segments=entry.view.expected_segments,
        reason="segments_unknown",
    )
    return msgspec.structs.replace(failure, outcome="uncertain", segment=0), failure


def _incoming(one: _New, payload: IncomingPayload) -> Incoming:
    return Incoming(
        account_id=one.command.account_id,
        device_id=one.command.device_id,
        event_uuid=one.event.uuid,
        at=one.event.at,
        payload=payload,
        raw=sanitise(one.event.raw),
    )


def _row(one: _New, now: UtcMs) -> EventRow:
    event = one.event
    return EventRow(
        device_id=one.command.device_id,
        uuid=event.uuid,
        account_id=one.command.account_id,
        stream=STREAM,
        n=0,
        type=event.type,
        at=event.at,
        received_at=now,
        outcome=one.outcome,
        why=sanitise_or_none(one.why),
        message_id=one.message_id,
        payload=sanitise(event.raw),
        raw=None,
        fingerprint=event.fingerprint,
    )


# --- what a phone says of its texts outside of events ------------------------------------------------------------------------


class TakeWords(OfPhone, frozen=True, kw_only=True):
    """A phone tells how texts stand that it was given; `raw` is its whole word, for their timelines."""

    words: tuple[reports.JobWord, ...]
    raw: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}", *(f"message:{word.message_id}" for word in self.words))


def take_words(tx: Tx, commands: Sequence[TakeWords]) -> list[Done[int] | Refused]:
    """Fold them, in order, as the state table allows; the value is how many changed something. Unknown texts are no error."""
    devices = lock_devices(tx.conn, {command.device_id for command in commands})
    ledger = Ledger(tx, [(command.account_id, word.message_id) for command in commands for word in command.words])
    consequences = Consequences(ledger)
    outcomes: list[Done[int] | Refused] = []
    for command in commands:
        try:
            admitted(devices, command)
        except HubError as error:
            outcomes.append(Refused(error))
        else:
            last = len(command.words) - 1
            folded = [_fold(ledger, consequences, command, word, i == last) for i, word in enumerate(command.words)]
            outcomes.append(Done(sum(folded)))
    effects = (*ledger.close(), *consequences.effects)
    for place, outcome in enumerate(outcomes):
        if effects and isinstance(outcome, Done):
            outcomes[place] = Done(outcome.value, effects)
            break
    return outcomes


def _fold(ledger: Ledger, consequences: Consequences, command: TakeWords, word: reports.JobWord, is_last: bool) -> bool:
    """Whether it changed something. Of what a snapshot repeats, only its last word is worth a line of the timeline."""
    entry = ledger.find(command.account_id, word.message_id)
    if entry is None or entry.row.direction != "mt":
        return False
    if not is_last and not fold(entry.view, word).is_applied:
        return False
    return _judge(ledger, consequences, entry, word, Actor("phone", sanitise(command.raw))).is_applied
