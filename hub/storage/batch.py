"""One batch of commands, one transaction, and an answer that is true even when the COMMIT's own answer was lost.

Rules, each of which a test breaks:

1. The first row a transaction writes is `write_batch(id)`. A batch whose COMMIT got no answer is run again *with the same
   id* on a new connection: if that id is already there, the lost COMMIT took effect and its outcomes stand; if the old
   server process is still at it, the insert waits for it, so that the answer is final; only when the id could be written
   did the first COMMIT fail, and the commands are applied now. Nothing is lost and nothing is applied twice. On PostgreSQL the
   first attempt's rows and its COMMIT may still be on their way to the server then, in one piece (`hub.storage.pipeline`): its own
   insert of the id is a plain one, which fails when it comes too late, and the COMMIT behind it with it.
2. A passing fault (a broken connection, a deadlock, a server that restarts) runs the batch again until its oldest command
   has waited long enough; then every command of it fails with `storage_unavailable`.
3. Any other failure was rolled back, and the batch is halved: first half, then second half, so that commands that share a
   key keep their order and one bad command fails alone.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from hub.core.clock import Clock, UtcMs
from hub.core.errors import Code, HubError
from hub.core.ports import AtHand
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.storage.commands import AnyUseCase, Waiting, waves
from hub.storage.connect import require_open_transaction
from hub.storage.direct import change, run
from hub.storage.faults import Verdict, leaves_doubt, verdict_on
from hub.storage.schema.accounts import WriteBatch
from hub.storage.transaction import DialectName, Done, Refused, Tx, nobody
from hub.storage.types import table_of

log = get_logger("storage.writer")

_CLAIM = text(f"insert into {table_of(WriteBatch).name} (id, at) values (:id, :at)")
_CLAIM_AGAIN = text(f"insert into {table_of(WriteBatch).name} (id, at) values (:id, :at) on conflict (id) do nothing")

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
IN_DOUBT = (
    "The hub lost its database while storing this and cannot say whether it was stored. "
    "Send it again with the same Idempotency-Key."
)


class Ids(Protocol):
    """Where ids come from (`hub.core.ids.IdSource`)."""

    def next(self, now: UtcMs) -> str: ...

    def raise_to(self, high_water: UtcMs) -> None: ...


@dataclass(frozen=True, slots=True)
class Failed:
    """The command was rolled back, or its database was away for too long."""

    error: Exception


Ending = Done[Any] | Refused | Failed


@dataclass(slots=True)
class _Attempts:
    """What is known of a batch over all its attempts."""

    id: str
    give_up_at: float
    outcomes: list[Done[Any] | Refused] = field(default_factory=list)
    """Those of the last attempt whose COMMIT was asked for."""
    is_committing: bool = False
    """The present attempt has asked for its COMMIT."""
    in_doubt: bool = False
    """An attempt's COMMIT was asked for and not answered."""


class _Away(Exception):
    """The database takes nothing now; the sentence for the callers, if there is more to say than that."""


