"""What the tests of texts share."""

from collections.abc import Iterator

import pytest

from hub.core.ids import IdSource
from hub.storage.database import Database
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
