"""What a phone tells: every event stored once, numbered, acknowledged after the commit, and applied.

Envelope first: an event whose number, uuid and type parse is stored and acknowledged whatever its payload holds, so nothing a phone
sends can block what comes after it. A payload that does not parse is kept `quarantined`, a type this version does not know `stored`.
What an event is, and whether it came before, is decided by (phone, uuid) alone; numbers only find holes.

A batch costs the same few statements whatever its length: lock the phones with their streams, see which uuids are known, apply, insert,
write the streams.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from device_protocol.frames import Event, Gone
from device_protocol.hub_side import HubRules
from device_protocol.numbering import Gap, Numbered
from device_protocol.payloads import Payload, Quarantined, SimChanged, decode_payload, event_time
from hub.core.clock import UtcMs
from hub.core.effects import Effect, LiveHint, ToPhone
from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.devices.lines import SimReport, apply_sims
from hub.devices.streams import Stream, gap_rows
from hub.messages.receive import Incoming, IncomingPayload, receive
from hub.messages.report import Applied, PhoneReport, apply_reports
from hub.messages.words import JobReport
from hub.storage import devices as devices_stored
from hub.storage import devices_events as stored
from hub.storage.devices import GapRow, lock_devices
from hub.storage.devices_events import EventRow, Progress
from hub.storage.transaction import Done, Refused, Tx

RULES = HubRules()
HELD = "held"
"""The word of a report that a restored hub does not judge yet (`hub.messages.report`)."""

Told: TypeAlias = Event | Gone


class StoreTold(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of one connection, in the order they came. `raw`: the frame's text where storing it would change it."""

    account_id: str
    device_id: str
    session_no: int
    frames: tuple[Told, ...]
    raw: str | None = None

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)


class Stored(msgspec.Struct, frozen=True):
    """How many of the events were new, and how many of those could not be read."""

    new: int
    quarantined: int = 0


@dataclass(slots=True)
class _New:
    """An event whose uuid was not known, on its way to its row."""

    place: int
    """Of its command in the batch."""
    command: StoreTold
    frame: Event
    at: UtcMs
    payload: Payload | Quarantined
    outcome: str = "stored"
    why: str | None = None
    message_id: str | None = None


@dataclass(slots=True)
class _Phone:
    """One phone of the batch."""

    progress: Progress
    stream: Stream | None
    gaps: list[Gap] = field(default_factory=list)
    numbered: Numbered | None = None
    last_place: int = 0
    """The last of its commands: the one whose effects carry the acknowledgement."""


def store_told(tx: Tx, commands: Sequence[StoreTold]) -> list[Done[Stored] | Refused]:
    """Store and apply events. `superseded` when a newer connection counts; the phone sends them again there."""
    return _Batch(tx, commands).run()


