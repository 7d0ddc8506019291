"""Migrations make exactly the tables the program knows, on both databases, once, and never under a newer database."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.config import ConfigurationError
from hub.storage.connect import dialect_of, open_engine
from hub.storage.migrate import current_revision, is_up_to_date, migrate, newest_revision
from hub.storage.migrations.draft import changes
from hub.storage.schema import METADATA
from tests.databases import PostgresqlDatabases

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)

CATALOGUE = {
    "sqlite": ["select type, name, sql from sqlite_master where name not like 'sqlite_%' order by 1, 2"],
    "postgresql": [
        "select table_name, column_name, ordinal_position, data_type, is_nullable, column_default"
        " from information_schema.columns where table_schema = 'public' order by 1, 2",
        "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public' order by 1, 2",
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'public'::regnamespace order by 1, 2",
    ],
}
ONLY_IN_MIGRATIONS = ("alembic_version", "pg_current_xact_id")


@pytest.fixture
def empty_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases of one kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'one.db'}", f"sqlite:///{tmp_path / 'two.db'}"
        return
    databases: PostgresqlDatabases = request.getfixturevalue("postgresql_databases")
    urls = databases.create(migrated=False), databases.create(migrated=False)
    yield urls
    for url in urls:
        databases.drop(url)


both = pytest.mark.parametrize("empty_urls", ["sqlite", POSTGRESQL], indirect=True)


def _catalogue(url: str) -> list[str]:
    with open_engine(url, "read").connect() as connection:
        rows = [row for query in CATALOGUE[dialect_of(url)] for row in connection.execute(text(query))]
    lines = (re.sub(r"\s+", " ", " | ".join(str(value) for value in row)) for row in rows)
    return [re.sub(r" default .*", "", line) for line in lines if not any(word in line for word in ONLY_IN_MIGRATIONS)]


def _event_txid(line: str) -> bool:
    return line.startswith("wh_event | txid")


@both
def test_migrations_make_the_tables_of_the_program(empty_urls: tuple[str, str]) -> None:
    migrated, created = empty_urls
    migrate(migrated)
    METADATA.create_all(open_engine(created, "write"))
    expected = [line for line in _catalogue(created) if not _event_txid(line)]
    assert [line for line in _catalogue(migrated) if not _event_txid(line)] == expected, (
        "run: python -m hub.storage.migrations.draft --first"
    )


def test_a_draft_finds_nothing_left_to_do() -> None:
    assert changes().strip() in ("", "pass")


@both
def test_migrating_twice_changes_nothing(empty_urls: tuple[str, str]) -> None:
    url, _ = empty_urls
    assert migrate(url) == newest_revision()
    before = _catalogue(url)
    assert migrate(url) == newest_revision()
    assert _catalogue(url) == before
    with open_engine(url, "read").connect() as connection:
        assert is_up_to_date(connection)


@both
def test_two_processes_that_start_at_once_migrate_once(empty_urls: tuple[str, str]) -> None:
    url, _ = empty_urls
    failures: list[BaseException] = []

    def start() -> None:
        try:
            migrate(url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@both
def test_a_database_of_a_newer_program_is_refused_unchanged(empty_urls: tuple[str, str]) -> None:
    url, _ = empty_urls
    migrate(url)
    with open_engine(url, "write").connect() as connection, connection.begin():
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="has schema 9999"):
        migrate(url)
    with open_engine(url, "read").connect() as connection:
        assert current_revision(connection) == "9999"


@both
def test_a_migration_that_fails_leaves_nothing_behind(
    empty_urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = empty_urls
    with monkeypatch.context() as patch:
        patch.setattr("hub.storage.migrate.log", None)  # the last thing the upgrade does is to say so
        with pytest.raises(AttributeError):
            migrate(url)
    assert _catalogue(url) == []
    assert migrate(url) == newest_revision()


@pytest.mark.postgresql
def test_hot_tables_keep_room_for_updates(postgresql_url: str) -> None:
    with open_engine(postgresql_url, "read").connect() as connection:
        options = connection.execute(text("select reloptions from pg_class where relname = 'message'")).scalar_one()
    assert "fillfactor=85" in options
    assert any(option.startswith("autovacuum_vacuum_scale_factor=") for option in options)
