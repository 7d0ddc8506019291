"""Checks 21 to 25: clocks, duplicates, rotation, order, and replays: what must hold exactly."""

import asyncio
import hmac
import json
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, cast

import pytest
from standardwebhooks.webhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError as NotVerified
from svix.webhooks import Webhook as SvixWebhook

from hub.clock import SystemClock
from hub.core.events import EventType, ReceivedData
from hub.core.ids import render
from hub.devices.event_log import store_told
from hub.storage.transaction import UseCase
from hub.webhooks.outbox import NewEvent
from hub.webhooks.records import DeliveryFilter
from tests.integration.devices.handsets import Handset
from tests.integration.messages.world import World as MessagesWorld
from tests.integration.webhooks.processes import Nursery
from tests.integration.webhooks.receiver import Post, Receiver, answer, black_hole, says, slowly
from tests.integration.webhooks.world import AT, World, eventually, webhook_ids, world

pytestmark = pytest.mark.anyio

TEN_MINUTES = 600.0


# --- 21: clocks -----------------------------------------------------------------------------------------------------------


class WrongClock(SystemClock):
    """A hub that was started with its clock this far off."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._wall_at_start += seconds


def verifies(post: Post, secret: str) -> bool:
    """On a correct clock, with the five minutes a receiver allows."""
    try:
        Webhook(secret).verify(post.body, post.headers)
    except NotVerified:
        return False
    return True


async def with_date(_post: Post, writer: asyncio.StreamWriter) -> None:
    """Answers as real servers do: with the time it has."""
    stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    writer.write(answer(200, b"", ("Date", stamp)))


@pytest.mark.parametrize("off", [TEN_MINUTES, -TEN_MINUTES], ids=["fast", "slow"])
async def test_check_21_a_hub_started_with_a_wrong_clock_signs_the_right_time(database_url: str, off: float) -> None:
    receivers = [Receiver(script=with_date, host=f"127.0.0.{n}") for n in range(1, 7)]
    async with world(database_url, clock=WrongClock(off)) as hub:
        secrets = []
        for receiver in receivers:
            await receiver.listen()
            secrets.append((await hub.endpoint(receiver.url())).secret)
        await hub.happen()
        for receiver in receivers:
            await receiver.until_count(1)
        await hub.until_settled()
        # PostgreSQL has told the right time from the start; on SQLite the receivers' own clocks have by now.
        await hub.happen()
        for receiver, secret in zip(receivers, secrets, strict=True):
            await receiver.until_count(2)
            assert verifies(receiver.posts[-1], secret)
        assert any("clock" in alert for alert in hub.deliverer.alerts())
        rows = await hub.until_settled()
        assert [row.attempts for row in rows] == [1] * 12
        for receiver in receivers:
            await receiver.close()


async def test_check_21_a_step_of_the_machines_clock_changes_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver(script=says(500)) as receiver, world(sqlite_url, factor=20) as hub:
        await hub.endpoint(receiver.url(), schedule=(10.0, 10.0))
        await hub.happen()
        await receiver.until_count(1)
        before = hub.clock.now()
        wall = time.time
        monkeypatch.setattr(time, "time", lambda: wall() + TEN_MINUTES)
        assert hub.clock.now() - before < TEN_MINUTES * 1000
        await receiver.until_count(2)
        again = hub.clock.now()
        assert again - before >= 7_900, "not early: 10 s and a fifth less"
        monkeypatch.setattr(time, "time", lambda: wall() - TEN_MINUTES)
        assert hub.clock.now() >= again
        await receiver.until_count(3)
        (row,) = await hub.until_settled()
        assert (row.state, row.attempts) == ("dead", 3)


# --- 22: the same event again ---------------------------------------------------------------------------------------------


@dataclass
class Desk:
    """What a `Handset` needs of a world, over a running hub."""

    hub: World

    @property
    def clock(self) -> SystemClock:
        return self.hub.clock

    def new_id(self) -> str:
        return self.hub.new_id()

    def do(self, use_case: UseCase[Any, Any], command: Any) -> Any:
        return self.hub.db.write_now(use_case, command)


async def test_check_22_one_device_event_told_again_and_again_is_one_webhook(database_url: str) -> None:
    async with Receiver() as receiver:
        async with world(database_url) as hub:
            account_id = hub.account_id
            for path in ("/a", "/b"):
                await hub.endpoint(receiver.url(path), event_types=("sms:received",))
            phone = Handset(cast(MessagesWorld, Desk(hub)))
            phone.account_id = account_id
            phone.enrol()
            phone.hello()
            told = phone.told(phone.text("once"))
            key = f"device:{phone.device_id}"
            await asyncio.gather(*(hub.db.writer.submit(store_told, told, key) for _ in range(10)))
            await receiver.until_count(2)
        async with world(database_url, account_id=account_id) as hub:
            await asyncio.gather(*(hub.db.writer.submit(store_told, told, key) for _ in range(5)))
            await hub.happen(type=EventType.SMS_SENT)
            rows = await hub.until_settled()
        assert [(len(receiver.of(path)), len(set(receiver.ids()))) for path in ("/a", "/b")] == [(1, 1), (1, 1)]
        assert len(rows) == 2


# --- 23: rotation ---------------------------------------------------------------------------------------------------------


async def test_check_23_rotation_under_load_never_fails_a_verification(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        standard = await hub.endpoint(receiver.url("/standard"), signing="ed25519")
        smsgate = await hub.endpoint(receiver.url("/smsgate"), format="smsgate")
        await hub.publish([hub.event() for _ in range(60)])
        load = asyncio.create_task(at_a_rate(hub, 200))
        await receiver.until_count(150)
        before = receiver.of("/standard")
        rotated = await hub.webhooks.rotate(hub.account_id, standard.endpoint.id)
        told_before = {*webhook_ids(hub.events)}
        cut = await hub.webhooks.rotate(hub.account_id, smsgate.endpoint.id, grace_seconds=1)
        rotated_at = time.monotonic()
        await receiver.until(lambda: receiver.posts[-1].at > rotated_at + 2.2)
        load.cancel()
        await asyncio.wait([load])
        await hub.until_settled()
        after = [post for post in receiver.of("/standard") if post.id not in told_before]
        assert before
        assert after
        for post in [*before, *after]:
            Webhook(standard.secret).verify(post.body, post.headers)
        for post in after:
            Webhook(rotated.secret).verify(post.body, post.headers)
            svix = {name.replace("webhook-", "svix-"): value for name, value in post.headers.items()}
            for secret in (standard.secret, rotated.secret):
                SvixWebhook(secret).verify(post.body, svix)
            with pytest.raises(NotVerified):
                Webhook(rotated.secret).verify(post.body[:-1] + b" ", post.headers)
        # A format with one signature is signed with the old secret until its grace ends, then with the new one.
        cut_at = (cut.old_expires_at or 0) // 1000
        signed = Counter(_signed_with(post, smsgate.secret, cut.secret, cut_at) for post in receiver.of("/smsgate"))
        assert set(signed) == {"old, before", "new, after"}


def _signed_with(post: Post, old: str, new: str, cut_at: int) -> str:
    stamp = post.headers["x-timestamp"]
    for name, secret in (("old", old), ("new", new)):
        made = hmac.digest(secret.encode(), post.body + stamp.encode(), "sha256").hex()
        if made == post.headers["x-signature"]:
            when = "before" if int(stamp) < cut_at or (int(stamp) == cut_at and name == "old") else "after"
            return f"{name}, {when}"
    return "neither"


async def at_a_rate(hub: World, per_second: int) -> None:
    while True:
        await hub.happen(per_second // 50)
        await asyncio.sleep(0.02)


# --- 24: order ------------------------------------------------------------------------------------------------------------


async def order(url: str, mode: str, *, conversations: int, events: int) -> None:
    chance = random.Random(24)

    succeeded: dict[str, list[int]] = defaultdict(list)

    async def script(post: Post, writer: asyncio.StreamWriter) -> None:
        status = 500 if chance.random() < 0.1 else 200
        if status == 200:
            body = json.loads(post.body)
            numbers = succeeded[body["data"]["conversation_id"] if mode == "conversation" else ""]
            if body["seq"] not in numbers:  # at least once: a try whose answer came too late is made again
                numbers.append(body["seq"])
        writer.write(answer(status, b""))

    async with Receiver(script=script) as receiver, world(url, factor=120) as hub:
        await hub.endpoint(receiver.url(), order_mode=mode, max_inflight=32)
        threads = [hub.new_id() for _ in range(conversations)]
        for _ in range(events):
            await hub.publish([_in_thread(hub, thread) for thread in threads])
        rows = await hub.until_settled()
        assert {row.state for row in rows} == {"ok"}
        total = sum(len(numbers) for numbers in succeeded.values())
        assert total == conversations * events
        for numbers in succeeded.values():
            assert numbers == sorted(set(numbers))
        assert len(succeeded) == (conversations if mode == "conversation" else 1)


def _in_thread(hub: World, thread: str) -> NewEvent:
    message_id = hub.new_id()
    data = ReceivedData(
        id=render("message", message_id), from_="+15550123", text="Hello", conversation_id=thread, received_at=AT
    )
    now = hub.clock.now()
    return NewEvent(
        hub.new_id(), hub.account_id, EventType.SMS_RECEIVED, now, data, message_id=message_id, conversation_id=thread
    )


@pytest.mark.parametrize(("mode", "conversations", "events"), [("conversation", 20, 15), ("endpoint", 5, 8)])
async def test_check_24_order_is_kept_through_failures(
    database_url: str, mode: str, conversations: int, events: int
) -> None:
    await order(database_url, mode, conversations=conversations, events=events)


@pytest.mark.slow
async def test_check_24_soak(database_url: str) -> None:
    await order(database_url, "conversation", conversations=100, events=100)


async def test_check_24_one_stuck_conversation_delays_no_other(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        await hub.endpoint(receiver.url(), order_mode="conversation", schedule=(3600.0,))
        stuck, other = hub.new_id(), hub.new_id()

        async def script(post: Post, writer: asyncio.StreamWriter) -> None:
            is_stuck = json.loads(post.body)["data"]["conversation_id"] == stuck
            writer.write(answer(400 if is_stuck else 200, b""))

        receiver.script = script
        await hub.publish([_in_thread(hub, stuck) for _ in range(400)])
        await receiver.until_count(1)
        told = await hub.publish([_in_thread(hub, other) for _ in range(20)])
        await receiver.until_all(webhook_ids(told))
        arrived = [post.id for post in receiver.posts if post.id in set(webhook_ids(told))]
        assert arrived == webhook_ids(told)
        assert len(receiver.posts) == 21


# --- 25: replays ----------------------------------------------------------------------------------------------------------


async def replay_through_a_kill(
    nursery: Nursery, url: str, events: int, *, live_within_seconds: float | None = None
) -> None:
    async with Receiver() as receiver:
        async with world(url) as hub:
            made = await hub.endpoint(receiver.url(), max_inflight=16)
            account_id, endpoint_id = hub.account_id, made.endpoint.id
            await hub.happen(events, type=EventType.SMS_DELIVERED)
            await hub.happen(10, type=EventType.SMS_FAILED)
            await hub.until_settled()
        first = len(receiver.posts)
        receiver.script = slowly(0.005)
        async with nursery.over(url, account_id, lease_seconds=2.0) as hubs:
            process = await hubs.start()
            replay_id = (await process.ask(replay=endpoint_id, types=["sms:delivered"]))["replay"]
            await receiver.until_count(first + events // 4)
            await process.kill()
        at_kill = len(receiver.posts)
        async with world(url, account_id=account_id, lease_seconds=2.0) as hub:

            async def is_done() -> object:
                replay = await hub.webhooks.get_replay(account_id, replay_id)
                return True if replay.state == "done" and replay.pending == 0 else replay.ok

            await receiver.until_count(at_kill + 50)
            live = await hub.happen(20, type=EventType.SMS_SENT)
            published_at = time.monotonic()
            await receiver.until_all(webhook_ids(live))
            waited, at_live = time.monotonic() - published_at, len(receiver.posts)
            await eventually(is_done)
            replay = await hub.webhooks.get_replay(account_id, replay_id)
            assert (replay.total, replay.created, replay.ok) == (events, events, events)
            again = await hub.webhooks.deliveries(account_id, DeliveryFilter(replay_id=replay_id), limit=events + 10)
            assert len({row.event_id for row in again}) == len(again) == events
            assert {row.run for row in again} == {1}
        replayed = [post for post in receiver.posts[first:] if "webhook-replay" in post.headers]
        assert {post.headers["webhook-replay"] for post in replayed} == {"1"}
        bodies = {post.id: post.body for post in receiver.posts[:first]}
        assert all(bodies[post.id] == post.body for post in replayed)
        # What is live went ahead of what is replayed, of which most was still to come.
        assert len(receiver.posts) - at_live > events / 4
        assert live_within_seconds is None or waited < live_within_seconds


async def test_check_25_replay_resumes_after_a_kill_and_makes_each_event_once(
    nursery: Nursery, database_url: str
) -> None:
    await replay_through_a_kill(nursery, database_url, 1200)


@pytest.mark.slow
async def test_check_25_soak(nursery: Nursery, database_url: str) -> None:
    await replay_through_a_kill(nursery, database_url, 50_000, live_within_seconds=0.5)


async def test_check_25_test_button_shows_the_answer_or_the_silence(database_url: str) -> None:
    async with Receiver(script=says(418, b"short and stout")) as receiver, world(database_url) as hub:
        good = await hub.endpoint(receiver.url())
        result = await hub.webhooks.test(hub.account_id, good.endpoint.id, "sms:failed")
        assert not result.is_success
        assert (result.attempt.status, result.attempt.response_body) == (418, "short and stout")
        assert json.loads(result.request_body)["type"] == "sms:failed"
        receiver.script = black_hole
        dead = await hub.endpoint(receiver.url(), timeout_seconds=1)
        result = await hub.webhooks.test(hub.account_id, dead.endpoint.id)
        assert (result.attempt.outcome, result.attempt.status) == ("timeout", None)
        assert (result.attempt.timing.total or 0) >= 1000
        assert not await hub.deliveries()


async def test_check_25_one_delivery_from_the_log_is_sent_again(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        await hub.endpoint(receiver.url())
        await hub.happen()
        (row,) = await hub.until_settled()
        again = await hub.webhooks.replay(hub.account_id, row.id)
        assert (again.run, again.origin) == (1, "replay")
        await receiver.until_count(2)
        first, second = receiver.posts
        assert (first.id, first.body) == (second.id, second.body)
        assert second.headers["webhook-replay"] == "1"
