"""Sending again: a text that has ended, as a new text that names the old one; or a dead letter, out of its drawer.

Nothing is ever sent again by itself once it may have been on the air. A person (or a program that takes the risk) asks for
it, and the old text keeps its end and its timeline.
"""

from collections.abc import Sequence

import msgspec

from hub.accounts.credits import CreditBook
from hub.core.address import Address, AddressKind
from hub.core.commands import ByLine, Recipient, ReplayDeadLetter, SendRequest, SentMedium
from hub.core.effects import WakeDispatch
from hub.core.errors import Code, HubError
from hub.core.status import FINAL, Status
from hub.core.timeline import Kind
from hub.messages.accept import accept
from hub.messages.announce import read_callback, read_metadata
from hub.messages.idempotency import Accepted
from hub.messages.ledger import Actor, Ledger
from hub.messages.outcomes import with_effects
from hub.messages.prepare import Given, PreparedSend
from hub.messages.routes import sender_of
from hub.messages.search import find_message
from hub.messages.sent_media import media_to_repeat
from hub.messages.views import MessageView, encoding_of
from hub.storage.messages import MessageRow
from hub.storage.transaction import Done, Refused, Tx

RESENDABLE = FINAL | {Status.UNCERTAIN, Status.SENT, Status.DEAD_LETTER}
"""States in which nothing more happens by itself that a second text could meet, or in which the person takes that risk."""


_MEDIA_GONE = "What was attached to it was deleted: send it anew."


class Resend(msgspec.Struct, frozen=True, kw_only=True):
    """Send a text again, as a new one with the id `new_id`."""

    account_id: str
    message_id: str
    new_id: str
    by: str = "api"
    door: str = "v1"
    line_id: str | None = None
    """Send it from this line; None = as the first time."""
    trace_id: str | None = None
    idempotency_key: str | None = None
    request_sha256: str | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        key = self.idempotency_key
        return (f"message:{self.message_id}", *([f"idem:{self.account_id}:{self.door}:{key}"] if key else []))


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Put a dead letter back into the queue, with its tries and its time to live counted anew."""

    account_id: str
    message_id: str
    by: str = "operator"

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


def resend(tx: Tx, commands: Sequence[Resend]) -> list[Done[Accepted] | Refused]:
    """Make new texts from old ones; each old timeline names its new text.

    Refused: `not_found`, `not_retryable` (it is still on its way: cancel it first), and what `accept` refuses.
    """
    ledger = Ledger(tx, [(command.account_id, command.message_id) for command in commands])
    outcomes: dict[int, Done[Accepted] | Refused] = {}
    sends: dict[int, PreparedSend] = {}
    for place, command in enumerate(commands):
        entry = ledger.find(command.account_id, command.message_id)
        if entry is None or entry.row.direction != "mt":
            outcomes[place] = Refused(HubError(Code.NOT_FOUND))
        elif entry.status not in RESENDABLE:
            outcomes[place] = Refused(HubError(Code.NOT_RETRYABLE))
        elif (media := media_to_repeat(tx.conn, entry.row)) is None:
            outcomes[place] = Refused(HubError(Code.NOT_RETRYABLE, _MEDIA_GONE))
        else:
            sends[place] = _again(entry.row, command, media)
    for (place, _), outcome in zip(sends.items(), accept(tx, list(sends.values())), strict=True):
        outcomes[place] = outcome
        if isinstance(outcome, Done) and not outcome.value.is_replay:
            _tell(ledger, commands[place])
    return with_effects([outcomes[place] for place in range(len(commands))], ledger.close())


def _tell(ledger: Ledger, command: Resend) -> None:
    entry = ledger.find(command.account_id, command.message_id)
    if entry is not None:
        ledger.tell(entry, Kind.RESENT, Actor(command.by), {"by": command.by, "message_id": command.new_id})


def _again(row: MessageRow, command: Resend, media: tuple[SentMedium, ...]) -> PreparedSend:
    """The request that makes the same text once more: same sender, target and priority, a whole time to live."""
    address = Address(AddressKind.OPAQUE, row.peer)
    request = SendRequest(
        account_id=row.account_id,
        door=command.door,
        recipients=(Recipient(command.new_id, address),),
        text=row.text,
        data_port=row.data_port,
        media=media,
        sender=sender_of(row) if command.line_id is None else ByLine(command.line_id),
        priority=row.priority,
        metadata=read_metadata(row),
        callback=read_callback(row),
        retry_of=row.id,
        want_dlr=row.want_dlr,
        trace_id=command.trace_id,
        idempotency_key=command.idempotency_key,
        request_sha256=command.request_sha256,
    )
    return PreparedSend(
        request=request,
        given=(Given(row.peer, address, command.new_id),),
        encoding=encoding_of(row.encoding),
        segments=row.segments,
        ttl_seconds=row.ttl_seconds or 3600,
        max_tries=row.max_tries,
    )


def replay(tx: Tx, commands: Sequence[Replay]) -> list[Done[MessageView] | Refused]:
    """Put dead letters back. Refused: `not_found`, `conflict` when it is no dead letter, `no_credit`."""
    ledger = Ledger(tx, [(command.account_id, command.message_id) for command in commands])
    credits_ = CreditBook(tx, {command.account_id for command in commands})
    refusals = [_replay_one(ledger, credits_, command) for command in commands]
    effects = ledger.close()
    outcomes = [refusal or _replayed(tx, command) for command, refusal in zip(commands, refusals, strict=True)]
    return with_effects(outcomes, effects)


def _replay_one(ledger: Ledger, credits_: CreditBook, command: Replay) -> Refused | None:
    entry = ledger.find(command.account_id, command.message_id)
    if entry is None:
        return Refused(HubError(Code.NOT_FOUND))
    if entry.status is not Status.DEAD_LETTER:
        return Refused(HubError(Code.CONFLICT))
    if media_to_repeat(ledger.tx.conn, entry.row) is None:
        return Refused(HubError(Code.CONFLICT, _MEDIA_GONE))
    refusal = credits_.refusal(command.account_id, 1)
    if refusal is not None:
        return Refused(refusal)
    word = ReplayDeadLetter(account_id=command.account_id, message_id=command.message_id)
    ledger.apply(entry, word, Actor(command.by), by=command.by)
    return None


def _replayed(tx: Tx, command: Replay) -> Done[MessageView] | Refused:
    view = find_message(tx.conn, command.account_id, command.message_id)
    return Refused(HubError(Code.NOT_FOUND)) if view is None else Done(view, (WakeDispatch(command.account_id),))
