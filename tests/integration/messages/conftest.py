"""What the tests of texts share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.databases import PostgresqlDatabases
from tests.fakes import FakeClock
from tests.integration.messages.world import Phones, World


@pytest.fixture
def world(db: Database, clock: FakeClock, ids: IdSource) -> Iterator[World]:
    """An account and a stranger's, without phones."""
    world = World(db, clock, ids)
    yield world
    world.conn.close()


@pytest.fixture
def phones(world: World) -> Phones:
    """What phones say and are told in that world."""
    return Phones(world)


@pytest.fixture
def second_sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Another SQLite database of this test's own."""
    path = tmp_path / "second.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def second_postgresql_url(postgresql_databases: PostgresqlDatabases) -> Iterator[str]:
    """Another PostgreSQL database of this test's own."""
    url = postgresql_databases.create()
    yield url
    postgresql_databases.drop(url)