class _Batch:
    """One call of `store_told`."""

    def __init__(self, tx: Tx, commands: Sequence[StoreTold]) -> None:
        self._tx = tx
        self._commands = commands
        self._phones: dict[str, _Phone] = {}
        self._new: list[_New] = []
        self._new_of: list[int] = [0] * len(commands)
        self._bad_of: list[int] = [0] * len(commands)
        self._effects: list[list[Effect]] = [[] for _ in commands]

    def run(self) -> list[Done[Stored] | Refused]:
        ids = {command.device_id for command in self._commands}
        locked = stored.lock_progress(self._tx.conn, ids)
        taken = [self._is_current(locked.get(command.device_id), command) for command in self._commands]
        known = self._known(taken)
        for place, command in enumerate(self._commands):
            if taken[place]:
                self._take(place, command, locked[command.device_id], known)
        self._apply()
        self._write()
        return [
            Done(Stored(self._new_of[place], self._bad_of[place]), tuple(self._effects[place]))
            if is_taken
            else Refused(HubError(Code.SUPERSEDED))
            for place, is_taken in enumerate(taken)
        ]

    def _is_current(self, progress: Progress | None, command: StoreTold) -> bool:
        """The fence: what a connection says that is not the newest one changes nothing."""
        return (
            progress is not None
            and progress.account_id == command.account_id
            and progress.session_no == command.session_no
        )

    def _known(self, taken: Sequence[bool]) -> set[tuple[str, str]]:
        told = [command for command, is_taken in zip(self._commands, taken, strict=True) if is_taken]
        pairs = {
            (command.device_id, frame.uuid) for command in told for frame in command.frames if isinstance(frame, Event)
        }
        return stored.known_events(self._tx, pairs)

    # --- numbering

    def _take(self, place: int, command: StoreTold, progress: Progress, known: set[tuple[str, str]]) -> None:
        phone = self._phones.get(command.device_id)
        if phone is None:
            stream = None if progress.stream is None else Stream(progress.stream)
            phone = self._phones[command.device_id] = _Phone(progress, stream)
        phone.last_place = place
        for frame in command.frames:
            if isinstance(frame, Gone):
                self._number_gone(phone, frame)
                continue
            at = event_time(frame.at) if frame.at else None
            at = self._tx.now if at is None else at
            if (command.device_id, frame.uuid) not in known:
                known.add((command.device_id, frame.uuid))
                self._new.append(_New(place, command, frame, at, decode_payload(frame.event_type, frame.payload)))
                self._new_of[place] += 1
            self._number(phone, frame, at)

    def _number(self, phone: _Phone, frame: Event, at: UtcMs) -> None:
        stream = phone.stream
        if stream is None or frame.stream != stream.memory.stream:
            return  # stored by its uuid; a stream that was left is not acknowledged
        stream.heard(frame.n, at, self._tx.now)
        self._advance(phone, stream, RULES.take_event(stream.memory, frame.n, frame.uuid))

    def _number_gone(self, phone: _Phone, frame: Gone) -> None:
        stream = phone.stream
        if stream is not None and frame.stream == stream.memory.stream:
            self._advance(phone, stream, RULES.take_gone(stream.memory, frame.first, frame.last, frame.reason))

    def _advance(self, phone: _Phone, stream: Stream, numbered: Numbered) -> None:
        stream.advance(numbered.memory)
        phone.gaps += numbered.gaps
        resend = numbered.resend or (phone.numbered.resend if phone.numbered is not None else None)
        phone.numbered = Numbered(numbered.memory, resend=resend)

    # --- applying

    def _apply(self) -> None:
        reports: list[tuple[_New, PhoneReport]] = []
        inbound: list[tuple[_New, Incoming]] = []
        for new in self._new:
            payload = new.payload
            if isinstance(payload, Quarantined):
                new.why = payload.detail
                new.outcome = "stored" if payload.reason == "unknown_type" else "quarantined"
                self._bad_of[new.place] += new.outcome == "quarantined"
            elif isinstance(payload, JobReport):
                reports.append((new, _report(new, payload)))
            elif isinstance(payload, IncomingPayload):
                inbound.append((new, _incoming(new, payload)))
        self._apply_reports(reports)
        self._take_in(inbound)
        self._apply_sims()

    def _apply_reports(self, reports: Sequence[tuple[_New, PhoneReport]]) -> None:
        if not reports:
            return
        for (new, _), applied in zip(reports, apply_reports(self._tx, [report for _, report in reports]), strict=True):
            new.outcome = _outcome_of(applied)
            new.why, new.message_id = applied.why, applied.message_id
            self._effects[new.place] += applied.effects

    def _take_in(self, inbound: Sequence[tuple[_New, Incoming]]) -> None:
        if not inbound:
            return
        for (new, _), received in zip(inbound, receive(self._tx, [one for _, one in inbound]), strict=True):
            new.outcome, new.message_id = "applied", received.message_id
            self._effects[new.place] += received.effects

    def _apply_sims(self) -> None:
        """Of several lists of one phone only the last one says how it is now."""
        last = {new.command.device_id: new for new in self._new if isinstance(new.payload, SimChanged)}
        if not last:
            return
        devices = lock_devices(self._tx.conn, last)
        for device_id, new in last.items():
            if isinstance(new.payload, SimChanged):
                report = SimReport(devices[device_id], new.payload.sims, {"read_phone_state": True})
                self._effects[new.place] += apply_sims(self._tx, [report])
        for new in self._new:
            if isinstance(new.payload, SimChanged):
                new.outcome = "applied" if last[new.command.device_id] is new else "not_applied"

    # --- writing

    def _write(self) -> None:
        tx = self._tx
        stored.insert_events(tx.conn, [_event_row(new, tx.now) for new in self._new])
        moved = [phone for phone in self._phones.values() if phone.numbered is not None and phone.stream is not None]
        stored.write_streams(tx.conn, [phone.stream.row() for phone in moved if phone.stream is not None])
        devices_stored.insert_gaps(tx.conn, [row for phone in moved for row in _gap_rows(tx, phone)])
        for phone in moved:
            self._answer(phone)
        if any(new.outcome == "quarantined" for new in self._new):
            self._hint_quarantined()

    def _answer(self, phone: _Phone) -> None:
        """One acknowledgement for all events of the batch, and what is missing below them."""
        if phone.numbered is None:
            return
        effects = self._effects[phone.last_place]
        device_id, session_no = phone.progress.device_id, phone.progress.session_no
        effects.append(ToPhone(device_id, session_no, phone.numbered.ack))
        if phone.numbered.resend is not None:
            effects.append(ToPhone(device_id, session_no, phone.numbered.resend))
        if phone.gaps:
            effects.append(LiveHint(phone.progress.account_id, "device", device_id))

    def _hint_quarantined(self) -> None:
        for device_id in {new.command.device_id for new in self._new if new.outcome == "quarantined"}:
            phone = self._phones[device_id]
            self._effects[phone.last_place].append(LiveHint(phone.progress.account_id, "device", device_id))


