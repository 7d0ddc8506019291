"""The group-commit writer on both databases: what its callers may rely on."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import text

from hub.core.effects import Effect, LiveHint
from hub.core.errors import HubError
from hub.core.ids import IdSource
from hub.storage.commands import AnyUseCase
from hub.storage.database import Database
from hub.storage.transaction import Done, Refused, Tx
from tests.fakes import FakeClock
from tests.integration.storage import counters
from tests.integration.storage.counters import Add, Poison, add, add_loudly

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _table(db: Database) -> None:
    counters.create(db.write_engine)


class Gate:
    """A command that keeps every writer busy, so that what is submitted meanwhile makes one batch."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._open = threading.Event()
        self._entered = threading.Semaphore(0)

    async def shut(self) -> None:
        self._passing = self._db.writer.submit_soon(self._wait, 0)
        await asyncio.to_thread(self._entered.acquire)

    def _wait(self, _tx: Tx, commands: Sequence[int]) -> list[Done[int] | Refused]:
        self._entered.release()
        self._open.wait()
        return [Done(command) for command in commands]

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        self.open()
        await self._passing


@pytest.fixture
def gate(db: Database) -> Iterator[Gate]:
    made = Gate(db)
    yield made
    made.open()


async def test_a_command_returns_its_value_after_the_commit(db: Database) -> None:
    assert await db.writer.submit(add, Add("a", 2), "counter:a") == 2
    assert await db.read(counters.values) == {"a": (2, "+")}


async def test_effects_run_after_the_commit_and_before_the_answer(db: Database) -> None:
    seen: list[tuple[Effect, object, bool]] = []
    loop_thread = threading.get_ident()

    def on_effects(effects: Sequence[Effect]) -> None:
        assert threading.get_ident() == loop_thread
        stored = db.read_now(counters.values)
        seen.extend((effect, stored, future.done()) for effect in effects)

    db.writer.on_effects = on_effects
    future = db.writer.submit_soon(add, Add("a", 2), "counter:a")
    await future
    assert seen == [(LiveHint("account", "message", "a=2"), {"a": (2, "+")}, False)]


async def test_effects_that_fail_take_no_answer_away(db: Database) -> None:
    def on_effects(_effects: Sequence[Effect]) -> None:
        raise RuntimeError("a broken socket")

    db.writer.on_effects = on_effects
    assert await db.writer.submit(add, Add("a", 2)) == 2


async def test_a_refused_command_changes_nothing_and_its_neighbours_do_not_notice(db: Database, gate: Gate) -> None:
    await gate.shut()
    futures = [db.writer.submit_soon(add, Add("a", amount), "counter:a") for amount in (5, -9, 1)]
    gate.open()
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert results[0] == 5
    assert isinstance(results[1], HubError)
    assert results[1].code == "conflict"
    assert results[2] == 6
    assert await db.read(counters.values) == {"a": (6, "++")}


async def test_one_bad_command_fails_alone_and_the_others_keep_their_order(db: Database, gate: Gate) -> None:
    await gate.shut()
    futures = []
    for n in range(50):
        command = Poison("a", 1) if n in (7, 30) else Add("a", 1, chr(ord("A") + n))
        futures.append(db.writer.submit_soon(add, command, "counter:a"))
    gate.open()
    results = await asyncio.gather(*futures, return_exceptions=True)
    for n in (7, 30):
        error = results[n]
        assert isinstance(error, HubError)
        assert error.code == "internal"
        assert isinstance(error.__cause__, RuntimeError)
    trail = "".join(chr(ord("A") + n) for n in range(50) if n not in (7, 30))
    assert await db.read(counters.values) == {"a": (48, trail)}


async def test_commands_on_one_key_keep_arrival_order_across_use_cases(db: Database, gate: Gate) -> None:
    await gate.shut()
    use_cases: list[Callable[[Tx, Sequence[Add]], list[Done[int] | Refused]]] = [add, add_loudly, add_loudly, add]
    words = "abcdefghijklmnop"
    futures = [
        db.writer.submit_soon(use_cases[n % 4], Add("x", 1, word), "counter:x", f"other:{n}")
        for n, word in enumerate(words)
    ]
    gate.open()
    await asyncio.gather(*futures)
    expected = "".join(word.upper() if n % 4 in (1, 2) else word for n, word in enumerate(words))
    assert (await db.read(counters.values))["x"] == (16, expected)


async def test_order_holds_when_a_second_key_leads_to_another_writer(db: Database) -> None:
    futures = []
    for n in range(200):
        first_key = ("counter:x", f"lonely:{n}")[n % 2]
        second_key = (f"lonely:{n}", "counter:x")[n % 2]
        futures.append(db.writer.submit_soon((add, add_loudly)[n % 2], Add("x", 1, f"{n},"), first_key, second_key))
    await asyncio.gather(*futures)
    assert (await db.read(counters.values))["x"] == (200, "".join(f"{n}," for n in range(200)))


