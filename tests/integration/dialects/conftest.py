"""A hub's parts for the tests of dialects; what differs between the databases is tested below them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.databases import refuse_nul
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api


@pytest.fixture
def api(sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[Api]:
    """The native API and the parts behind it, on SQLite."""
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    refuse_nul(database)
    made = Api(database, clock, ids, tmp_path)
    yield made
    made.world.conn.close()
    database.close()
