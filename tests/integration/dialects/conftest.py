"""A hub's parts for the tests of dialects; what differs between the databases is tested below them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.databases import refuse_nul
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api
from tests.integration.dialects.mail_house import House, a_house


@pytest.fixture
def api(sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[Api]:
    """The native API and the parts behind it, on SQLite."""
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    refuse_nul(database)
    made = Api(database, clock, ids, tmp_path)
    yield made
    made.world.conn.close()
    database.close()


@pytest.fixture
async def house(sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[House]:
    """A hub that takes mails, on SQLite."""
    async with a_house(sqlite_url, clock, ids, tmp_path) as made:
        yield made


@pytest.fixture
async def house_anywhere(database_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[House]:
    """The same on either database."""
    async with a_house(database_url, clock, ids, tmp_path) as made:
        yield made


@pytest.fixture
async def tls_house(sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> AsyncIterator[House]:
    """One whose listener offers STARTTLS."""
    async with a_house(sqlite_url, clock, ids, tmp_path, has_tls=True) as made:
        yield made
