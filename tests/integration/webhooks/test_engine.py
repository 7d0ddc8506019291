"""The delivery loop: shared lanes, own targets, poison, health over days, age, rate, kept connections and stopping."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from functools import partialmethod
from urllib.parse import urlsplit

import pytest
from standardwebhooks.webhooks import Webhook

from hub.core.commands import CallbackTarget
from hub.core.events import EventType
from hub.core.ids import render
from hub.core.ports import (
    DeliveryView,
    EndpointView,
    EventView,
    Outcome,
    RenderedRequest,
    ReplyText,
    Secrets,
)
from hub.webhooks.deliver import Deliverer
from hub.webhooks.health import DISABLE_AFTER_MS
from hub.webhooks.leases import Leases
from hub.webhooks.recorder import MOST_UNCOMMITTED
from hub.webhooks.records import EndpointChanges
from tests.integration.webhooks.processes import Nursery, Poisonous, Process
from tests.integration.webhooks.receiver import QUIET_SECONDS, Post, Receiver, answer, black_hole, says, slowly
from tests.integration.webhooks.world import eventually, webhook_ids, world

pytestmark = pytest.mark.anyio


@pytest.mark.postgresql
async def test_processes_share_the_lanes_and_a_kill_repeats_only_what_was_not_on_record(
    nursery: Nursery, postgresql_url: str
) -> None:
    """A process is killed while it sends with all its lanes at once.

    What comes again is what it had sent and not committed: requests in flight, at most a window (`max_inflight`) for each of its lanes,
    and answers whose outcome waits for its commit, at most `MOST_UNCOMMITTED` in one process, of however many lanes. Neither alone is
    a bound: when many lanes are answered at once, more wait for the commit than were in flight. What was on record before the kill
    does not come again, and while both processes live nothing comes twice.
    """
    window, before, burst = 8, 20, 100
    async with Receiver() as receiver:

        def arrived() -> Counter[Arrival]:
            return Counter((post.path, post.id) for post in receiver.posts)

        async with world(postgresql_url, running=False) as hub:
            for number in range(12):
                await hub.endpoint(receiver.url(f"/{number}"), max_inflight=window)
            account_id = hub.account_id
        async with nursery.over(postgresql_url, account_id, lease_seconds=3) as hubs:
            one = await hubs.start(node="one")
            await one.publish(before)
            two = await hubs.start(node="two")
            async with asyncio.timeout(QUIET_SECONDS):
                while set((await nodes_of(postgresql_url, account_id)).values()) != {"one", "two"}:
                    await two.publish(5)
                    before += 5
                    await asyncio.sleep(0.3)
            await receiver.until(lambda: len(arrived()) == 12 * before)
            two.order(publish=burst)
            await receiver.until(lambda: len(arrived()) >= 12 * (before + burst * 3 // 4))
            on_record = await recorded(postgresql_url, account_id)
            await one.kill()
            lanes_of_one = [*(await nodes_of(postgresql_url, account_id)).values()].count("one")
            assert not [key for key, count in arrived().items() if count > 1], "both sent it, or one sent it again"
            await receiver.until(lambda: len(arrived()) == 12 * (before + burst))
            await two.publish(1)
            await receiver.until(lambda: len(arrived()) == 12 * (before + burst + 1))
            async with world(postgresql_url, running=False, account_id=account_id) as onlooker:
                assert {row.state for row in await onlooker.until_settled()} == {"ok"}
        again = {key for key, count in arrived().items() if count > 1}
        assert not again & on_record
        assert len(receiver.posts) - len(arrived()) == len(again), "once more, not again and again"
        assert len(again) <= lanes_of_one * window + MOST_UNCOMMITTED


Arrival = tuple[str, str]
"""A path, which is an endpoint, and a webhook-id."""


async def recorded(url: str, account_id: str) -> set[Arrival]:
    """What the database says has arrived."""
    async with world(url, running=False, account_id=account_id) as hub:
        rows = await hub.deliveries()
    return {(urlsplit(row.url).path, render("event", row.event_id)) for row in rows if row.state == "ok"}


async def test_what_was_fetched_when_nothing_could_start_is_started_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that is renewed late, on a busy machine: between the fetch and the start it had grown old."""
    async with Receiver() as receiver, world(database_url) as hub:
        refused = 0

        def is_fresh(_: Leases) -> bool:
            nonlocal refused
            has_fetched = any(lane.ready[0] for lane in hub.deliverer._keeper.lanes.values())
            refused += has_fetched and not receiver.posts
            return not (has_fetched and refused <= 3)

        monkeypatch.setattr(Leases, "is_fresh", property(is_fresh))
        await hub.endpoint(receiver.url(), max_inflight=4)
        await hub.happen(20)
        await receiver.until_count(20)
        assert refused >= 3


