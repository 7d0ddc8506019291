"""Batches that are filled row by row: a text of its own for each recipient, uploaded in chunks, resumable at any place.

A batch is made first, with all that its texts share. Then rows come, as many at a time as the caller likes. A row is known by its
number: one that comes twice is answered what it was answered first and sends nothing, so that an upload that broke off is
simply done again. Each chunk is stored in one transaction by the same acceptance as every other text.

A row is left out when nobody can send to its recipient, when its text is empty or too long, or when an earlier row of the batch has the
same recipient. What was left out is stored with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.commands import BULK, AnyLine, Sender, SendRequest
from hub.core.effects import Effect, LiveHint
from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.messages.accept import accept
from hub.messages.batches import ChangeBatch, change_batch
from hub.messages.prepare import PreparedSend, SendLimits, prepare
from hub.storage import batch_rows as stored
from hub.storage.batch_rows import OpenBatch, StoredRow
from hub.storage.messages_batches import BatchState, lock_batches
from hub.storage.transaction import Done, Refused, Tx

DUPLICATE = "duplicate"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What all texts of a batch share."""

    sender: Sender = AnyLine()
    strict_sender: bool = False
    priority: int = BULK
    ttl_seconds: int | None = None
    scheduled_at: UtcMs | None = None
    want_dlr: bool = True
    metadata: dict[str, str] = {}


class MakeBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Make a batch that takes rows. With an upload key, the same key and request find it again."""

    id: str
    account_id: str
    name: str
    options: Options
    rows_expected: int
    upload_key: str | None = None
    upload_sha256: str | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return () if self.upload_key is None else (f"upload:{self.account_id}:{self.upload_key}",)


class Made(msgspec.Struct, frozen=True):
    """The batch, and whether it was there already."""

    batch_id: str
    is_repeat: bool


class RowError(msgspec.Struct, frozen=True):
    """Why a row was left out: a word, a sentence, and for a duplicate the row that came first."""

    code: str
    sentence: str
    same_as: int | None = None


class NewRow(msgspec.Struct, frozen=True):
    """A row that was checked as far as that needs no database."""

    number: int
    given: str
    prepared: PreparedSend | None
    error: RowError | None = None

    @property
    def peer(self) -> str | None:
        """Its recipient in E.164."""
        return None if self.prepared is None else self.prepared.request.recipients[0].address.value


class AddRows(msgspec.Struct, frozen=True, kw_only=True):
    """Put rows into a batch. No number comes twice in one command."""

    account_id: str
    batch_id: str
    rows: tuple[NewRow, ...]

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"batch:{self.batch_id}",)


class RowResult(msgspec.Struct, frozen=True):
    """What became of one row."""

    row: StoredRow
    is_repeat: bool


def prepare_row(
    number: int,
    to: str,
    text: str,
    options: Options,
    limits: SendLimits,
    *,
    account_id: str,
    batch_id: str,
    door: str,
    now: UtcMs,
    new_id: Callable[[], str],
    trace_id: str | None = None,
) -> NewRow:
    """Check one row and give its text an id. Never raises for what the row holds."""
    at = options.scheduled_at
    request = SendRequest(
        account_id=account_id,
        door=door,
        recipients=(),
        text=text,
        sender=options.sender,
        strict_sender=options.strict_sender,
        priority=options.priority,
        ttl_seconds=options.ttl_seconds,
        scheduled_at=at if at is not None and at > now else None,
        metadata=options.metadata,
        want_dlr=options.want_dlr,
        trace_id=trace_id,
    )
    try:
        prepared = prepare(request, [to], limits, now=now, new_id=new_id)
    except HubError as error:
        return NewRow(number, sanitise(to), None, row_error(error))
    joined = msgspec.structs.replace(prepared.request, batch_id=batch_id, is_batch_made=True)
    return NewRow(number, sanitise(to), msgspec.structs.replace(prepared, request=joined))


def row_error(error: HubError) -> RowError:
    """A refusal as a row is told."""
    if error.code is Code.BAD_RECIPIENT and error.fields:
        return RowError(error.fields[0].code, error.fields[0].message)
    return RowError(error.code.value, error.detail)


def same_number(number: int) -> RowError:
    """The reason of a duplicate."""
    return RowError(DUPLICATE, f"Same number as row {number}.", number)


# --- making --------------------------------------------------------------------------------------------------------------


def make_batches(tx: Tx, commands: Sequence[MakeBatch]) -> list[Done[Made] | Refused]:
    """Use case. Refused: `idempotency_conflict` when the key made another batch."""
    return [_make(tx, command) for command in commands]


def _make(tx: Tx, command: MakeBatch) -> Done[Made] | Refused:
    batch = OpenBatch(
        id=command.id,
        account_id=command.account_id,
        name=sanitise(command.name),
        created_at=tx.now,
        options=msgspec.json.encode(command.options).decode(),
        rows_expected=command.rows_expected,
        upload_key=command.upload_key,
        upload_sha256=command.upload_sha256,
    )
    stored.make_batch(tx, batch)
    if command.upload_key is not None:
        there = stored.find_uploaded(tx.conn, command.account_id, command.upload_key)
        if there is not None and there.id != command.id:
            is_same = there.upload_sha256 == command.upload_sha256
            return Done(Made(there.id, True)) if is_same else Refused(HubError(Code.IDEMPOTENCY_CONFLICT))
    return Done(Made(command.id, False), (LiveHint(command.account_id, "batch", command.id),))


# --- filling -------------------------------------------------------------------------------------------------------------


class _Filling:
    """One command on its way: what is known of each of its rows."""

    def __init__(self, tx: Tx, command: AddRows) -> None:
        self.command = command
        self.known = stored.known_rows(tx.conn, command.batch_id, [row.number for row in command.rows])
        self.fresh = [row for row in command.rows if row.number not in self.known]
        self.errors: dict[int, RowError] = {row.number: row.error for row in self.fresh if row.error is not None}
        peers = {row.peer for row in self.fresh if row.peer is not None}
        first = stored.first_rows_of(tx.conn, command.batch_id, peers)
        for row in self.fresh:
            if row.peer is not None and first.setdefault(row.peer, row.number) != row.number:
                self.errors[row.number] = same_number(first[row.peer])
        self.stored: dict[int, StoredRow] = {}

    def to_send(self) -> list[tuple[int, PreparedSend]]:
        return [
            (row.number, row.prepared)
            for row in self.fresh
            if row.prepared is not None and row.number not in self.errors
        ]

    def settle(self, message_ids: Mapping[int, str]) -> list[StoredRow]:
        """The rows to store, once it is known which became texts."""
        for row in self.fresh:
            error = self.errors.get(row.number)
            self.stored[row.number] = StoredRow(
                batch_id=self.command.batch_id,
                number=row.number,
                account_id=self.command.account_id,
                given=row.given,
                peer=row.peer,
                message_id=message_ids.get(row.number),
                code=None if error is None else error.code,
                sentence=None if error is None else error.sentence,
                same_as=None if error is None else error.same_as,
            )
        return list(self.stored.values())

    def results(self) -> tuple[RowResult, ...]:
        return tuple(
            RowResult(self.known[row.number], True)
            if row.number in self.known
            else RowResult(self.stored[row.number], False)
            for row in self.command.rows
        )


def add_rows(tx: Tx, commands: Sequence[AddRows]) -> list[Done[tuple[RowResult, ...]] | Refused]:
    """Use case: what became of each row. Refused: `not_found`, and `conflict` for a batch that was cancelled or takes no rows."""
    states = lock_batches(tx.conn, {one.account_id for one in commands}, {one.batch_id for one in commands})
    return [_add(tx, command, states.get(command.batch_id)) for command in commands]


def _add(tx: Tx, command: AddRows, state: BatchState | None) -> Done[tuple[RowResult, ...]] | Refused:
    if state is None or state.account_id != command.account_id:
        return Refused(HubError(Code.NOT_FOUND))
    if state.cancelled_at is not None:
        return Refused(HubError(Code.CONFLICT, "This batch was cancelled. Make a new one."))
    filling = _Filling(tx, command)
    accepted = _accepted(tx, filling)
    rows = filling.settle(accepted.message_ids)
    stored.insert_rows(tx.conn, rows)
    refused = sum(row.code is not None for row in rows)
    stored.count_rows(tx.conn, {command.batch_id: (len(rows) - refused, refused)})
    effects = accepted.effects
    if state.paused_at is not None:
        effects += _hold(tx, command)
    return Done(filling.results(), tuple(dict.fromkeys(effects)))


class _Accepted(NamedTuple):
    message_ids: dict[int, str]
    effects: tuple[Effect, ...]


def _accepted(tx: Tx, filling: _Filling) -> _Accepted:
    """Rows that can be sent become texts; one that is refused in the transaction is left out like any other."""
    sends = filling.to_send()
    message_ids: dict[int, str] = {}
    effects: list[Effect] = []
    outcomes = accept(tx, [prepared for _, prepared in sends]) if sends else []
    for (number, _), outcome in zip(sends, outcomes, strict=True):
        if isinstance(outcome, Refused):
            filling.errors[number] = row_error(outcome.error)
            continue
        effects += outcome.effects
        (result,) = outcome.value.results
        if result.message_id is not None:
            message_ids[number] = result.message_id
        elif result.error is not None:
            filling.errors[number] = RowError(result.error.code, result.error.message)
    return _Accepted(message_ids, tuple(effects))


def _hold(tx: Tx, command: AddRows) -> tuple[Effect, ...]:
    """Texts that join a paused batch wait like the others."""
    pause = ChangeBatch(account_id=command.account_id, batch_id=command.batch_id, action="pause")
    (outcome,) = change_batch(tx, [pause])
    return outcome.effects if isinstance(outcome, Done) else ()


# --- reading -------------------------------------------------------------------------------------------------------------


def open_batch(conn: Connection, account_id: str, batch_id: str) -> tuple[OpenBatch, Options] | None:
    """A batch that takes rows, with what its texts share; None for an unknown one and for one that takes none."""
    found = stored.find_open(conn, account_id, batch_id)
    return None if found is None else (found, msgspec.json.decode(found.options, type=Options))
