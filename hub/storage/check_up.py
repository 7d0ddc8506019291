"""Looking at a database from outside, for `hub doctor`: nothing is made or changed, and a hub may serve it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from hub.config import ConfigurationError
from hub.core.amounts import size_in_words
from hub.core.progress import Step, Tell, unheard
from hub.storage.connect import cannot_be_opened, dialect_of, open_engine, sqlite_path
from hub.storage.migrate import known_revisions, newest_revision, revision_of

MOST_FAULTS = 10
TOLD_FROM = 256 << 20
"""Bytes of a database whose reading is worth a word: below that it is done before anybody has read it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen. `revision` is None for an empty database; `faults` is what is broken inside, in the database's own words."""

    kind: str
    where: str
    revision: str | None
    is_newest: bool
    is_known: bool
    bytes: int
    faults: tuple[str, ...]


def look_at(url: str, tell: Tell = unheard) -> Looked:
    """Look. A SQLite file is read through, which takes a second for each GB or so.

    Raises `ConfigurationError` when it cannot be opened.
    """
    revision = revision_of(url)
    is_sqlite = dialect_of(url) == "sqlite"
    size, faults = (0, ()) if revision is None else _inside(url, is_sqlite, tell)
    return Looked(
        kind="SQLite" if is_sqlite else "PostgreSQL",
        where=str(sqlite_path(url)) if is_sqlite else "the server of HUB_DATABASE_URL",
        revision=revision,
        is_newest=revision == newest_revision(),
        is_known=revision is None or revision in known_revisions(),
        bytes=size,
        faults=faults,
    )


def _inside(url: str, is_sqlite: bool, tell: Tell) -> tuple[int, tuple[str, ...]]:
    engine = open_engine(url, "read")
    try:
        with engine.connect() as connection:
            if not is_sqlite:
                size = connection.exec_driver_sql("select pg_database_size(current_database())").scalar_one()
                return int(size), ()
            path = sqlite_path(url)
            size = sum(one.stat().st_size for one in (path, path.with_name(path.name + "-wal")) if one.exists())
            if size >= TOLD_FROM:
                tell(Step(f"Reading the database through, {size_in_words(size)}"))
            rows = connection.exec_driver_sql(f"pragma quick_check({MOST_FAULTS})").scalars()
            return size, tuple(str(row) for row in rows if row != "ok")
    except DBAPIError as error:
        raise ConfigurationError(cannot_be_opened(url, error)) from error
    finally:
        engine.dispose()