async def nodes_of(url: str, account_id: str) -> dict[str, str]:
    """Which process owns each lane now."""
    async with world(url, running=False, account_id=account_id) as hub:
        rows = hub.db.read_now(
            lambda conn: conn.exec_driver_sql("select endpoint_id, owner from wh_lane where owner is not null").all()
        )
    return {row[0]: str(row[1]).split("-")[0] for row in rows}


async def test_a_messages_own_target_is_an_endpoint_per_origin(database_url: str) -> None:
    async with Receiver() as receiver, Receiver() as other, world(database_url) as hub:
        plain = CallbackTarget("standard", receiver.url("/status?id=%7e{1}"))
        await hub.happen(callback=plain)
        await hub.happen(callback=CallbackTarget("standard", receiver.url("/other"), ("sms:failed",)))
        await hub.happen(
            type=EventType.SMS_FAILED, callback=CallbackTarget("smsgate", receiver.url("/gate"), ("sms:failed",))
        )
        await hub.happen(callback=CallbackTarget("standard", other.url("/else")))
        await receiver.until_count(2)
        await other.until_count(1)
        assert {post.path for post in receiver.posts} == {"/status?id=%7e{1}", "/gate"}
        implicit = await hub.webhooks.list(hub.account_id, implicit=True)
        assert {(one.format, one.url) for one in implicit} == {
            ("standard", receiver.url("")), ("smsgate", receiver.url("")), ("standard", other.url(""))
        }  # fmt: skip
        assert await hub.webhooks.list(hub.account_id) == []
        ours = next(one for one in implicit if (one.format, one.url) == ("standard", receiver.url("")))
        rotated = await hub.webhooks.rotate(hub.account_id, ours.id)
        await hub.happen(callback=plain)
        await receiver.until_count(3)
        Webhook(rotated.secret).verify(receiver.posts[-1].body, receiver.posts[-1].headers)
        assert all(row.url.startswith("http://127.0.0.1") for row in await hub.until_settled())


async def is_over(process: Process) -> bool:
    """Whether all deliveries have ended before the process died."""
    while told := await process.ask(settled=True):
        if told["settled"]:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_delivery_that_stops_the_process_is_given_up_and_the_others_arrive(
    nursery: Nursery, database_url: str
) -> None:
    async with Receiver() as receiver:
        async with world(database_url, running=False, formats=[Poisonous()]) as hub:
            await hub.endpoint(receiver.url(), format="poisonous", max_inflight=2)
            account_id = hub.account_id
            await hub.happen(3)
            (poison,) = await hub.happen(text="poison")
            await hub.happen(3)
        async with nursery.over(database_url, account_id, lease_seconds=0.6) as hubs:
            for _ in range(12):
                process = await hubs.start()
                if await is_over(process):
                    await process.kill()
                    break
        async with world(database_url, running=False, account_id=account_id, formats=[Poisonous()]) as hub:
            rows = {row.event_id: row for row in await hub.deliveries()}
        given_up = rows.pop(poison.id)
        assert (given_up.state, given_up.why) == ("dead", "poison")
        assert "three times" in given_up.explanation
        assert len(set(receiver.ids())) == 6


