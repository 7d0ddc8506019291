"""What the tests of phones share."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.databases import refuse_nul
from tests.fakes import FakeClock
from tests.integration.devices.native_hub import NativeHub
from tests.integration.messages.world import World


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
    refuse_nul(database)
    world = World(database, clock, ids)
    yield world
    world.conn.close()
    database.close()


@pytest.fixture
async def hub(sqlite_world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[NativeHub]:
    """A hub's phone side on a real port."""
    async with NativeHub(sqlite_world.db, clock, ids, tmp_path, sqlite_world).serving() as hub:
        yield hub


@pytest.fixture
async def hub_anywhere(world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[NativeHub]:
    """The same on either database."""
    async with NativeHub(world.db, clock, ids, tmp_path, world).serving() as hub:
        yield hub


@pytest.fixture
def nothing_breaks_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a phone does, no exception reaches the server or is left in a task."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []
