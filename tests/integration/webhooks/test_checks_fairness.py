"""Checks 6 to 8: a slow, dead or flooded endpoint is nobody else's trouble.

The everyday forms hold it by order and by counting: what came before what, on a machine that may be busy with other things. The soaks
hold the figures, from the commit of an event to its arrival, on the same machine in the same process as the receiver.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pytest
from sqlalchemy import Connection, text

from hub.core.events import EventType
from hub.core.ids import render
from hub.storage.transaction import Done, Tx
from hub.webhooks.records import EndpointChanges
from tests.integration.webhooks.receiver import Receiver, black_hole, figure, slowly
from tests.integration.webhooks.world import World, webhook_ids, world

pytestmark = pytest.mark.anyio


async def healthy_p99(hub: World, receiver: Receiver, seconds: float, per_second: float) -> float:
    """One event at a time to 20 healthy endpoints; seconds from commit to arrival, at the 99th percentile."""
    return p99(await healthy_times(hub, receiver, seconds, per_second))


def p99(times: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(times)[int(len(times) * 0.99)]


async def healthy_times(hub: World, receiver: Receiver, seconds: float, per_second: float) -> list[float]:
    """Of each arrival, the seconds since the commit."""
    published: dict[str, float] = {}
    before = len(receiver.posts)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        (event,) = await hub.happen(type=EventType.SMS_DELIVERED)
        published[render("event", event.id)] = time.monotonic()
        await asyncio.sleep(1 / per_second)
    await receiver.until(lambda: len(receiver.posts) >= before + 20 * len(published))
    return [post.at - published[post.id] for post in receiver.posts[before:] if post.id in published]


@dataclass(frozen=True)
class Flood:
    """What a black hole is sent while the others are measured in `rounds` of `seconds`."""

    events: int
    rounds: int
    seconds: float
    timeout_seconds: int
    """Of the black hole: whether its requests end while it is flooded."""


async def beside_a_black_hole(url: str, flood: Flood) -> tuple[list[list[float]], list[list[float]]]:
    """The healthy endpoints' times by round, before and while two others take events and answer none: their windows are more than all
    places of the hub."""
    async with Receiver() as receiver, Receiver(script=black_hole) as hole, world(url, max_in_flight=80) as hub:
        for number in range(20):
            await hub.endpoint(receiver.url(f"/{number}"), event_types=("sms:delivered",))
        await healthy_p99(hub, receiver, 0.5, 20)
        alone = [await healthy_times(hub, receiver, flood.seconds, 20) for _ in range((flood.rounds + 1) // 2)]
        silent = {"event_types": ("sms:failed",), "max_inflight": 64, "timeout_seconds": flood.timeout_seconds}
        made, _ = [await hub.endpoint(hole.url(path), **silent) for path in ("/1", "/2")]
        batch = max(1, round(flood.events / (flood.rounds * flood.seconds * 10)))

        async def pour() -> None:
            for _ in range(flood.events // batch):
                await hub.happen(batch, type=EventType.SMS_FAILED)
                await asyncio.sleep(0.1)

        load = asyncio.create_task(pour())
        await hole.until_count(20)
        beside = []
        for number in range(flood.rounds):
            beside.append(await healthy_times(hub, receiver, flood.seconds, 20))
            print(f"  round {number + 1} of {flood.rounds}: p99 {p99(beside[-1]) * 1000:.0f} ms", flush=True)
        await load
        assert await hub.db.read(count_done, made.endpoint.id) == 0
        assert len(await hub.deliveries(endpoint_id=made.endpoint.id)) == flood.events // batch * batch
        if flood.timeout_seconds > flood.rounds * flood.seconds * 10:
            # All that went to the others came while the hole still held its first requests open: nobody waited for their end.
            assert {row.attempts for row in await hub.deliveries(endpoint_id=made.endpoint.id)} == {0}
        return alone, beside


async def test_check_06_black_hole_starves_nobody(database_url: str) -> None:
    await beside_a_black_hole(database_url, Flood(150, rounds=1, seconds=3.0, timeout_seconds=60))


@pytest.mark.slow
async def test_check_06_soak(database_url: str) -> None:
    """As many events as come in ten minutes of 50 a second, in two: the hole's requests time out, its breaker opens, and opens again."""
    alone, beside = await beside_a_black_hole(database_url, Flood(30_000, rounds=10, seconds=12.0, timeout_seconds=10))
    figure("p99 beside a black hole", p99([took for times in beside for took in times]) * 1000, 500, "ms")
    usual = statistics.median(map(p99, alone)) * 1000
    of_rounds = statistics.median(map(p99, beside)) * 1000
    figure(f"p99 beside a black hole, median of the rounds ({usual:.1f} ms alone)", of_rounds, usual * 1.2 + 5, "ms")