async def test_failing_for_days_is_told_and_ends_switched_off_with_everything_held(database_url: str) -> None:
    async with Receiver() as good, Receiver(script=says(503)) as bad:
        kinds = ("endpoint:failing", "endpoint:disabled", "endpoint:recovered")
        async with world(database_url, running=False) as hub:
            await hub.endpoint(good.url("/told"), event_types=kinds)
            made = await hub.endpoint(bad.url(), event_types=("sms:sent", *kinds))
            account_id, endpoint_id = hub.account_id, made.endpoint.id
            since = hub.clock.now() - DISABLE_AFTER_MS + 2 * 3_600_000
            with hub.db.write_engine.begin() as conn:
                conn.exec_driver_sql(
                    f"update wh_lane set failing_since = {since}, tries_since_ok = 30, noticed = 1 where endpoint_id = '{endpoint_id}'"
                )
        async with world(database_url, factor=1500, account_id=account_id) as hub:
            await hub.happen(5)
            await good.until_count(2)
            notices = [json.loads(post.body) for post in good.posts]
            assert [notice["type"] for notice in notices] == ["endpoint:failing", "endpoint:disabled"]
            assert notices[1]["data"]["reason"] == "failing"
            assert notices[1]["data"]["waiting"] == 5
            endpoint = await hub.webhooks.get(account_id, endpoint_id)
            assert (endpoint.state, endpoint.state_reason) == ("disabled", "failing")
            assert (hub.clock.now() - since) >= DISABLE_AFTER_MS

            async def is_all_held() -> bool:
                return {row.state for row in await hub.deliveries(endpoint_id=endpoint_id)} == {"held"}

            await eventually(is_all_held)
            await hub.happen()
            assert {row.state for row in await hub.deliveries(endpoint_id=endpoint_id)} == {"held"}
            seen = len(bad.posts)
            await hub.happen()
            assert len(bad.posts) == seen


async def test_back_after_a_notice_is_told_too(database_url: str) -> None:
    async with Receiver() as good, Receiver(script=says(503)) as bad, world(database_url, factor=5000) as hub:
        await hub.endpoint(good.url("/told"), event_types=("endpoint:failing", "endpoint:recovered"))
        await hub.endpoint(bad.url(), event_types=("sms:sent",))
        await hub.happen()
        await good.until_count(1)
        bad.script = says(200)
        await good.until_count(2)
        assert [json.loads(post.body)["type"] for post in good.posts] == ["endpoint:failing", "endpoint:recovered"]


async def test_what_is_too_old_is_given_up_even_untried(database_url: str) -> None:
    async with Receiver(script=says(503)) as receiver, world(database_url, factor=600) as hub:
        await hub.endpoint(receiver.url(), max_age_seconds=600)
        await hub.happen(40)
        rows = await hub.until_settled()
        assert {(row.state, row.why) for row in rows} == {("dead", "too_old")}
        assert min(row.attempts for row in rows) == 0