async def test_a_batch_calls_each_use_case_once_and_the_loop_once(
    db: Database, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
        sizes.append(len(commands))
        return add(tx, commands)

    await gate.shut()
    loop = asyncio.get_running_loop()
    wake_ups: list[object] = []
    original = loop.call_soon_threadsafe

    def counting(callback: Callable[..., object], *args: object, **options: object) -> asyncio.Handle:
        if callback == db.writer._resolve:
            wake_ups.append(callback)
        return original(callback, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
    futures = [db.writer.submit_soon(counted, Add(f"c{n}", 1), "one key for one writer") for n in range(100)]
    await gate.passed()
    await asyncio.gather(*futures)
    assert sizes == [100]
    assert len(wake_ups) == 2, "one for the gate, one for the hundred"


async def test_a_full_queue_refuses_with_a_time_to_come_back(
    database_url: str, db: Database, clock: FakeClock, ids: IdSource
) -> None:
    db.close()
    small = Database.open(database_url, clock=clock, ids=ids, writer_queue=5)
    gate = Gate(small)
    await gate.shut()
    free = 5 - small.writer.waiting
    futures = [small.writer.submit_soon(add, Add("a", 1), "counter:a") for _ in range(free)]
    with pytest.raises(HubError) as refused:
        await small.writer.submit(add, Add("a", 1), "counter:a")
    assert (refused.value.code, refused.value.status) == ("queue_full", 503)
    await gate.passed()
    await asyncio.gather(*futures)
    assert await small.writer.submit(add, Add("a", 1), "counter:a") == free + 1
    small.close()


async def test_a_cancelled_caller_disturbs_nobody(db: Database, gate: Gate) -> None:
    await gate.shut()
    gone = asyncio.create_task(db.writer.submit(add, Add("a", 1), "counter:a"))
    await asyncio.sleep(0)
    stays = db.writer.submit_soon(add, Add("a", 1), "counter:a")
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.open()
    assert await stays == 2, "the command itself was already on its way"


async def test_closing_commits_what_waits(
    database_url: str, db: Database, gate: Gate, clock: FakeClock, ids: IdSource
) -> None:
    await gate.shut()
    futures = [db.writer.submit_soon(add, Add("a", 1), "counter:a") for _ in range(20)]
    gate.open()
    db.close()
    assert await asyncio.gather(*futures) == list(range(1, 21))
    with pytest.raises(HubError) as refused:
        await db.writer.submit(add, Add("a", 1))
    assert refused.value.code == "shutting_down"
    again = Database.open(database_url, clock=clock, ids=ids)
    assert again.read_now(counters.values)["a"][0] == 20
    again.close()


def _passing_fault(code: str) -> AnyUseCase:
    calls: list[int] = []

    def fault_then_add(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
        calls.append(len(commands))
        done = add(tx, commands)
        if len(calls) == 1:
            tx.conn.execute(text(f"do $$ begin raise exception using errcode = '{code}'; end $$"))
        return done

    return fault_then_add


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_a_batch_that_met_another_transaction_runs_again(db: Database, code: str) -> None:
    use_case = _passing_fault(code)
    assert await db.writer.submit(use_case, Add("a", 3)) == 3
    assert await db.read(counters.values) == {"a": (3, "+")}


async def test_a_swallowed_database_error_is_not_acknowledged(db: Database) -> None:
    def swallow(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
        done = add(tx, commands)
        if db.dialect == "sqlite":
            tx.conn.exec_driver_sql("rollback")  # what SQLite does by itself when the disk is full
        else:
            with pytest.raises(Exception, match="nowhere"):
                tx.conn.execute(text("select * from nowhere"))
        return done

    with pytest.raises(HubError) as refused:
        await db.writer.submit(swallow, Add("a", 1))
    assert refused.value.code == "internal"
    assert await db.read(counters.values) == {}
    assert await db.writer.submit(add, Add("a", 1)) == 1


async def test_an_outcome_too_few_is_the_use_cases_fault(db: Database) -> None:
    def forgetful(_tx: Tx, _commands: Sequence[Add]) -> list[Done[int] | Refused]:
        return []

    with pytest.raises(HubError) as refused:
        await db.writer.submit(forgetful, Add("a", 1))
    assert refused.value.code == "internal"


async def test_errors_carry_no_parameters(db: Database) -> None:
    with pytest.raises(Exception, match="nowhere") as failed:
        await db.read(lambda conn: conn.execute(text("select :body from nowhere"), {"body": "a secret text"}))
    assert "a secret text" not in str(failed.value)


async def test_readers_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match=r"readonly|read-only"):
        await db.read(lambda conn: conn.execute(counters.COUNTER.insert().values(name="a", value=1, trail="")))
    assert await db.read(counters.values) == {}


async def test_a_read_sees_one_moment(db: Database) -> None:
    await db.writer.submit(add, Add("a", 1))
    half_way, go_on = threading.Event(), threading.Event()

    def twice(conn: object) -> tuple[object, object]:
        before = counters.values(conn)  # type: ignore[arg-type]
        half_way.set()
        go_on.wait()
        return before, counters.values(conn)  # type: ignore[arg-type]

    reading = asyncio.ensure_future(db.read(twice))
    await asyncio.to_thread(half_way.wait)
    await db.writer.submit(add, Add("a", 1))
    go_on.set()
    before, after = await reading
    assert before == after == {"a": (1, "+")}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_disk_fails_everybody_and_is_forgotten_when_there_is_room(db: Database) -> None:
    def fill_up(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
        (pages,) = tx.conn.exec_driver_sql("pragma page_count").one()
        tx.conn.exec_driver_sql(f"pragma max_page_count = {pages}")
        tx.conn.exec_driver_sql("create table no_room_for_this (x)")
        return add(tx, commands)

    failing = [db.writer.is_failing]
    with pytest.raises(HubError) as full:
        await db.writer.submit(fill_up, Add("a", 1))
    assert full.value.code == "storage_unavailable"
    failing.append(db.writer.is_failing)
    assert await db.writer.submit(add, Add("a", 1)) == 1
    failing.append(db.writer.is_failing)
    assert failing == [False, True, False]
