"""The group-commit writer on both databases."""


import pytest

from hub.storage.database import Database
from tests.integration.storage import counters
from tests.integration.storage.counters import Add, add

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _table(db: Database) -> None:
    counters.create(db.write_engine)


async def test_a_command_returns_its_value_after_the_commit(db: Database) -> None:
    assert await db.writer.submit(add, Add("a", 2), "counter:a") == 2
    assert await db.read(counters.values) == {"a": (2, "+")}
