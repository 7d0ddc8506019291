"""The desk for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api
from tests.integration.dashboard.desk import Desk


@pytest.fixture
def desk(db: Database, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[Desk]:
    """People and their browsers, on either database."""
    api = Api(db, clock, ids, tmp_path)
    yield Desk(api)
    api.world.conn.close()
