"""What the tests of phones share."""

from collections.abc import Iterator

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.fakes import FakeClock
from tests.integration.messages.world import World


@pytest.fixture
def world(db: Database, clock: FakeClock, ids: IdSource) -> Iterator[World]:
    """An account and a stranger's, without phones."""
    world = World(db, clock, ids)
    yield world
    world.conn.close()
