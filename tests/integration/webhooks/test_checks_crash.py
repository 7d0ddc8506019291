"""Checks 1 to 5: what a kill, a freeze and a database that goes away may cost. Real processes, real kills."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hub.storage.database import Database
from tests.integration.webhooks.processes import Hubs, Nursery
from tests.integration.webhooks.receiver import Post, Receiver, Script, black_hole, figure, says, slowly
from tests.integration.webhooks.world import World, world

pytestmark = pytest.mark.anyio

IN_FLIGHT = 8
ONE_COMMIT = 256


@asynccontextmanager
async def processes(
    nursery: Nursery, url: str, receiver: Receiver, *, factor: float = 1.0, lease_seconds: float = 2.0
) -> AsyncIterator[Hubs]:
    """Hub processes over a database with one endpoint. Leases are short, so that a killed process's lanes are soon free; their time is
    the machine's, whatever `factor` the clock runs at."""
    async with world(url, running=False) as hub:
        await hub.endpoint(receiver.url())
        account_id = hub.account_id
    async with nursery.over(url, account_id, factor=factor, lease_seconds=lease_seconds) as made:
        yield made


def assert_same_bytes(posts: list[Post]) -> None:
    """Every try of an event had the same body."""
    bodies: dict[str, bytes] = {}
    for post in posts:
        assert bodies.setdefault(post.id, post.body) == post.body


async def kill_under_load(nursery: Nursery, url: str, kills: int, events: int, *, factor: float = 1.0) -> None:
    chance = random.Random(1)
    async with (
        Receiver(script=slowly(0.002)) as receiver,
        processes(nursery, url, receiver, factor=factor) as hubs,
    ):
        published: list[str] = []
        for _ in range(kills):
            hub = await hubs.start()
            hub.order(publish=events, batch=8, pause=0.01)
            await asyncio.sleep(chance.uniform(0.02, 0.4))
            await hub.kill()
            published += hub.published
        print(f"  {kills} kills, {len(published)} events published so far", flush=True)
        last = await hubs.start()
        await last.publish(max(0, events - len(published)), batch=256)
        published += last.published
        await receiver.until_all(published)
        counts = Counter(receiver.ids())
        twice = sum(count - 1 for count in counts.values())
        figure("requests that came again, for each kill", twice / kills, IN_FLIGHT + ONE_COMMIT, "requests")
        assert_same_bytes(receiver.posts)


async def test_check_01_kill_at_random_moments_loses_nothing(nursery: Nursery, database_url: str) -> None:
    await kill_under_load(nursery, database_url, kills=5, events=600)


@pytest.mark.slow
async def test_check_01_soak(nursery: Nursery, database_url: str) -> None:
    """The clock runs fast, so that the kills lie minutes apart: after three in ten minutes a lane is careful and sends one at a time,
    which is what the everyday form kills; here it is killed with a full window."""
    await kill_under_load(nursery, database_url, kills=50, events=20_000, factor=500)


async def kill_before_first_send(nursery: Nursery, url: str, rounds: int) -> None:
    async with Receiver() as receiver, processes(nursery, url, receiver) as hubs:
        published: list[str] = []
        for number in range(rounds):
            hub = await hubs.start(running=number % 2 == 0)
            hub.order(publish=1)
            while not hub.published and await hub.says():
                pass
            await hub.kill()
            published += hub.published
        assert len(published) == rounds
        await hubs.start()
        await receiver.until_all(published)


async def test_check_02_kill_between_answer_and_first_send_loses_nothing(nursery: Nursery, database_url: str) -> None:
    await kill_before_first_send(nursery, database_url, 24)


@pytest.mark.slow
async def test_check_02_soak(nursery: Nursery, database_url: str) -> None:
    await kill_before_first_send(nursery, database_url, 500)


async def test_check_03_kill_while_a_retry_is_open_delivers_again(nursery: Nursery, database_url: str) -> None:
    turn = iter([says(500), black_hole])

    async def script(post: Post, writer: asyncio.StreamWriter) -> bool | None:
        chosen: Script = next(turn, says())
        return await chosen(post, writer)

    async with Receiver(script=script) as receiver, processes(nursery, database_url, receiver, factor=60) as hubs:
        hub = await hubs.start()
        await hub.publish(1)
        await receiver.until_count(2)
        await hub.kill()
        await hubs.start()
        await receiver.until_count(3)
        assert len(set(receiver.ids())) == 1
        assert [post.headers["x-attempt"] for post in receiver.posts] == ["1", "2", "2"]


# --- 4: a frozen process ---------------------------------------------------------------------------------------------


