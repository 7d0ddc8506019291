"""The database of one hub process: who writes it, who reads it, and how it is opened and closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from hub.config import ConfigurationError
from hub.core.clock import Clock
from hub.storage.batch import BatchRunner, Ids
from hub.storage.checkpoints import Checkpoints
from hub.storage.connect import cannot_be_opened, dialect_of, open_engine, sqlite_path
from hub.storage.high_water import highest_id_ms
from hub.storage.lock import FileLock
from hub.storage.migrate import migrate
from hub.storage.readers import Readers
from hub.storage.transaction import C, DialectName, R, Tx, UseCase
from hub.storage.writer import Writer, apply_alone

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""How long commands wait for a database that went away before they fail."""


class Database:
    """One per process. `read` and `writer` are all that rows 3 and 4 see of it."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        ids: Ids,
        reader_threads: int,
        writer_queue: int,
        writer_window_ms: float,
        patience_seconds: float,
    ) -> None:
        self.url = url
        self.dialect: DialectName = dialect_of(url)
        self._clock = clock
        self._ids = ids
        self._lock = FileLock(sqlite_path(url)) if self.dialect == "sqlite" else None
        if self._lock is not None:
            self._lock.acquire()
        self._write_engine = open_engine(url, "write")
        self._read_engine = open_engine(url, "read")
        self._readers = Readers(self._read_engine, reader_threads)
        self.writer = Writer(
            BatchRunner(self._write_engine, self.dialect, clock, ids, patience_seconds),
            limit=writer_queue,
            window_seconds=writer_window_ms / 1000,
            half_is_enough=self.dialect == "postgresql",
        )
        self._checkpoints: Checkpoints | None = None
        if self.dialect == "sqlite":
            self._checkpoints = Checkpoints(open_engine(url, "checkpoint"), sqlite_path(url))
            self.writer.after_batch = self._checkpoints.between_batches

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Clock,
        ids: Ids,
        reader_threads: int = 4,
        writer_queue: int = 20_000,
        writer_window_ms: float = 1.5,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Database:
        """Open `sqlite:///path` or `postgresql://…`; nothing is read or changed until `migrate` is called.

        Raises `ConfigurationError` when another process serves this SQLite file, or the URL names no database.
        """
        return cls(
            url,
            clock=clock,
            ids=ids,
            reader_threads=reader_threads,
            writer_queue=writer_queue,
            writer_window_ms=writer_window_ms,
            patience_seconds=patience_seconds,
        )

    def migrate(self) -> str:
        """Bring the schema up to this program's, then go on above the ids that are stored. Returns the schema's revision.

        Blocks; call it before anything else. Raises `ConfigurationError` for a database of a newer program,
        and for one that is not there or cannot be read.
        """
        try:
            revision = migrate(self.url)
        except DBAPIError as error:
            self.close()
            raise ConfigurationError(cannot_be_opened(self.url, error)) from error
        self._ids.raise_to(self.read_now(highest_id_ms))
        return revision

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(connection, …)` in a reading thread, in one snapshot of the database that it cannot write to."""
        return await self._readers.run(fn, *args, **kwargs)

    def read_now(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` in the calling thread: for start-up, the command line and tests; it would block the event loop."""
        return self._readers.run_here(fn, *args, **kwargs)

    def write_now(self, use_case: UseCase[C, R], command: C) -> R:
        """Apply one command in a transaction of its own in the calling thread, without running its effects.

        For start-up, the command line and tests. Raises the `HubError` of a refusal, and `ConfigurationError` when the database takes
        no writes.
        """
        try:
            with self._write_engine.connect() as connection, connection.begin():
                return apply_alone(self.transaction(connection), use_case, command)
        except DBAPIError as error:
            raise ConfigurationError(cannot_be_opened(self.url, error)) from error

    def transaction(self, connection: Connection) -> Tx:
        """What a use case is given, around an open transaction of the caller's."""
        now = self._clock.now()
        return Tx(connection, now, self.dialect, partial(self._ids.next, now))

    @property
    def write_engine(self) -> Engine:
        """For upkeep in this package and for tests: connections that may write, each BEGIN taking SQLite's write lock."""
        return self._write_engine

    def close(self) -> None:
        """Commit what waits, end the threads, close the connections, give the lock back. Does nothing the second time."""
        self.writer.close()
        self._readers.close()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._write_engine.dispose()
        self._read_engine.dispose()
        if self._lock is not None:
            self._lock.release()
