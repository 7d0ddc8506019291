"""Checks 9 to 13: outages, flapping, the spread of retries, Retry-After, and 410. Hours pass in seconds by one clock factor."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate

import pytest
from sqlalchemy import Connection, text

from hub.clock import SystemClock
from hub.core.events import EventType
from tests.integration.webhooks.receiver import Post, Receiver, Script, answer, black_hole, figure, says
from tests.integration.webhooks.world import World, eventually, webhook_ids, world

pytestmark = pytest.mark.anyio


def by_time(clock: SystemClock, since: int, choose: Callable[[float], Script]) -> Script:
    """An answer that depends on how many seconds have gone since a moment of the hub's clock."""

    async def script(post: Post, writer: asyncio.StreamWriter) -> bool | None:
        return await choose((clock.now() - since) / 1000)(post, writer)

    return script


# --- 9: back after an outage -----------------------------------------------------------------------------------------


async def outage(url: str, *, factor: float, hours: float, events: int, is_measured: bool = False) -> None:
    async with Receiver(script=says(503)) as receiver, world(url, factor=factor) as hub:
        made = await hub.endpoint(receiver.url())
        await hub.happen(events)
        await asyncio.sleep(hours * 3600 / factor)
        back_at = hub.clock.now()
        seen = len(receiver.posts)
        receiver.script = says(200)
        # Twenty results open the breaker, with a window's worth under way; then one probe for each cool-down: seven up to ten minutes (and
        # a fifth less), and those that last.
        assert seen <= 20 + 8 + 7 + hours * 3600 / 480
        # The cool-down that runs is never longer than 10 minutes and a fifth, however long the outage.
        cool_down = await hub.db.read(cool_down_until, made.endpoint.id) - hub.clock.now()
        assert cool_down <= 12 * 60 * 1000
        await receiver.until_count(seen + 1)
        noticed_at = hub.clock.now()
        rows = await hub.until_settled()
        assert Counter(row.state for row in rows) == {"ok": events}
        # While it was away, one probe at a time: the events used up no tries on it.
        assert max(row.attempts for row in rows) <= 6
        if is_measured:
            figure("seconds until the return is noticed", (noticed_at - back_at) / 1000, 12 * 60 + 0.25 * factor, "s")
            drained = (max(row.done_at or 0 for row in rows) - back_at) / 1000
            figure("seconds until all is delivered", drained, 20 * 60 + 0.5 * factor, "s")


def cool_down_until(conn: Connection, endpoint_id: str) -> int:
    statement = text("select breaker from wh_lane where endpoint_id = :id")
    return int(json.loads(conn.execute(statement, {"id": endpoint_id}).scalar_one())["open_until"])


async def test_check_09_recovery_is_noticed_and_the_backlog_drains(database_url: str) -> None:
    await outage(database_url, factor=1200, hours=1.5, events=300)


@pytest.mark.slow
async def test_check_09_soak(database_url: str) -> None:
    """Eight hours in three minutes."""
    await outage(database_url, factor=160, hours=8, events=10_000, is_measured=True)


# --- 10: flapping ----------------------------------------------------------------------------------------------------


async def flapping(url: str, *, factor: float, minutes: float, per_second: float) -> None:
    async with Receiver() as receiver, world(url, factor=factor) as hub:
        start = hub.clock.now()
        receiver.script = by_time(hub.clock, start, lambda seconds: says(200 if seconds % 60 < 30 else 503))
        made = await hub.endpoint(receiver.url())
        while (hub.clock.now() - start) / 1000 < minutes * 60:
            elapsed = (hub.clock.now() - start) / 1000
            due = int(elapsed * per_second) - len(hub.events)
            if due > 0:
                await hub.happen(due)
            await asyncio.sleep(0.01)
        rows = await hub.until_settled()
        assert {row.state for row in rows} == {"ok"}
        assert len(receiver.posts) <= 1.5 * len(hub.events)
        assert (await hub.webhooks.get(hub.account_id, made.endpoint.id)).state == "active"


async def test_check_10_flapping_endpoint_gets_everything_and_is_not_hammered(database_url: str) -> None:
    await flapping(database_url, factor=180, minutes=15, per_second=3)


@pytest.mark.slow
async def test_check_10_soak(database_url: str) -> None:
    await flapping(database_url, factor=10, minutes=20, per_second=10)


# --- 11: spread ------------------------------------------------------------------------------------------------------