# --- 7 and 8: backlogs ----------------------------------------------------------------------------------------------------


def stuff(tx: Tx, commands: Sequence[tuple[str, int, str]]) -> list[Done[None]]:
    """Use case: `count` pending deliveries for one endpoint at once, as an outage of weeks would leave them."""
    for account_id, count, endpoint_id in commands:
        numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < :count)"
        values = {"account": account_id, "endpoint": endpoint_id, "count": count, "now": tx.now}
        tx.conn.execute(
            text(
                f"""{numbers} insert into wh_event (id, account_id, type, occurred_at, created_at, data)
select 'old' || i, :account, 'sms:queued', :now, :now, '{{}}' from n"""
            )
            if tx.dialect == "sqlite"
            else text(
                f"""insert into wh_event (id, account_id, type, occurred_at, created_at, data)
{numbers} select 'old' || i, :account, 'sms:queued', :now, :now, '{{}}' from n"""
            ),
            values,
        )
        tx.conn.execute(
            text(
                """insert into wh_delivery (account_id, endpoint_id, endpoint_version, format, target_key, event_seq, run, queue,
  order_key, state, due_at, attempts, created_at)
select account_id, :endpoint, 1, 'standard', '', seq, 0, 0, '', 0, :now, 0, :now from wh_event where id like 'old%'"""
            ),
            values,
        )
    return [Done(None) for _ in commands]


def count_done(conn: Connection, endpoint_id: str) -> int:
    statement = text("select count(*) from wh_delivery where endpoint_id = :id and state = 2")
    return int(conn.execute(statement, {"id": endpoint_id}).scalar_one())


async def behind_a_backlog(url: str, backlog: int, *, at_most_seconds: float | None = None) -> None:
    async with Receiver() as receiver, Receiver(script=slowly(0.05)) as flooded, world(url) as hub:
        made = await hub.endpoint(flooded.url(), event_types=("sms:queued",))
        for number in range(100):
            await hub.endpoint(receiver.url(f"/{number}"), event_types=("sms:sent",))
        await hub.db.writer.submit(stuff, (hub.account_id, backlog, made.endpoint.id))
        hub.deliverer.wake()
        await flooded.until_count(10)
        before = len(flooded.posts)
        (event,) = await hub.happen()
        at = time.monotonic()
        await receiver.until_count(100)
        assert {post.id for post in receiver.posts} == set(webhook_ids([event]))
        assert len(flooded.posts) - before < backlog / 20
        assert (await hub.webhooks.get(hub.account_id, made.endpoint.id)).health.pending > 1000
        if at_most_seconds is not None:
            took = max(post.at for post in receiver.posts) - at
            figure("seconds until the hundred others have theirs", took, at_most_seconds, "s")


async def test_check_07_backlog_of_one_endpoint_delays_no_other(database_url: str) -> None:
    await behind_a_backlog(database_url, 30_000)


@pytest.mark.slow
async def test_check_07_soak(database_url: str) -> None:
    await behind_a_backlog(database_url, 200_000, at_most_seconds=2.0)


