"""Time: scheduled texts whose moment has come, and texts whose time is over.

Unbound, a text whose time to live is over has `expired`. Once a phone holds it only the phone expires it; when the phone has
said nothing a minute after the end, the hub no longer knows and says so: `uncertain`. After seven days of that even the
phone has forgotten the id, and the text ends as failed with `outcome_unknown`, "may have been sent".
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from hub.core import moves
from hub.core.clock import UtcMs
from hub.core.commands import CancelRequest
from hub.core.effects import Effect, WakeDispatch
from hub.core.folding import Word
from hub.core.status import UNBOUND, Status
from hub.messages.batches import PAUSED_UNTIL
from hub.messages.ledger import HUB, Entry, Ledger
from hub.messages.outcomes import with_effects
from hub.storage.messages_queue import paused_batches
from hub.storage.transaction import Done, Refused, Tx

OVERDUE_SECONDS = 60.0
"""How long after the time to live a phone may still report that it was in time."""

Timer = Literal["release", "time_over", "overdue", "outcome_unknown", "cancel_after_hold"]


class TimeUp(msgspec.Struct, frozen=True, kw_only=True):
    """A timer found this text. What it finds is checked again in the transaction: the text may have moved on meanwhile."""

    account_id: str
    message_id: str
    timer: Timer
    uncertain_seconds: float = 7 * 86_400.0

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


def time_up(tx: Tx, commands: Sequence[TimeUp]) -> list[Done[bool] | Refused]:
    """Let timers act; the value says whether the text changed."""
    ledger = Ledger(tx, [(command.account_id, command.message_id) for command in commands])
    found = [ledger.find(command.account_id, command.message_id) for command in commands]
    outcomes: list[Done[bool] | Refused] = []
    released: list[Entry] = []
    for command, entry in zip(commands, found, strict=True):
        is_changed = entry is not None and _act(ledger, entry, command)
        if is_changed and entry is not None and command.timer == "release":
            released.append(entry)
        outcomes.append(Done(is_changed))
    woken = _after_release(ledger, released)
    return with_effects(outcomes, (*ledger.close(), *woken))


def _act(ledger: Ledger, entry: Entry, command: TimeUp) -> bool:
    word = _word(entry, command, ledger.tx.now)
    if word is None or (ledger.is_held and command.timer != "overdue" and command.timer != "outcome_unknown"):
        return False
    facts = {"device_id": entry.row.device_id} if entry.row.device_id is not None else {}
    return ledger.apply(entry, word, HUB, **facts).is_applied


def _word(entry: Entry, command: TimeUp, now: UtcMs) -> Word | None:
    """What the timer says, None when it has nothing to say (any more)."""
    row = entry.row
    match command.timer:
        case "release" if entry.status is Status.SCHEDULED and (row.scheduled_at or 0) <= now:
            return moves.Release(message_id=row.id, at=now)
        case "time_over" if entry.status in UNBOUND and _is_past(row.expires_at, now):
            return moves.TimeOver(message_id=row.id, at=now)
        case "overdue" if entry.status is Status.DISPATCHED and _is_past(row.expires_at, now, OVERDUE_SECONDS):
            return moves.Overdue(message_id=row.id, at=now)
        case "outcome_unknown" if entry.status is Status.UNCERTAIN:
            if _is_past(row.uncertain_at, now, command.uncertain_seconds):
                return moves.OutcomeUnknown(message_id=row.id, at=now)
            return None
        case "cancel_after_hold" if entry.status in UNBOUND and row.cancel_requested_at is not None:
            return CancelRequest(account_id=row.account_id, message_id=row.id, by="api")
        case _:
            return None


def _is_past(at: UtcMs | None, now: UtcMs, seconds: float = 0.0) -> bool:
    return at is not None and at + round(seconds * 1000) <= now


def _after_release(ledger: Ledger, released: Sequence[Entry]) -> tuple[Effect, ...]:
    """Released texts of a paused batch go on waiting; the others are dispatch's now."""
    paused = paused_batches(
        ledger.tx.conn, {entry.row.batch_id for entry in released if entry.row.batch_id is not None}
    )
    for entry in released:
        if entry.row.batch_id in paused:
            ledger.change_place(entry, due_at=PAUSED_UNTIL)
    accounts = {entry.row.account_id for entry in released}
    return tuple(WakeDispatch(account_id) for account_id in sorted(accounts))