async def spread(url: str, *, factor: float, endpoints: int) -> None:
    """404 says "this request is wrong", which the breaker lets pass seven times: the schedule alone decides.

    The seventh wait is 640 s and a fifth more or less: a range of 256 s, so that of n that failed at one moment n/256 come back in a
    second on the average, and chance alone makes some seconds fuller. That one of 256 binomial counts exceeds 3 % has a probability of
    0.09 for n = 150, 1 in 9,000 for 300, 1 in 360,000 for 400, and 1 in 10¹⁵ for 1,000: with fewer than 400 endpoints the test would
    judge chance. Waits before the seventh are spread too, which makes it less likely still. The eighth try is never answered, so that
    all stand in the seventh wait in the end, however long a slow machine takes to see it.
    """
    assert endpoints >= 400
    tries_of: Counter[str] = Counter()

    async def script(post: Post, writer: asyncio.StreamWriter) -> bool | None:
        tries_of[post.path] += 1
        return await (says(404) if tries_of[post.path] <= 7 else black_hole)(post, writer)

    async with Receiver(script=script) as receiver, world(url, factor=factor) as hub:
        made = (hub.endpoint(receiver.url(f"/{number}"), timeout_seconds=60) for number in range(endpoints))
        await asyncio.gather(*made)
        await hub.happen()

        async def all_tried() -> object:
            tries = [row.attempts for row in await hub.deliveries()]
            return True if min(tries) >= 7 else sum(tries)

        await eventually(all_tried)
        rows = await hub.deliveries()
        assert [row.attempts for row in rows] == [7] * endpoints
        buckets = Counter((row.due_at or 0) // 1000 for row in rows)
        assert max(buckets.values()) <= 0.03 * endpoints


async def test_check_11_failures_of_one_moment_do_not_come_back_in_one(database_url: str) -> None:
    await spread(database_url, factor=300, endpoints=400)


@pytest.mark.slow
async def test_check_11_soak(database_url: str) -> None:
    await spread(database_url, factor=60, endpoints=1000)


# --- 12: Retry-After -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_date", [False, True], ids=["seconds", "date"])
async def test_check_12_retry_after_holds_the_whole_endpoint(database_url: str, is_date: bool) -> None:
    factor = 60.0
    clock = SystemClock(factor)
    if is_date:
        clock._wall_at_start += (
            600  # the hub's clock is ten minutes fast; the date is measured against the answer's own
        )
    async with Receiver() as receiver, world(database_url, clock=clock) as hub:

        async def too_many(_post: Post, writer: asyncio.StreamWriter) -> None:
            real = 1_790_000_000
            wait = formatdate(real + 120, usegmt=True) if is_date else "120"
            writer.write(answer(429, b"", ("Retry-After", wait), ("Date", formatdate(real, usegmt=True))))

        receiver.script = too_many
        made = await hub.endpoint(receiver.url(), max_inflight=1)
        await hub.happen(5)
        await receiver.until_count(1)
        receiver.script = says(200)
        asked_at = clock.now()

        async def paused_until() -> int | None:
            return (await hub.webhooks.get(hub.account_id, made.endpoint.id)).health.paused_until

        async def is_paused() -> bool:
            return await paused_until() is not None

        await eventually(is_paused)
        until = await paused_until() or 0
        # As long as was asked for, and up to a tenth more; a second of the date's own roughness.
        assert asked_at + 119_000 <= until <= clock.now() + 145_000
        await hub.happen(5)
        await receiver.until_count(2)
        assert clock.now() >= until
        rows = await hub.until_settled()
        assert {row.state for row in rows} == {"ok"}


# --- 13: 410 ---------------------------------------------------------------------------------------------------------


async def gone(hub: World, receiver: Receiver) -> str:
    """An endpoint that was switched off by 410, with events held; its id."""
    receiver.script = by_path({"/gone": says(410, b"bye")})
    made = await hub.endpoint(receiver.url("/gone"), event_types=("sms:sent",))
    await hub.endpoint(receiver.url("/notices"), event_types=("endpoint:disabled",))
    await hub.happen()
    await receiver.until(lambda: bool(receiver.of("/notices")))
    return made.endpoint.id


def by_path(scripts: dict[str, Script]) -> Script:
    async def script(post: Post, writer: asyncio.StreamWriter) -> bool | None:
        return await scripts.get(post.path, says())(post, writer)

    return script


async def test_check_13_gone_stops_everything_and_held_events_arrive_once(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        endpoint_id = await gone(hub, receiver)
        notice = json.loads(receiver.of("/notices")[0].body)
        assert notice["type"] == "endpoint:disabled"
        assert notice["data"]["endpoint_id"] == f"whk_{endpoint_id}"
        assert notice["data"]["reason"] == "gone"
        at_notice = len(receiver.of("/gone"))
        assert at_notice == 1
        held = hub.events + await hub.happen(25)
        await asyncio.sleep(0.5)
        assert len(receiver.of("/gone")) == at_notice
        assert {row.state for row in await hub.deliveries(endpoint_id=endpoint_id)} == {"held"}
        receiver.script = says(200)
        await hub.webhooks.enable(hub.account_id, endpoint_id, "send")
        await receiver.until(lambda: len(receiver.of("/gone")) >= at_notice + 26)
        await hub.until_settled(endpoint_id=endpoint_id)
        arrived = Counter(post.id for post in receiver.of("/gone")[at_notice:])
        assert arrived == Counter(set(webhook_ids(held)))


async def test_check_13_enable_with_since_or_drop_leaves_the_rest_unsent(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        endpoint_id = await gone(hub, receiver)
        await hub.happen(3)
        await asyncio.sleep(0.02)
        since = hub.clock.now()
        newer = await hub.happen(2, type=EventType.SMS_SENT)
        receiver.script = says(200)
        before = len(receiver.of("/gone"))
        await hub.webhooks.enable(hub.account_id, endpoint_id, "since", since)
        await receiver.until(lambda: len(receiver.of("/gone")) >= before + 2)
        rows = await hub.until_settled(endpoint_id=endpoint_id)
        assert Counter(row.why for row in rows) == {"ok": 2, "dropped": 4}
        assert [post.id for post in receiver.of("/gone")[before:]] == webhook_ids(newer)
