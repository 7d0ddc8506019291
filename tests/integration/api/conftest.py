"""The API for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.databases import refuse_nul
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api


@pytest.fixture
def sqlite_db(sqlite_url: str, clock: FakeClock, ids: IdSource) -> Iterator[Database]:
    """A SQLite database; what differs between the two databases is tested below the API."""
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    refuse_nul(database)
    yield database
    database.close()


@pytest.fixture
def api(sqlite_db: Database, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[Api]:
    """The API on SQLite."""
    made = Api(sqlite_db, clock, ids, tmp_path)
    yield made
    made.world.conn.close()


@pytest.fixture
def api_anywhere(db: Database, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[Api]:
    """The API on either database."""
    made = Api(db, clock, ids, tmp_path)
    yield made
    made.world.conn.close()
