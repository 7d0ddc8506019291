"""A batch is the same as its commands one by one, whatever is in it; and what a kill leaves behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.errors import HubError
from hub.core.ids import IdSource
from hub.storage.batch import BatchRunner, Ending, Failed
from hub.storage.commands import AnyUseCase, Waiting
from hub.storage.database import Database
from hub.storage.transaction import Refused
from tests.fakes import FakeClock
from tests.integration.storage import counters
from tests.integration.storage.counters import COUNTER, Add, Poison, add, add_loudly

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runner(db: Database, clock: FakeClock, ids: IdSource) -> Iterator[BatchRunner]:
    counters.create(db.write_engine)
    made = BatchRunner(db.write_engine, db.dialect, clock, ids, 5)
    yield made
    made.disconnect()


@pytest.fixture(scope="module")
def future() -> Iterator["asyncio.Future[object]"]:
    loop = asyncio.new_event_loop()
    yield loop.create_future()
    loop.close()


names = st.sampled_from(["a", "b", "c"])
commands = st.one_of(
    st.builds(Add, names, st.integers(-3, 5), st.sampled_from("xyz")),
    st.builds(Add, names, st.integers(-3, 5), st.sampled_from("xyz")),
    st.builds(Poison, names, st.just(1)),
)
batches = st.lists(st.tuples(st.sampled_from([add, add_loudly]), commands), min_size=1, max_size=12)


def _what_callers_see(endings: list[Ending]) -> list[object]:
    return [_one(ending) for ending in endings]


def _one(ending: Ending) -> object:
    if isinstance(ending, Refused | Failed):
        assert isinstance(ending.error, HubError)
        return ending.error.code
    return ending.value, ending.effects


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_a_batch_is_its_commands_one_by_one(
    db: Database, runner: BatchRunner, future: "asyncio.Future[object]", batch: list[tuple[AnyUseCase, Add]]
) -> None:
    waiting = [Waiting(use_case, command, (f"counter:{command.name}",), future, 0.0) for use_case, command in batch]
    batched = _what_callers_see(runner.run(waiting)), db.read_now(counters.values)
    _clear(db)
    singly = (
        [ending for one in waiting for ending in _what_callers_see(runner.run([one]))],
        db.read_now(counters.values),
    )
    _clear(db)
    assert batched == singly


def _clear(db: Database) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        connection.execute(COUNTER.delete())


CHILD = """
import asyncio, os, sys
from hub.clock import SystemClock
from hub.core.ids import IdSource
from hub.storage.database import Database
from tests.integration.storage.counters import Add, add

async def main():
    db = Database.open(sys.argv[1], clock=SystemClock(), ids=IdSource(0, os.urandom))
    for n in range(10):
        await asyncio.gather(*(submit(db, f"{n}.{k}") for k in range(20)))

async def submit(db, name):
    await db.writer.submit(add, Add(name, 1), f"counter:{name}")
    os.write(1, f"{name}\\n".encode())

asyncio.run(main())
"""


@pytest.mark.parametrize("place", ["batch.before_commit", "batch.after_commit"])
def test_what_was_acknowledged_survives_a_kill(
    db: Database, database_url: str, place: str, clock: FakeClock, ids: IdSource
) -> None:
    counters.create(db.write_engine)
    db.close()
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, database_url],
        check=False,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env=os.environ | {"HUB_TEST_BUILD": "1", "HUB_FAILPOINTS": f"{place}=4", "PYTHONPATH": str(ROOT)},
    )
    assert killed.returncode == -signal.SIGKILL
    acknowledged = set(killed.stdout.decode().split())
    again = Database.open(database_url, clock=clock, ids=ids)
    stored = set(again.read_now(counters.values))
    again.close()
    assert acknowledged
    assert acknowledged <= stored
    assert len(stored) < 200, "the process was killed before its end"
    if place == "batch.after_commit":
        assert stored - acknowledged, "the last commit is on disk though nobody was told"
