"""Bringing a database to the schema of this program, by the migrations in `hub/storage/migrations/versions`.

All of it is one transaction: a migration that fails leaves the database as it was. Two processes that start at once do not
meet: SQLite's writer lock and, on PostgreSQL, an advisory lock let one of them in at a time, and the second finds the work done.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hub.config import ConfigurationError
from hub.log import get_logger
from hub.storage.connect import cannot_be_opened, dialect_of, open_engine, sqlite_path
from hub.storage.schema import METADATA

log = get_logger("storage.migrate")

DIRECTORY = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x48554231
"""Any number will do, as long as every hub of one database uses the same: "HUB1" in ASCII."""


def migrate(url: str, target: str = "head") -> str:
    """Run the missing migrations up to `target`; returns the revision the database then has.

    Raises `ConfigurationError` when the database was written by a newer program, before anything is changed.
    """
    engine = open_engine(url, "write")
    try:
        with engine.connect() as connection, connection.begin():
            _wait_for_turn(connection)
            _upgrade(connection, target)
            return current_revision(connection) or ""
    finally:
        engine.dispose()


def revision_of(url: str) -> str | None:
    """The revision of the database at `url`; None where no hub has made one yet. Nothing is made or changed.

    Raises `ConfigurationError` when it cannot be opened.
    """
    if dialect_of(url) == "sqlite" and not sqlite_path(url).exists():
        return None
    engine = open_engine(url, "read")
    try:
        with engine.connect() as connection:
            return current_revision(connection)
    except DBAPIError as error:
        raise ConfigurationError(cannot_be_opened(url, error)) from error
    finally:
        engine.dispose()


def current_revision(connection: Connection) -> str | None:
    """The database's revision; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision of this program."""
    return _scripts().get_current_head() or ""


def is_up_to_date(connection: Connection) -> bool:
    """Whether there is nothing to migrate."""
    return current_revision(connection) == newest_revision()


def is_known(connection: Connection) -> bool:
    """Whether this program knows the database's revision, be it the newest or an older one; an empty database is not known."""
    return current_revision(connection) in known_revisions()


def known_revisions() -> set[str]:
    """The revisions this program knows."""
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(DIRECTORY))


def _wait_for_turn(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("set local statement_timeout = 0"))
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})


def _upgrade(connection: Connection, target: str) -> None:
    scripts = _scripts()
    before = current_revision(connection)
    _refuse_newer(before)

    def steps(revision: Any, _context: MigrationContext) -> Sequence[Any]:
        return scripts._upgrade_revs(target, revision)

    with EnvironmentContext(Config(), scripts, fn=steps, destination_rev=target) as environment:
        environment.configure(connection=connection, target_metadata=METADATA, transactional_ddl=True)
        environment.run_migrations()
    after = current_revision(connection)
    if after != before:
        log.info("the database was migrated", before=before or "empty", after=after)


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in known_revisions():
        raise ConfigurationError(
            f"The database has schema {revision}, which this program does not know: it knows up to {newest_revision()}. "
            "A newer version of the hub has used it. Start that version, or restore a backup made before the upgrade."
        )
