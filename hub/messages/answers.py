"""What phones answer to jobs: `accepted`, `refused` and `too_late`, decided by the device protocol's rules.

`accepted` is the moment a message becomes a phone's: the commit of this batch binds it, and only after that commit `go`
leaves, on the connection the answer came on. An answer of an older connection changes nothing.
"""

from collections.abc import Sequence

import msgspec

from device_protocol.frames import Accepted, Drop, JobRef, Refused, TooLate
from device_protocol.handover import Decision, HandoverRules, HubJob, Phone
from hub.core import reports
from hub.core.effects import Effect, WakeDispatch
from hub.core.status import Status
from hub.messages.consequences import Consequences
from hub.messages.handover import answer, carry_out, permitted
from hub.messages.ledger import PHONE, Entry, Ledger
from hub.messages.outcomes import with_effects
from hub.messages.words import hub_job
from hub.storage.messages_phones import PhoneRow, fence_phones
from hub.storage.transaction import Done, Tx
from hub.storage.transaction import Refused as RefusedCommand

RULES = HandoverRules()


class PhoneAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One frame about a job, and the connection it came on."""

    account_id: str
    device_id: str
    session_no: int
    frame: Accepted | Refused | TooLate

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"device:{self.device_id}", f"message:{self.frame.id}")


def take_answers(tx: Tx, commands: Sequence[PhoneAnswer]) -> list[Done[bool] | RefusedCommand]:
    """Bind, release or note; the value says whether the answer came on the phone's present connection.

    Effects: `go`, `drop` or `cancel` for the phone that answered.
    """
    phones = fence_phones(tx.conn, {command.device_id for command in commands})
    current = [command for command in commands if _is_current(command, phones)]
    ledger = Ledger(tx, [(command.account_id, command.frame.id) for command in current])
    consequences = Consequences(ledger)
    outcomes = [
        Done(True, _take(ledger, consequences, command)) if _is_current(command, phones) else Done(False)
        for command in commands
    ]
    return with_effects(outcomes, (*ledger.close(), *consequences.effects))


def _is_current(command: PhoneAnswer, phones: dict[str, PhoneRow]) -> bool:
    phone = phones.get(command.device_id)
    return phone is not None and phone.account_id == command.account_id and phone.session_no == command.session_no


def _take(ledger: Ledger, consequences: Consequences, command: PhoneAnswer) -> tuple[Effect, ...]:
    entry = ledger.find(command.account_id, command.frame.id)
    decision = _decide(ledger, command, None if entry is None else hub_job(entry.row))
    if entry is not None:
        for verdict in decision.verdicts:
            carry_out(ledger, consequences, entry, verdict, command.device_id)
        _tell(ledger, entry, command, decision)
    frames = permitted(decision.frames, entry, command.device_id)
    effects: tuple[Effect, ...] = answer(command.device_id, command.session_no, frames)
    # An answer frees one of the phone's few offers, so the next one can go out at once.
    is_bound = entry is not None and _is_bound(entry, command)
    return (*effects, WakeDispatch(command.account_id, _line_of(entry), is_room=is_bound))


def _is_bound(entry: Entry, command: PhoneAnswer) -> bool:
    return isinstance(command.frame, Accepted) and entry.status is Status.DISPATCHED


def _line_of(entry: Entry | None) -> tuple[str, ...]:
    return (entry.row.line_id,) if entry is not None and entry.row.line_id is not None else ()


def _decide(ledger: Ledger, command: PhoneAnswer, job: HubJob | None) -> Decision:
    phone = Phone(command.device_id, is_held=ledger.is_held)
    frame = command.frame
    if isinstance(frame, Accepted):
        return RULES.accepted(phone, JobRef(frame.id, frame.submission), job)
    if isinstance(frame, Refused):
        return RULES.refused(phone, frame, job)
    return RULES.too_late(phone, frame, job)


def _tell(ledger: Ledger, entry: Entry, command: PhoneAnswer, decision: Decision) -> None:
    """An `accepted` that came too late is told on the timeline; it wrote nothing else."""
    frame = command.frame
    if not any(isinstance(sent, Drop) for sent in decision.frames):
        return
    word = reports.JobAccepted(
        message_id=frame.id, device_id=command.device_id, submission=frame.submission, at=ledger.tx.now
    )
    ledger.refuse(entry, word, PHONE, "moved")