def _gap_rows(tx: Tx, phone: _Phone) -> list[GapRow]:
    return gap_rows(tx, phone.progress.account_id, phone.progress.device_id, phone.gaps)


def _payload_text(new: _New) -> str:
    return sanitise(bytes(new.frame.payload).decode(errors="replace")) if new.frame.payload else "null"


def _outcome_of(applied: Applied) -> str:
    if applied.is_applied:
        return "applied"
    return "deferred" if applied.why == HELD else "not_applied"


def _report(new: _New, payload: JobReport) -> PhoneReport:
    return PhoneReport(
        account_id=new.command.account_id,
        device_id=new.command.device_id,
        event_uuid=new.frame.uuid,
        at=new.at,
        payload=payload,
        raw=_payload_text(new),
    )


def _incoming(new: _New, payload: IncomingPayload) -> Incoming:
    return Incoming(
        account_id=new.command.account_id,
        device_id=new.command.device_id,
        event_uuid=new.frame.uuid,
        at=new.at,
        payload=payload,
        raw=_payload_text(new),
    )


def _event_row(new: _New, now: UtcMs) -> EventRow:
    frame = new.frame
    raw = new.command.raw
    return EventRow(
        device_id=new.command.device_id,
        uuid=frame.uuid,
        account_id=new.command.account_id,
        stream=frame.stream,
        n=frame.n,
        type=frame.event_type,
        at=new.at,
        received_at=now,
        outcome=new.outcome,
        why=None if new.why is None else sanitise(new.why),
        message_id=new.message_id,
        payload=_payload_text(new),
        raw=None if raw is None else raw.replace("\x00", "\\u0000"),
    )


# --- the end of a hold -------------------------------------------------------------------------------------------------------


def judge_deferred(tx: Tx, *, most: int = 10_000) -> tuple[Effect, ...]:
    """Apply the reports that waited for the end of the hold, in the transaction that ends it."""
    effects: tuple[Effect, ...] = ()
    while rows := stored.deferred_events(tx.conn, most):
        waiting = [
            (row, payload) for row in rows if isinstance(payload := decode_payload(row.type, row.payload), JobReport)
        ]
        applied = apply_reports(tx, [_again(row, payload) for row, payload in waiting])
        judged = {(row.device_id, row.uuid): one for (row, _), one in zip(waiting, applied, strict=True)}
        stored.judge_events(tx.conn, [_judgement(row, judged.get((row.device_id, row.uuid))) for row in rows])
        effects += tuple(effect for one in applied for effect in one.effects)
    return effects


def _judgement(row: EventRow, applied: Applied | None) -> tuple[str, str, str, str | None, str | None]:
    if applied is None:
        return (row.device_id, row.uuid, "not_applied", "unreadable", None)
    outcome = "applied" if applied.is_applied else "not_applied"
    return (row.device_id, row.uuid, outcome, applied.why, applied.message_id)


def _again(row: EventRow, payload: JobReport) -> PhoneReport:
    return PhoneReport(
        account_id=row.account_id,
        device_id=row.device_id,
        event_uuid=row.uuid,
        at=row.at,
        payload=payload,
        raw=row.payload,
    )
