"""What a database error means for the transaction it ended: three answers, and nothing else is asked of an error.

`TRY_AGAIN`: the same transaction may well succeed on a (new) connection: the connection broke, another transaction was in
the way (PostgreSQL 40001, 40P01), the server is starting or stopping.
`GIVE_UP`: the database can take nothing now, whatever is in the batch: the disk is full, the file is damaged.
`BLAME`: something in this batch is at fault; it is found by halving.
"""

import sqlite3
from enum import Enum

import psycopg
from sqlalchemy.exc import DBAPIError

from hub.storage.connect import is_lost, sqlstate


class Verdict(Enum):
    """What to do with the batch."""

    TRY_AGAIN = "try again"
    GIVE_UP = "give up"
    BLAME = "blame"


AGAIN_STATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25006", "53300"})
"""Serialization failure, deadlock, lock not available, shutdown, crash shutdown, starting up, read-only (a standby that is
being promoted), too many connections. https://www.postgresql.org/docs/current/errcodes-appendix.html"""

GIVE_UP_CLASSES = frozenset({"53", "58", "XX"})
"""Insufficient resources, system error, internal error."""

AGAIN_SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_IOERR})
GIVE_UP_SQLITE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_NOMEM,
    }
)


def verdict_on(error: BaseException) -> Verdict:
    """What an error raised inside a transaction means. Everything the database did not say itself is the batch's own fault."""
    if not isinstance(error, DBAPIError):
        return Verdict.BLAME
    if is_lost(error):
        return Verdict.TRY_AGAIN
    state = sqlstate(error)
    if state is not None:
        return _of_postgresql(state)
    if isinstance(error.orig, psycopg.OperationalError):
        return Verdict.TRY_AGAIN  # without a code it did not come from a server: none was reached
    return _of_sqlite(_sqlite_code(error))


def is_refused_write(error: BaseException) -> bool:
    """Whether somebody tried to write on a connection that may only read."""
    return sqlstate(error) == "25006" or _sqlite_code(error) == sqlite3.SQLITE_READONLY


def leaves_doubt(error: BaseException) -> bool:
    """Whether a COMMIT that raised this may nevertheless have taken effect.

    A database that answers with a reason has rolled back; one whose connection broke, or whose disk failed, may not have.
    """
    if not isinstance(error, DBAPIError) or is_lost(error):
        return True
    state = sqlstate(error)
    if state is not None:
        return state.startswith(("08", "57P")) or state == "40003"
    return _sqlite_code(error) in (None, sqlite3.SQLITE_IOERR)


def _of_postgresql(state: str) -> Verdict:
    if state in AGAIN_STATES or state.startswith("08"):
        return Verdict.TRY_AGAIN
    return Verdict.GIVE_UP if state[:2] in GIVE_UP_CLASSES else Verdict.BLAME


def _of_sqlite(code: int | None) -> Verdict:
    if code in AGAIN_SQLITE:
        return Verdict.TRY_AGAIN
    return Verdict.GIVE_UP if code in GIVE_UP_SQLITE else Verdict.BLAME


def _sqlite_code(error: BaseException) -> int | None:
    """The primary result code; the rest of an extended one says where it happened. https://www.sqlite.org/rescode.html"""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
