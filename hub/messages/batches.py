"""What is done to a whole batch: cancel it, pause it, let it go on.

A paused batch keeps its place: nothing of it is offered until it goes on, while its time to live runs. What a phone already
holds is not called back by a pause.
"""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.effects import LiveHint, WakeDispatch
from hub.core.errors import Code, HubError
from hub.core.ids import is_id
from hub.core.status import BOUND, UNBOUND, WAITING, Status
from hub.messages.cancel import CancelResult, ask_phones, cancel_entry
from hub.messages.ledger import Entry, Ledger
from hub.messages.outcomes import with_effects
from hub.messages.views import LAST_SECOND, BatchPage, BatchView
from hub.storage import messages_search as stored
from hub.storage.messages_batches import BatchState, lock_batches, lock_open_messages, write_batches
from hub.storage.transaction import Done, Refused, Tx

PAUSED_UNTIL: UtcMs = LAST_SECOND
"""The due time of a waiting message of a paused batch: behind everything that may go."""


class ChangeBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Cancel, pause or resume a batch."""

    account_id: str
    batch_id: str
    action: Literal["cancel", "pause", "resume"]
    by: str = "api"

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"batch:{self.batch_id}",)


class BatchChange(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: messages that are cancelled now, whose phones were asked, and that had gone already."""

    batch_id: str
    cancelled: int = 0
    asked: int = 0
    too_late: int = 0
    waiting: int = 0
    """Messages that a pause holds, or that a resume let go on."""


def change_batch(tx: Tx, commands: Sequence[ChangeBatch]) -> list[Done[BatchChange] | Refused]:
    """Change whole batches. Refused: `not_found`."""
    states = lock_batches(
        tx.conn, {command.account_id for command in commands}, {command.batch_id for command in commands}
    )
    ledger = Ledger(tx, ())
    entries: dict[str, list[Entry]] = {}
    for row in lock_open_messages(tx.conn, set(states)) if states else ():
        entries.setdefault(row.batch_id or "", []).append(ledger.add(row))
    asked: list[Entry] = []
    outcomes: list[Done[BatchChange] | Refused] = []
    for command in commands:
        state = states.get(command.batch_id)
        if state is None or state.account_id != command.account_id:
            outcomes.append(Refused(HubError(Code.NOT_FOUND)))
        else:
            still_open = [entry for entry in entries.get(state.id, ()) if entry.status in UNBOUND | BOUND]
            done, states[state.id] = _change(ledger, command, state, still_open, asked)
            outcomes.append(done)
    write_batches(tx.conn, states.values())
    effects = (*ledger.close(), *ask_phones(tx, asked))
    accounts = {state.account_id for state in states.values()}
    hints = [LiveHint(state.account_id, "batch", state.id) for state in states.values()]
    return with_effects(outcomes, (*effects, *hints, *(WakeDispatch(account_id) for account_id in sorted(accounts))))


def _change(
    ledger: Ledger, command: ChangeBatch, state: BatchState, entries: Sequence[Entry], asked: list[Entry]
) -> tuple[Done[BatchChange], BatchState]:
    now = ledger.tx.now
    match command.action:
        case "cancel":
            change = _cancel(ledger, command, entries, asked)
            return Done(change), state._replace(cancelled_at=state.cancelled_at or now)
        case "pause":
            waiting = _hold(ledger, entries)
            return Done(BatchChange(batch_id=state.id, waiting=waiting)), state._replace(
                paused_at=state.paused_at or now
            )
        case "resume":
            waiting = _let_go(ledger, entries)
            return Done(BatchChange(batch_id=state.id, waiting=waiting)), state._replace(paused_at=None)


def _cancel(ledger: Ledger, command: ChangeBatch, entries: Sequence[Entry], asked: list[Entry]) -> BatchChange:
    results: list[CancelResult] = []
    too_late = 0
    for entry in entries:
        outcome = cancel_entry(ledger, entry, command.by, asked)
        if isinstance(outcome, Done):
            results.append(outcome.value)
        else:
            too_late += 1
    final = sum(result.is_final for result in results)
    return BatchChange(batch_id=command.batch_id, cancelled=final, asked=len(results) - final, too_late=too_late)


def _hold(ledger: Ledger, entries: Sequence[Entry]) -> int:
    """Out of the way of the claim; messages that wait for their scheduled time are held when it comes."""
    waiting = [entry for entry in entries if entry.status in WAITING | {Status.SCHEDULED}]
    for entry in waiting:
        if entry.status in WAITING:
            ledger.change_place(entry, due_at=PAUSED_UNTIL)
    return len(waiting)


def _let_go(ledger: Ledger, entries: Sequence[Entry]) -> int:
    held = [entry for entry in entries if entry.row.due_at == PAUSED_UNTIL]
    for entry in held:
        ledger.change_place(entry, due_at=ledger.tx.now)
    return len(held)


# --- reading -------------------------------------------------------------------------------------------------------------


def find_batch(
    conn: Connection, account_id: str, batch_id: str, line_ids: Collection[str] | None = None
) -> BatchView | None:
    """One batch with its counts; None for an unknown id and for another account's.

    With `line_ids` it is what these lines have of it: their texts alone are counted, and without any it is None.
    """
    found = stored.find_batch(conn, account_id, batch_id, line_ids)
    return None if found is None else _views(conn, [found], line_ids)[0]


def list_batches(
    conn: Connection, account_id: str, after: str | None, limit: int, line_ids: Collection[str] | None = None
) -> BatchPage:
    """A page of batches, newest first; `line_ids` as for one. Raises `bad_cursor`."""
    if after is not None and not is_id(after):
        raise HubError(Code.BAD_CURSOR)
    found, next_ = stored.list_batches(conn, account_id, after, limit, line_ids)
    return BatchPage(items=tuple(_views(conn, found, line_ids)), next=next_)


def _views(conn: Connection, found: Sequence[stored.FoundBatch], line_ids: Collection[str] | None) -> list[BatchView]:
    counts = stored.counts_of(conn, [one.id for one in found], line_ids)
    views = [BatchView(**one._asdict(), counts=counts.get(one.id, {})) for one in found]
    if line_ids is None:
        return views
    # How many rows were left out, and are still to come, is of the whole batch.
    return [
        msgspec.structs.replace(view, total=sum(view.counts.values()), refused=0, rows_expected=None) for view in views
    ]
