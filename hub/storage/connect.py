"""How connections to either database are opened: the only place that sets their options.

SQLite: write-ahead log, `synchronous=FULL` (a commit is on disk when it returns), foreign keys on, transactions begun by
us (`BEGIN IMMEDIATE` for the writer, so that it never finds out half-way that somebody else writes). Checkpoints of the
log are taken by a timer (`hub.storage.database`), never inside a commit somebody waits for.

PostgreSQL: psycopg 3, one snapshot per read, time limits on everything, so that a dead network or a forgotten lock ends in
an error instead of a hanging thread.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from hub.config import ConfigurationError
from hub.storage.direct import PIPELINE, commit_waiting, has_waiting, run_text
from hub.storage.pipeline import Pipeline
from hub.storage.transaction import DialectName

Purpose = Literal["write", "read", "checkpoint"]

BUSY_MS = 10_000
"""How long SQLite waits for another process's lock (a backup, the command line) before it gives up."""
CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 8 * 1024
KEEP_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""libpq's words for: a network that died is noticed within half a minute.
https://www.postgresql.org/docs/current/libpq-connect.html"""
_MAY_WAIT = (TransactionStatus.IDLE, TransactionStatus.ACTIVE)
"""What a connection says of itself while its first statements are not sent, and while later ones are under way."""
STATEMENT_MS = {"write": 30_000, "read": 30_000, "checkpoint": 30_000}


def dialect_of(url: str) -> DialectName:
    """Which database a URL names. Raises `ConfigurationError` for anything else."""
    if url.startswith("sqlite:///"):
        return "sqlite"
    if url.startswith(("postgresql://", "postgresql+psycopg://")):
        return "postgresql"
    raise ConfigurationError("The database URL must be sqlite:///path or postgresql://user:password@host/name.")


def sqlite_path(url: str) -> Path:
    """The file a `sqlite:///…` URL names. A database in memory is refused: nothing in it would survive the process."""
    database = make_url(url).database
    if not database or database == ":memory:":
        raise ConfigurationError("The database URL names no file: use sqlite:///path.")
    return Path(database).absolute()


def open_engine(url: str, purpose: Purpose) -> Engine:
    """An engine without a pool: each thread of the storage engine opens one connection and keeps it.

    Errors name no parameters: they would carry people's texts and numbers into the log.
    """
    if dialect_of(url) == "sqlite":
        return _sqlite_engine(url, purpose)
    return _postgresql_engine(url, purpose)


def cannot_be_opened(url: str, error: DBAPIError) -> str:
    """The sentence for an operator whose database does not let the hub in; the URL without its password."""
    said = str(error.orig).strip().partition("\n")[0].rstrip(".")
    if dialect_of(url) == "postgresql":
        name = make_url(url).render_as_string(hide_password=True)
        return f"The database {name} cannot be used: {said}. Check that it runs, and the name and password in HUB_DATABASE_URL."
    advice = {
        "SQLITE_NOTADB": "It is no database of a hub: move it away, or put a backup in its place (hub restore).",
        "SQLITE_CORRUPT": "Put a backup in its place (hub restore).",
        "SQLITE_FULL": "Make room on its disk.",
        "SQLITE_BUSY": "Another program writes to it: end that one.",
    }
    word = str(getattr(error.orig, "sqlite_errorname", ""))
    return f"The database {sqlite_path(url)} cannot be used: {said}. " + advice.get(
        word, "Check that this user may write it and the folder it is in, and that there is room."
    )


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that nothing is known of the transaction but what the database tells later."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character code of an error, if it has one."""
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlstate", None)
    return code if isinstance(code, str) else None


def require_open_transaction(connection: Connection) -> None:
    """Raise RuntimeError when the database has already ended or spoilt the open transaction.

    PostgreSQL answers COMMIT of a failed transaction with a silent ROLLBACK, and SQLite rolls back by itself on some errors,
    after which COMMIT does nothing. Code that swallowed such an error must not be told that its writes are stored.
    """
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        is_open = driver.in_transaction
    else:
        status = None if driver is None else driver.info.transaction_status
        is_open = status == TransactionStatus.INTRANS or (status in _MAY_WAIT and has_waiting(connection))
    if not is_open:
        raise RuntimeError("an error inside this transaction was swallowed: the database has given it up")