class BatchRunner:
    """Applies batches on one connection of its own. Used by one thread at a time."""

    def __init__(self, engine: Engine, dialect: DialectName, clock: Clock, ids: Ids, patience_seconds: float) -> None:
        self._engine = engine
        self._dialect = dialect
        self._clock = clock
        self._ids = ids
        self._patience_seconds = patience_seconds
        self._connection: Connection | None = None
        self.at_hand: Callable[[str], AtHand | None] = nobody
        """What the transactions are told of phones."""
        self.is_failing = False
        """The last batch failed because the database was away or took nothing."""

    def run(self, batch: Sequence[Waiting]) -> list[Ending]:
        """Apply a batch given in arrival order; one ending per command, in the same order. Raises nothing."""
        try:
            outcomes = self._run_until_known(batch)
            self.is_failing = False
            return list(outcomes)
        except _Away as away:
            self.is_failing = True
            return [Failed(_unavailable(away)) for _ in batch]
        except Exception as error:
            if len(batch) == 1:
                log.exception("a command failed", use_case=_name(batch[0].use_case), error=type(error).__name__)
                return [Failed(_internal(error))]
        middle = len(batch) // 2
        return self.run(batch[:middle]) + self.run(batch[middle:])

    def between_batches(self, work: Callable[[Connection], None]) -> None:
        """Run something on the writer's connection while no transaction is open; a failure costs only the connection."""
        try:
            work(self._connected())
        except (SQLAlchemyError, sqlite3.Error) as error:
            log.warning("upkeep between batches failed", error=str(error))
            self.disconnect()

    def disconnect(self) -> None:
        """Close the connection; the next batch opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _quietly(connection.close)

    def _run_until_known(self, batch: Sequence[Waiting]) -> Sequence[Done[Any] | Refused]:
        attempts = _Attempts(self._ids.next(self._clock.now()), batch[0].since + self._patience_seconds)
        for pause in _pauses():
            try:
                return self._attempt(batch, attempts)
            except Exception as error:
                self._end_attempt(error, attempts)
                reason = str(error)
            if time.monotonic() + pause >= attempts.give_up_at:
                raise _Away(IN_DOUBT if attempts.in_doubt else "")
            log.warning("a batch is run again", commands=len(batch), in_doubt=attempts.in_doubt, reason=reason)
            time.sleep(pause)
        raise AssertionError("pauses never end")

    def _end_attempt(self, error: Exception, attempts: _Attempts) -> None:
        """After a failed attempt: returns when the batch is to be run again, raises what ends it otherwise."""
        if attempts.is_committing:
            attempts.in_doubt = leaves_doubt(error)
        if attempts.in_doubt:
            self.disconnect()
            attempts.give_up_at = max(attempts.give_up_at, time.monotonic() + self._patience_seconds)
            return
        verdict = verdict_on(error)
        if attempts.is_committing or verdict is not Verdict.BLAME:
            self.disconnect()
        else:
            self._roll_back()
        if verdict is Verdict.BLAME:
            raise error
        if verdict is Verdict.GIVE_UP:
            log.error("the database takes no writes", error=str(error))
            raise _Away from error

    def _roll_back(self) -> None:
        try:
            if self._connection is not None:
                self._connection.rollback()
        except SQLAlchemyError:
            self.disconnect()

    def _attempt(self, batch: Sequence[Waiting], attempts: _Attempts) -> Sequence[Done[Any] | Refused]:
        attempts.is_committing = False
        connection = self._connected()
        transaction = connection.begin()
        now = self._clock.now()
        claim = {"id": attempts.id, "at": now}
        if not attempts.in_doubt:
            run(connection, _CLAIM, claim)
        elif change(connection, _CLAIM_AGAIN, claim) == 0:
            transaction.rollback()
            return attempts.outcomes
        attempts.in_doubt = False
        outcomes = _apply(Tx(connection, now, self._dialect, partial(self._ids.next, now), self.at_hand), batch)
        require_open_transaction(connection)
        failpoint("batch.before_commit")
        attempts.outcomes, attempts.is_committing = outcomes, True
        transaction.commit()
        failpoint("batch.after_commit")
        return outcomes

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection


def _apply(tx: Tx, batch: Sequence[Waiting]) -> list[Done[Any] | Refused]:
    """Call each wave's use case once; the outcomes in the order of the batch."""
    outcomes: list[Any] = [None] * len(batch)
    for wave in waves(batch):
        given = wave.use_case(tx, [batch[place].command for place in wave.places])
        if len(given) != len(wave.places):
            raise TypeError(f"{_name(wave.use_case)} gave {len(given)} outcomes for {len(wave.places)} commands")
        for place, outcome in zip(wave.places, given, strict=True):
            outcomes[place] = outcome
    return outcomes


def _unavailable(away: _Away) -> HubError:
    return HubError(Code.STORAGE_UNAVAILABLE, str(away) or None, retry_after_seconds=5.0)


def _internal(error: Exception) -> Exception:
    """What the caller of a failed command gets: the use case's own `HubError`, else `internal` with the cause behind it."""
    if isinstance(error, HubError):
        return error
    wrapped = HubError(Code.INTERNAL)
    wrapped.__cause__ = error
    return wrapped


def _pauses() -> Iterator[float]:
    pause = 0.0
    while True:
        yield pause
        pause = min(max(pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def _name(use_case: AnyUseCase) -> str:
    return getattr(use_case, "__qualname__", repr(use_case))


def _quietly(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception as error:  # a connection that is already gone cannot be closed politely
        log.debug("closing a broken connection", error=str(error))
