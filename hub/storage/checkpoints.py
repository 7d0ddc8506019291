"""Moving SQLite's write-ahead log into the database file, outside the commits somebody waits for.

SQLite's own checkpoint runs inside whichever COMMIT made the log long, and that commit's callers wait for its sync. Here a
thread does the bulk of the work every few seconds beside the writer. It cannot finish while the writer goes on writing, so
when the log has grown long all the same, the writer takes the rest itself between two batches.
"""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hub.log import get_logger
from hub.storage.batch import BatchRunner
from hub.storage.connect import BUSY_MS

log = get_logger("storage.checkpoints")

P = ParamSpec("P")

EVERY_SECONDS = 2.0
WORTH_BYTES = 1 << 20
"""A shorter log is left alone by the timer."""
LONG_BYTES = 64 << 20
"""Of it in use: from here on the writer finishes the job between batches, at most once in `EVERY_SECONDS`."""
FRAME_BYTES = 4096 + 24
"""A page and its header. https://www.sqlite.org/fileformat2.html#the_write_ahead_log"""


class Checkpoints:
    """The timer's thread, and the writer's share of the work."""

    def __init__(self, engine: Engine, database: Path) -> None:
        self._engine = engine
        self._log_file = database.with_name(database.name + "-wal")
        self._stop = threading.Event()
        self._writer_shall_finish = False
        self._thread = threading.Thread(target=self._work, name="hub-checkpoints", daemon=True)
        self._thread.start()

    def between_batches(self, runner: BatchRunner) -> None:
        """Called by the writer's thread after each batch."""
        if self._writer_shall_finish:
            self._writer_shall_finish = False
            runner.between_batches(restart_log)

    def close(self) -> None:
        """End the thread; the log is moved whole."""
        self._stop.set()
        self._thread.join()
        self._engine.dispose()

    def _work(self) -> None:
        is_over = False
        while not is_over:
            try:
                self._go_on()
            except (SQLAlchemyError, sqlite3.Error) as error:
                is_over = self._stop.wait(EVERY_SECONDS)
                if not is_over:
                    log.warning("the log cannot be moved and is tried again", error=str(error))
            else:
                is_over = True

    def _go_on(self) -> None:
        """Raises when the database lets nobody in now: locked, or its disk is full."""
        with self._engine.connect() as connection:
            while not self._stop.wait(EVERY_SECONDS):
                self.look(connection)
            _tried(finish_checkpoint, connection)

    def look(self, connection: Connection) -> None:
        """Move the log if it is worth it; leave what is left of a long one to the writer."""
        if self._log_bytes() >= WORTH_BYTES:
            in_use = _tried(checkpoint, connection, "passive") or 0
            self._writer_shall_finish = in_use * FRAME_BYTES >= LONG_BYTES

    def _log_bytes(self) -> int:
        try:
            return self._log_file.stat().st_size
        except FileNotFoundError:
            return 0


def _tried(
    step: Callable[Concatenate[Connection, P], int], connection: Connection, *args: P.args, **kw: P.kwargs
) -> int | None:
    """A checkpoint that fails (another process has the file, the disk is full) costs nothing: the log still holds it all."""
    try:
        return step(connection, *args, **kw)
    except (SQLAlchemyError, sqlite3.Error) as error:
        log.warning("a checkpoint failed and is tried again", error=str(error))
        return None


def checkpoint(connection: Connection, mode: str) -> int:
    """`PRAGMA wal_checkpoint`, outside a transaction; how many frames the log has in use.

    https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    """
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("no connection to checkpoint on")
    _is_busy, in_use, _moved = driver.execute(f"pragma wal_checkpoint({mode})").fetchone()
    return int(in_use)


def restart_log(connection: Connection) -> None:
    """Move the whole log, so that the next commit writes from its start again; readers that still need it are not waited for.

    The file keeps its length: a commit that writes over what is there costs a quarter less than one that makes the file longer.
    """
    _move_whole(connection, "restart")


def finish_checkpoint(connection: Connection) -> int:
    """Move the whole log and cut its file; readers that still need it are not waited for."""
    return _move_whole(connection, "truncate")


def _move_whole(connection: Connection, mode: str) -> int:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("no connection to checkpoint on")
    driver.execute("pragma busy_timeout = 50")
    try:
        return checkpoint(connection, mode)
    finally:
        driver.execute(f"pragma busy_timeout = {BUSY_MS}")