async def freeze(
    nursery: Nursery, url: str, lease_seconds: float, frozen_seconds: float, at_most_seconds: float | None = None
) -> None:
    async with Receiver(script=slowly(0.05)) as receiver, processes(nursery, url, receiver) as hubs:
        first = await hubs.start(node="first", lease_seconds=lease_seconds)
        await first.publish(400, batch=100)
        await receiver.until_count(20)
        first.signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)
        at_freeze = len(receiver.posts)
        frozen_at = time.monotonic()
        second = await hubs.start(node="second", lease_seconds=lease_seconds)
        await receiver.until_count(at_freeze + 1)
        if at_most_seconds is not None:
            assert receiver.posts[at_freeze].at - frozen_at <= at_most_seconds
        await receiver.until_all(first.published)
        await asyncio.sleep(max(0.0, frozen_seconds - (time.monotonic() - frozen_at)))
        before = await written_by(url, "first")
        first.signal(signal.SIGCONT)
        await first.publish(1)
        await receiver.until_all(first.published)
        assert await written_by(url, "first") == before
        # What it had in flight, answers that were not yet committed included.
        assert len(receiver.posts) - len(set(receiver.ids())) <= 2 * IN_FLIGHT
        del second


async def written_by(url: str, node: str) -> int:
    """Attempts in the log by a process."""
    async with world(url, running=False) as reader:
        return int(await reader.db.read(_count, node))


def _count(conn: object, node: str) -> int:
    statement = "select count(*) from wh_attempt where node like %s"
    return int(conn.exec_driver_sql(statement, (f"{node}-%",)).scalar_one())  # type: ignore[attr-defined]


@pytest.mark.postgresql
async def test_check_04_frozen_process_writes_nothing_after_another_took_over(
    nursery: Nursery, postgresql_url: str
) -> None:
    await freeze(nursery, postgresql_url, 1.5, 3.0)


@pytest.mark.slow
@pytest.mark.postgresql
async def test_check_04_soak(nursery: Nursery, postgresql_url: str) -> None:
    await freeze(nursery, postgresql_url, 15.0, 40.0, at_most_seconds=20.0)


async def test_check_04_on_sqlite_a_second_process_is_refused(sqlite_url: str) -> None:
    async with world(sqlite_url):
        with pytest.raises(Exception, match="already in use"):
            Database.open(sqlite_url, clock=None, ids=None)  # type: ignore[arg-type]


# --- 5: a database that goes away ------------------------------------------------------------------------------------


async def outage(hub: World, url: str, receiver: Receiver, seconds: float) -> None:
    """Load, the database away for a while, load again: nothing is lost, and almost nothing is tried meanwhile, though much waits."""
    await hub.endpoint(receiver.url())
    await hub.happen(600)
    await receiver.until_count(100)
    load = asyncio.create_task(keep_publishing(hub))
    await receiver.until_count(130)
    async with away(url):
        await asyncio.sleep(0.3)
        at_start = len(receiver.posts)
        await asyncio.sleep(seconds)
        assert len(receiver.posts) - at_start <= IN_FLIGHT
    await receiver.until(lambda: len(receiver.posts) > at_start + 20)
    load.cancel()
    await asyncio.wait([load])
    await hub.until_settled()
    assert {f"evt_{event.id}" for event in hub.events} <= set(receiver.ids())
    assert_same_bytes(receiver.posts)


async def keep_publishing(hub: World) -> None:
    """About 50 events a second; what is refused is published again, as a phone or a customer does."""
    while True:
        events = [hub.event()]
        while True:
            try:
                await hub.publish(events)
                break
            except Exception:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def away(url: str) -> AsyncIterator[None]:
    """The database answers nobody."""
    if url.startswith("sqlite"):
        import sqlite3

        other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)
        other.execute("begin immediate")
        yield
        other.execute("rollback")
        other.close()
        return
    import psycopg
    from sqlalchemy.engine import make_url

    target = make_url(url)
    admin_url = target.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"alter database {target.database} allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (target.database,))
        yield
        admin.execute(f"alter database {target.database} allow_connections true")


async def test_check_05_database_away_costs_no_storm_and_loses_nothing(database_url: str) -> None:
    async with Receiver(script=slowly(0.02)) as receiver, world(database_url) as hub:
        await outage(hub, database_url, receiver, 1.5)


@pytest.mark.slow
async def test_check_05_soak(database_url: str) -> None:
    async with Receiver(script=slowly(0.02)) as receiver, world(database_url) as hub:
        await outage(hub, database_url, receiver, 60.0)
