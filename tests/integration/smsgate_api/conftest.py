"""The sms-gate.app API for the tests of this folder."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.databases import refuse_nul
from tests.fakes import FakeClock
from tests.integration.smsgate_api.gate import Gate


@pytest.fixture
def sqlite_db(sqlite_url: str, clock: FakeClock, ids: IdSource) -> Iterator[Database]:
    """A SQLite database: what differs between the two is tested with `gate_anywhere`."""
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    refuse_nul(database)
    yield database
    database.close()


@pytest.fixture
async def gate(sqlite_db: Database, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[Gate]:
    """The API on SQLite, with one login and one phone."""
    made = await Gate(sqlite_db, clock, ids, tmp_path).opened()
    yield made
    made.world.conn.close()


@pytest.fixture
async def gate_anywhere(db: Database, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[Gate]:
    """The API on either database, with one login and one phone."""
    made = await Gate(db, clock, ids, tmp_path).opened()
    yield made
    made.world.conn.close()
