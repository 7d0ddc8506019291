"""Cancelling texts: at once while the hub alone has them, by asking once a phone does.

Before a phone is bound nothing can be on the air, so the hub decides. After that only the phone knows: the request is noted
(`cancel_requested_at`), the phone is told, and the state moves when the phone says so. In a restored hub's hold "nobody is
bound" may be old news, so there a cancel is only noted, and carried out when the hold ends.
"""

from collections.abc import Sequence

import msgspec

from device_protocol.frames import Cancel as CancelFrame
from hub.core.commands import CancelRequest
from hub.core.effects import Effect, ToPhone
from hub.core.errors import Code, HubError
from hub.core.status import BOUND, Status
from hub.messages.ledger import Actor, Entry, Ledger
from hub.messages.outcomes import with_effects
from hub.storage.messages_phones import read_phones
from hub.storage.transaction import Done, Refused, Tx


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Stop one text. `by` is `api` or `operator`, for the timeline."""

    account_id: str
    message_id: str
    by: str = "api"

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


class CancelResult(msgspec.Struct, frozen=True):
    """How a cancel went."""

    message_id: str
    state: str
    is_final: bool
    """The text is cancelled; otherwise the phone was asked, or will be."""


def cancel(tx: Tx, commands: Sequence[Cancel]) -> list[Done[CancelResult] | Refused]:
    """Cancel texts. Cancelling a cancelled one again is no error.

    Refused: `not_found`, and `cancel_too_late` when it was sent or has ended.
    """
    ledger = Ledger(tx, [(command.account_id, command.message_id) for command in commands])
    asked: list[Entry] = []
    outcomes = [_cancel_one(ledger, command, asked) for command in commands]
    shared = (*ledger.close(), *ask_phones(tx, asked))
    return with_effects(outcomes, shared)


def _cancel_one(ledger: Ledger, command: Cancel, asked: list[Entry]) -> Done[CancelResult] | Refused:
    entry = ledger.find(command.account_id, command.message_id)
    if entry is None or entry.row.direction != "mt":
        return Refused(HubError(Code.NOT_FOUND))
    return cancel_entry(ledger, entry, command.by, asked)


def cancel_entry(ledger: Ledger, entry: Entry, by: str, asked: list[Entry]) -> Done[CancelResult] | Refused:
    """Cancel a loaded text; those whose phone must be asked are added to `asked`."""
    word = CancelRequest(account_id=entry.row.account_id, message_id=entry.row.id, by=by)
    decision = ledger.apply(entry, word, Actor(by))
    if entry.status in BOUND and decision.why_not in (None, "already_asked"):
        asked.append(entry)
    if decision.is_applied or decision.why_not in ("already_asked", "already_cancelled"):
        is_final = entry.status is Status.CANCELLED
        return Done(CancelResult(entry.row.id, entry.row.state, is_final))
    return Refused(HubError(Code.CANCEL_TOO_LATE))


def ask_phones(tx: Tx, entries: Sequence[Entry]) -> tuple[Effect, ...]:
    """Tell the phones that hold these texts, if they are connected; a phone that is not hears it after its next hello."""
    holders = {entry.row.device_id for entry in entries if entry.row.device_id is not None}
    phones = read_phones(tx.conn, holders) if holders else {}
    return tuple(
        ToPhone(phone.id, phone.session_no, CancelFrame(entry.row.id, entry.row.submission))
        for entry in entries
        if (phone := phones.get(entry.row.device_id or "")) is not None
    )