@pytest.mark.slow
async def test_check_07_soak_of_the_others_p99(database_url: str, second_database_url: str) -> None:
    """Two hubs over databases of their own, of which one has the backlog, measured in turns: ratios of neighbouring rounds, since a machine
    that is busy for a while is so for both. The backlog is sent only in the rounds of its own hub."""
    ratios, alone, beside = [], list[float](), list[float]()
    async with (
        Receiver() as receiver,
        Receiver(script=slowly(0.4)) as flooded,
        world(database_url, node="without") as without,
        world(second_database_url, node="with") as having,
    ):
        for hub in (without, having):
            for number in range(20):
                await hub.endpoint(receiver.url(f"/{number}"), event_types=("sms:delivered",))
        made = await having.endpoint(flooded.url(), event_types=("sms:queued",), state="paused")
        await having.db.writer.submit(stuff, (having.account_id, 200_000, made.endpoint.id))
        for _ in range(3):  # until caches are warm, and the disk has what 200,000 rows at once have left to write
            await healthy_times(without, receiver, 4.0, 20)
            await healthy_times(having, receiver, 4.0, 20)
        for number in range(9):
            before = await healthy_times(without, receiver, 5.0, 20)
            await switch(having, made.endpoint.id, "active")
            sent = len(flooded.posts)
            await flooded.until_count(sent + 10)
            after = await healthy_times(having, receiver, 5.0, 20)
            await switch(having, made.endpoint.id, "paused")
            ratios.append(p99(after) / p99(before))
            alone += before
            beside += after
            print(
                f"  round {number + 1}: {p99(before) * 1000:.1f} ms without, {p99(after) * 1000:.1f} with", flush=True
            )
        assert await having.db.read(count_done, made.endpoint.id) < 100_000
    print(f"  of all rounds together: {p99(alone) * 1000:.1f} ms without, {p99(beside) * 1000:.1f} with", flush=True)
    figure("p99 beside a backlog against without, median of the rounds", statistics.median(ratios), 1.2, "times")


async def switch(hub: World, endpoint_id: str, state: Literal["active", "paused"]) -> None:
    """Let an endpoint be sent to, or not."""
    await hub.webhooks.update(hub.account_id, endpoint_id, EndpointChanges(state=state))


async def drained(url: str, backlog: int, *, p99_seconds: float | None = None) -> None:
    """A receiver that takes 20 ms, a window of 64: at best 3,200 a second. Meanwhile one fresh event after the other elsewhere."""
    async with Receiver() as fresh, Receiver(script=slowly(0.02)) as slow, world(url) as hub:
        made = await hub.endpoint(slow.url(), event_types=("sms:queued",), max_inflight=64)
        await hub.endpoint(fresh.url(), event_types=("sms:sent",))
        await hub.db.writer.submit(stuff, (hub.account_id, backlog, made.endpoint.id))
        hub.deliverer.wake()
        delays, passed, done = [], [], 0
        started, before = time.monotonic(), len(slow.posts)
        while done < backlog:
            seen = len(slow.posts)
            (event,) = await hub.happen()
            at = time.monotonic()
            await fresh.until_all(webhook_ids([event]))
            delays.append(time.monotonic() - at)
            passed.append(len(slow.posts) - seen)
            await asyncio.sleep(0.03)
            done = await hub.db.read(count_done, made.endpoint.id)
        assert len(slow.posts) - before == backlog
        # Of the backlog at most a part went by while a fresh event was on its way: it did not stand behind it.
        assert sorted(passed)[int(len(passed) * 0.99)] < backlog / 4
        if p99_seconds is not None:
            figure("p99 of fresh events elsewhere", sorted(delays)[int(len(delays) * 0.99)], p99_seconds, "s")
            figure("seconds until the backlog is gone", time.monotonic() - started, 15, "s")


async def test_check_08_backlog_drains_at_the_windows_speed(database_url: str) -> None:
    await drained(database_url, 3_000)


@pytest.mark.slow
async def test_check_08_soak(database_url: str) -> None:
    await drained(database_url, 10_000, p99_seconds=0.25)
