"""What the tests of sms-gate phones share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.fakes import FakeClock
from tests.integration.messages.world import World
from tests.integration.smsgate.app_hub import AppHub


@pytest.fixture
def world(db: Database, clock: FakeClock, ids: IdSource) -> Iterator[World]:
    """An account and a stranger's, without phones."""
    world = World(db, clock, ids)
    yield world
    world.conn.close()


@pytest.fixture
def sqlite_world(sqlite_url: str, clock: FakeClock, ids: IdSource) -> Iterator[World]:
    """The same on SQLite alone, for what has nothing to do with the database."""
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    world = World(database, clock, ids)
    yield world
    world.conn.close()
    database.close()


@pytest.fixture
async def hub(sqlite_world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[AppHub]:
    """A hub's app side on a real port."""
    async with AppHub(sqlite_world.db, clock, ids, tmp_path, sqlite_world).serving() as hub:
        yield hub


@pytest.fixture
async def hub_anywhere(world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[AppHub]:
    """The same on either database."""
    async with AppHub(world.db, clock, ids, tmp_path, world).serving() as hub:
        yield hub
