"""Hubs whose phones bring attachments."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.fakes import FakeClock
from tests.integration.devices.native_hub import NativeHub
from tests.integration.messages.world import World
from tests.integration.smsgate.app_hub import AppHub


@pytest.fixture
def world(db: Database, clock: FakeClock, ids: IdSource) -> Iterator[World]:
    """An account and a stranger's, without phones; on either database."""
    world = World(db, clock, ids)
    yield world
    world.conn.close()


@pytest.fixture
async def app_hub(world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[AppHub]:
    """The side of phones with the sms-gate.app app."""
    async with AppHub(world.db, clock, ids, tmp_path, world).serving() as hub:
        yield hub


@pytest.fixture
async def small_hub(sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[AppHub]:
    """The same on SQLite alone, for what has nothing to do with the database."""
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    world = World(database, clock, ids)
    async with AppHub(database, clock, ids, tmp_path, world).serving() as hub:
        yield hub
    world.conn.close()
    database.close()


@pytest.fixture
async def native_hub(world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[NativeHub]:
    """The side of phones with the hub's own app."""
    async with NativeHub(world.db, clock, ids, tmp_path, world).serving() as hub:
        yield hub