def _sqlite_engine(url: str, purpose: Purpose) -> Engine:
    path = sqlite_path(url)
    _create_private(path)
    _bind_at_once()
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"timeout": BUSY_MS / 1000},
    )
    event.listen(engine, "connect", _sqlite_options(purpose))
    event.listen(engine, "begin", _begin_immediate if purpose == "write" else _begin_deferred)
    return engine


def _bind_at_once() -> None:
    """Bind NULL, truths and bytes as quickly as numbers and text.

    Python's sqlite3 looks each such value's class, and its own protocol, for adapting methods that neither has, and makes a sentence of
    each failure: 0.25 µs for every NULL of every row. Adapters that give the value back say so at once.
    https://docs.python.org/3/library/sqlite3.html#how-to-register-adapter-callables
    """
    sqlite3.register_adapter(type(None), {None: None}.get)
    sqlite3.register_adapter(bool, int)
    sqlite3.register_adapter(bytes, bytes)


def _create_private(path: Path) -> None:
    """Texts and numbers are nobody else's business: only this user may read the file, and SQLite gives its log the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _sqlite_options(purpose: Purpose) -> Callable[[sqlite3.Connection, Any], None]:
    pragmas = [
        "pragma synchronous = full",
        "pragma foreign_keys = on",
        "pragma wal_autocheckpoint = 0",
        f"pragma busy_timeout = {BUSY_MS}",
        f"pragma cache_size = -{READER_CACHE_KIB if purpose == 'read' else CACHE_KIB}",
    ]
    if purpose == "read":
        pragmas.append("pragma query_only = on")

    def set_options(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        _use_write_ahead_log(connection)
        for pragma in pragmas:
            connection.execute(pragma)

    return set_options


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file to its write-ahead log, once in its life.

    The switch wants the file for itself and, unlike everything else, does not wait for its turn: several connections that
    open a new file at once would see `database is locked`.
    """
    give_up_at = time.monotonic() + BUSY_MS / 1000
    while connection.execute("pragma journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def _begin_immediate(connection: Connection) -> None:
    run_text(connection, "begin immediate", ())


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("begin")


KEYS_ONLY = " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
"""What writes looks rows up by key, a batch at a time, and its statements are planned once for a connection. A plan that was made while the
tables were nearly empty reads them from end to end, and is kept until PostgreSQL has counted them: after a minute, in which a new hub's
look-ups take ten times as long. So the planner is told that reading a whole table is no way at all.
https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES"""


def _postgresql_engine(url: str, purpose: Purpose) -> Engine:
    options = (
        f"-c statement_timeout={STATEMENT_MS[purpose]} -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
        " -c jit=off"  # compiling a statement costs more than any of these statements
    )
    options += " -c default_transaction_read_only=on" if purpose == "read" else KEYS_ONLY
    target = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        target,
        poolclass=NullPool,
        hide_parameters=True,
        isolation_level="REPEATABLE READ" if purpose == "read" else "READ COMMITTED",
        connect_args={
            "options": options,
            "application_name": f"handset-hub {purpose}",
            "client_encoding": "utf8",
            "prepare_threshold": None,  # after a rollback psycopg gives back all prepared statements, the pipeline's too
            "connect_timeout": 5,
            **KEEP_ALIVE,
        },
    )
    event.listen(engine, "connect", _open_pipeline)
    for way in ("do_execute", "do_executemany", "do_execute_no_params"):
        event.listen(engine, way, _send_waiting)
    event.listen(engine, "commit", commit_waiting)
    event.listen(engine, "rollback", _forget_waiting)
    return engine


def _open_pipeline(driver: Any, record: Any) -> None:
    record.info[PIPELINE] = Pipeline(driver)


def _send_waiting(*given: Any) -> None:
    """SQLAlchemy is about to execute something; what it gives ends with its context."""
    with suppress(NotImplementedError):  # its own first look at a server is made on something that has no `info`
        given[-1].root_connection.info[PIPELINE].flush()


def _forget_waiting(connection: Connection) -> None:
    if not connection.invalidated:
        connection.info[PIPELINE].forget()