async def test_rate_is_kept(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        await hub.endpoint(receiver.url(), rate_per_second=10, max_inflight=32)
        await hub.happen(25)
        await receiver.until_count(25)
        starts = [post.at for post in receiver.posts]
        assert 1.2 <= starts[-1] - starts[0] <= 4
        for start in starts:
            assert sum(start <= at < start + 0.9 for at in starts) <= 21


async def test_changed_order_holds_for_what_already_waits(database_url: str) -> None:
    async with Receiver(script=says(503)) as receiver, world(database_url, factor=120) as hub:
        made = await hub.endpoint(receiver.url(), order_mode="none", max_inflight=4, state="paused")
        await hub.happen(12)
        await hub.webhooks.update(
            hub.account_id, made.endpoint.id, EndpointChanges(order_mode="endpoint", state="active")
        )
        await receiver.until_count(2)
        assert len(set(receiver.ids())) == 1, "one order for all: nothing overtakes the first"
        receiver.script = says(200)
        await hub.until_settled()
        assert list(dict.fromkeys(receiver.ids())) == webhook_ids(hub.events)


async def test_message_keeps_its_order_by_default(database_url: str) -> None:
    async with Receiver(script=says(503)) as receiver, world(database_url, factor=60) as hub:
        await hub.endpoint(receiver.url())
        message_id = hub.new_id()
        (first,) = await hub.happen(type=EventType.SMS_QUEUED, message_id=message_id)
        await receiver.until_count(1)
        await hub.happen(type=EventType.SMS_SENT, message_id=message_id)
        await hub.happen(type=EventType.SMS_DELIVERED, message_id=message_id)
        await receiver.until_count(2)
        assert set(receiver.ids()) == set(webhook_ids([first]))
        receiver.script = says(200)
        await hub.until_settled()
        assert [json.loads(post.body)["type"] for post in receiver.posts][-3:] == [
            "sms:queued",
            "sms:sent",
            "sms:delivered",
        ]


async def test_connections_are_kept_and_a_dead_one_is_not_the_receivers_failure(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        await hub.endpoint(receiver.url(), max_inflight=1, schedule=())
        await hub.happen(5)
        await receiver.until_count(5)
        assert receiver.connections == 1

        async def hang_up_first(post: Post, writer: asyncio.StreamWriter) -> bool:
            if post.connection == 1:
                return True  # read, and closed without a byte: a keep-alive that ended just then
            writer.write(answer())
            return False

        receiver.script = hang_up_first
        await hub.happen()
        rows = await hub.until_settled()
        assert {(row.state, row.attempts) for row in rows} == {("ok", 1)}
        assert receiver.connections == 2
        assert len(receiver.posts) == 7
        assert receiver.posts[-1].headers["x-attempt"] == "1"


async def test_a_new_connection_that_dies_is_the_receivers_failure(database_url: str) -> None:
    async def hang_up(_post: Post, _writer: asyncio.StreamWriter) -> bool:
        return True

    async with Receiver(script=hang_up) as receiver, world(database_url) as hub:
        await hub.endpoint(receiver.url(), schedule=())
        await hub.happen()
        (row,) = await hub.until_settled()
        (attempt,) = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
        assert attempt.outcome == "closed"
        assert len(receiver.posts) == 1


async def test_stopping_waits_for_answers_and_gives_the_lanes_back(database_url: str) -> None:
    async with Receiver(script=slowly(0.4)) as receiver:
        async with world(database_url) as hub:
            await hub.endpoint(receiver.url())
            await hub.happen(3)
            await receiver.until_count(3)
            account_id = hub.account_id
        async with world(database_url, running=False, account_id=account_id) as hub:
            rows = await hub.deliveries()
            assert [row.state for row in rows] == ["ok"] * 3
            lanes = hub.db.read_now(lambda conn: conn.exec_driver_sql("select owner, takeovers from wh_lane").all())
            assert [tuple(lane) for lane in lanes] == [(None, "[]")]
        assert len(receiver.posts) == 3


async def test_stopping_does_not_wait_for_ever(database_url: str) -> None:
    async with Receiver(script=black_hole) as receiver:
        async with world(database_url) as hub:
            await hub.endpoint(receiver.url(), timeout_seconds=60)
            await hub.happen()
            await receiver.until_count(1)
        async with world(database_url, running=False, account_id=hub.account_id) as hub:
            (row,) = await hub.deliveries()
            assert (row.state, row.attempts) == ("pending", 0), "it was not waited for until its deadline"
        receiver.script = says(200)
        async with world(database_url, account_id=hub.account_id) as hub:
            (row,) = await hub.until_settled()
            assert row.state == "ok"


class Asking:
    """A format whose answers ask for texts."""

    name = "asking"

    def takes(self, event: EventType) -> bool:
        return event is not EventType.SMS_QUEUED

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: int
    ) -> RenderedRequest:
        if b"trouble" in event.data:
            raise RuntimeError("a fault of the adapter")
        return RenderedRequest("POST", endpoint.url, (("content-type", "text/plain"),), b"ask me")

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        return Outcome(status < 300, None, (ReplyText(text=body.decode()),) if body else ())


async def test_a_format_can_read_texts_out_of_an_answer_and_its_faults_stay_its_own(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    async def on_texts(event: EventView, _endpoint: EndpointView, texts: tuple[ReplyText, ...]) -> None:
        asked.extend((event.event_id, text.text) for text in texts)

    monkeypatch.setattr(Deliverer, "__init__", partialmethod(Deliverer.__init__, on_texts=on_texts))
    async with Receiver(script=says(200, b"an answer")) as receiver, world(database_url, formats=[Asking()]) as hub:
        await hub.endpoint(receiver.url(), format="asking", schedule=())
        (event,) = await hub.happen()
        await hub.happen(text="trouble")
        rows = await hub.until_settled()
        assert asked == [(event.id, "an answer")]
        assert [(row.state, row.why) for row in rows] == [("dead", "tries_used_up"), ("ok", "ok")]
        attempt = (await hub.webhooks.delivery(hub.account_id, rows[0].id)).attempts[0]
        assert (attempt.outcome, attempt.error) == ("render", "RuntimeError: a fault of the adapter")
        assert len(receiver.posts) == 1


async def test_held_deliveries_end_with_their_events(database_url: str) -> None:
    async with Receiver(script=says(410)) as receiver, world(database_url, factor=2000, keep_events_days=0.05) as hub:
        made = await hub.endpoint(receiver.url())
        await hub.happen(3)
        await receiver.until_count(1)
        rows = await hub.until_settled(endpoint_id=made.endpoint.id)
        assert {row.why for row in rows} == {"expired"}
