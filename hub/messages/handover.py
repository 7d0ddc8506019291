"""What a phone's hello and recall settle about messages, inside the transaction that takes the hello.

The decisions are the device protocol's (`device_protocol.handover`); here they become rows, timeline and events. The caller
has locked the phone's row, so nothing else writes for this phone meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from device_protocol import handover as rules
from device_protocol.frames import Cancel, Drop, Go, HubFrame, JobRef, JobState
from hub.core import reports
from hub.core.commands import CancelRequest
from hub.core.effects import Effect, ToPhone, WakeDispatch
from hub.core.folding import Decision, Word
from hub.core.status import Status
from hub.core.timeline import Kind
from hub.messages.consequences import Consequences
from hub.messages.jobs import job_frame
from hub.messages.ledger import PHONE, Entry, Ledger
from hub.messages.sent_media import media_for_phones
from hub.messages.words import hub_job, reason_of, word_of_listed
from hub.storage.messages import lock_messages
from hub.storage.messages_lines import lines_by_id
from hub.storage.messages_phones import lock_messages_on
from hub.storage.transaction import Tx


class Wanted(NamedTuple):
    """Whose jobs: a phone's own, and the ids it lists."""

    account_id: str
    device_id: str
    listed: frozenset[str] = frozenset()


class Settlement(NamedTuple):
    """What the rules decided for one phone's hello or recall page."""

    account_id: str
    device_id: str
    session_no: int
    """The connection that frames go to: the one this hello opened."""
    verdicts: tuple[rules.Verdict, ...] = ()
    offer_again: tuple[JobRef, ...] = ()


def jobs_of(tx: Tx, wanted: Sequence[Wanted]) -> Mapping[str, dict[str, rules.HubJob]]:
    """By phone: every message offered or bound to it and every one it lists, locked. Foreign and unknown ids are not in it."""
    listed = {id_ for one in wanted for id_ in one.listed}
    rows = {row.id: row for row in lock_messages_on(tx.conn, {one.device_id for one in wanted})}
    missing = listed - set(rows)
    if missing:
        rows |= {row.id: row for row in lock_messages(tx.conn, {one.account_id for one in wanted}, missing)}
    return {
        one.device_id: {
            row.id: hub_job(row)
            for row in rows.values()
            if row.account_id == one.account_id
            and row.direction == "mt"
            and (row.device_id == one.device_id or row.id in one.listed)
        }
        for one in wanted
    }


def settle(tx: Tx, settlement: Settlement) -> tuple[Effect, ...]:
    """Write what was decided. Returns events and hints, then the jobs that are offered again on this connection."""
    refs = [verdict.ref for verdict in settlement.verdicts] + list(settlement.offer_again)
    ledger = Ledger(tx, [(settlement.account_id, ref.id) for ref in refs])
    consequences = Consequences(ledger)
    for verdict in settlement.verdicts:
        entry = ledger.find(settlement.account_id, verdict.ref.id)
        if entry is not None:
            carry_out(ledger, consequences, entry, verdict, settlement.device_id)
    again = _offer_again(ledger, settlement)
    return (*ledger.close(), *consequences.effects, WakeDispatch(settlement.account_id), *again)


def carry_out(
    ledger: Ledger, consequences: Consequences, entry: Entry, verdict: rules.Verdict, device_id: str
) -> Decision | None:
    """Fold one verdict about a message; None when it only was noted."""
    if isinstance(verdict, rules.Note):
        _note(ledger, entry, verdict, device_id)
        return None
    decision = ledger.apply(entry, _word_of(verdict, entry, device_id, ledger.tx.now), PHONE)
    consequences.follow(entry, device_id, decision)
    return decision


def _note(ledger: Ledger, entry: Entry, note: rules.Note, device_id: str) -> None:
    """A phone's word that changes nothing: `too_late`, `refused <reason>` or `told <state>`."""
    word, _, detail = note.word.partition(" ")
    ref, now = note.ref, ledger.tx.now
    if word == "refused":
        refusal = reports.JobRefused(
            message_id=ref.id, device_id=device_id, submission=ref.submission, at=now, reason=reason_of(detail)
        )
        ledger.refuse(entry, refusal, PHONE, "moved")
    elif word == "told":
        ledger.refuse(entry, word_of_listed(ref, JobState(detail), device_id, now), PHONE, "moved")
    else:
        ledger.tell(entry, Kind.CANCEL_TOO_LATE, PHONE, {"device_id": device_id, "submission": ref.submission})


def permitted(frames: Sequence[HubFrame], entry: Entry | None, device_id: str) -> list[HubFrame]:
    """The frames that still hold after the state table has had its say: nobody is told to send what is not his."""
    return [frame for frame in frames if not isinstance(frame, Go) or _is_bound(entry, frame, device_id)]


def answer(device_id: str, session_no: int, frames: Sequence[HubFrame]) -> tuple[ToPhone, ...]:
    """Frames for the connection they answer."""
    return tuple(ToPhone(device_id, session_no, frame) for frame in frames)


def _is_bound(entry: Entry | None, frame: Go | Drop | Cancel, device_id: str) -> bool:
    if entry is None or entry.status is not Status.DISPATCHED:
        return False
    return (entry.row.device_id, entry.row.submission) == (device_id, frame.submission)


def _word_of(verdict: rules.Verdict, entry: Entry, device_id: str, now: int) -> Word:
    ref = verdict.ref
    match verdict:
        case rules.Bind():
            return reports.JobAccepted(message_id=ref.id, device_id=device_id, submission=ref.submission, at=now)
        case rules.Release(_, reason):
            return reports.JobRefused(
                message_id=ref.id, device_id=device_id, submission=ref.submission, at=now, reason=reason_of(reason)
            )
        case rules.Doubt():
            return reports.JobMissing(message_id=ref.id, device_id=device_id, submission=ref.submission, at=now)
        case rules.AskCancel():
            return CancelRequest(account_id=entry.row.account_id, message_id=ref.id)
        case rules.Adopt(_, state) | rules.Conclude(_, state):
            return word_of_listed(ref, state, device_id, now)
        case rules.Note():
            raise TypeError("a note is told, not folded")


def _offer_again(ledger: Ledger, settlement: Settlement) -> tuple[ToPhone, ...]:
    """The same submissions once more: they were lost with the old connection, and their time to answer starts anew."""
    entries = [ledger.find(settlement.account_id, ref.id) for ref in settlement.offer_again]
    offered = [entry for entry in entries if entry is not None and entry.row.offered_at is not None]
    line_ids = {entry.row.line_id for entry in offered if entry.row.line_id is not None}
    lines = lines_by_id(ledger.tx.conn, {settlement.account_id}, line_ids)
    media = media_for_phones(ledger.tx.conn, [entry.row for entry in offered])
    frames = []
    for entry in offered:
        line = lines.get(entry.row.line_id or "")
        if line is not None and line.device_id == settlement.device_id and line.subscription_id is not None:
            ledger.renew_offer(entry)
            frames.append(job_frame(entry.row, line, ledger.tx.now, media.get(entry.row.id, ())))
    return answer(settlement.device_id, settlement.session_no, frames)
