"""Endpoints as their owners make, change, look at and delete them."""

import json

import pytest
from msgspec import UNSET

from hub.core.errors import Code, HubError
from hub.core.events import EventType
from hub.webhooks.records import (
    BasicAuth,
    BearerAuth,
    CreatedEndpoint,
    DeliveryFilter,
    EndpointChanges,
    NewEndpoint,
    ReplayFilter,
)
from hub.webhooks.subscriptions import MOST_ENDPOINTS
from tests.integration.webhooks.receiver import Receiver, answer, says
from tests.integration.webhooks.world import add_account, eventually, webhook_ids, world

pytestmark = pytest.mark.anyio
URL = "https://example.com/hook"


async def test_secret_is_shown_once_and_never_again(database_url: str) -> None:
    async with world(database_url, running=False) as hub:
        made = await hub.endpoint(URL, headers={"X-Key": "s3cret"}, auth=BearerAuth(token="t0ken"), signing="ed25519")
        assert made.secret.startswith("whsec_")
        assert (made.public_key or "").startswith("whpk_")
        shown = await hub.webhooks.get(hub.account_id, made.endpoint.id)
        text = repr(shown) + repr(made)
        assert made.secret not in text
        assert "s3cret" not in text
        assert "t0ken" not in text
        assert (shown.header_names, shown.auth_kind, shown.public_key) == (("X-Key",), "bearer", made.public_key)
        assert shown.secrets[0].hint == made.secret.rstrip("=")[-4:]
        for row in hub.db.read_now(
            lambda conn: conn.exec_driver_sql("select secrets, headers, auth from wh_endpoint").all()
        ):
            assert all(
                secret.encode() not in bytes(column) for column in row for secret in (made.secret, "s3cret", "t0ken")
            )


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("url", {"url": "ftp://example.com/"}),
        ("format", {"format": "morse"}),
        ("template", {"template": "{a:"}),
        ("template", {"template": "data", "format": "smsgate"}),
        ("event_types", {"event_types": ("sms:exploded",)}),
        ("event_types", {"event_types": ("sms:queued",), "format": "smsgate"}),
        ("device_ids", {"device_ids": ("dev_1",)}),
        ("peer_prefixes", {"peer_prefixes": ("",)}),
        ("timeout_seconds", {"timeout_seconds": 0}),
        ("timeout_seconds", {"timeout_seconds": 61}),
        ("max_inflight", {"max_inflight": 65}),
        ("rate_per_second", {"rate_per_second": 0}),
        ("schedule", {"schedule": "whenever"}),
        ("schedule", {"schedule": (0.1,)}),
        ("schedule", {"schedule": tuple([60.0] * 51)}),
        ("max_age_seconds", {"max_age_seconds": 5}),
        ("success_rule", {"success_rule": "a\nb"}),
        ("headers.Host", {"headers": {"Host": "x"}}),
        ("headers.webhook-id", {"headers": {"webhook-id": "x"}}),
        ("headers.X", {"headers": {"X": "a\r\nY: b"}}),
        ("headers.a b", {"headers": {"a b": "x"}}),
        ("headers", {"headers": {f"X-{n}": "y" for n in range(21)}}),
        ("auth.username", {"auth": BasicAuth(username="a:b", password="x")}),
        ("auth.token", {"auth": BearerAuth(token="a\nb")}),
        ("description", {"description": "x" * 201}),
    ],
)
async def test_what_cannot_be_used_is_refused_by_name(sqlite_url: str, field: str, wrong: dict[str, object]) -> None:
    async with world(sqlite_url, running=False) as hub:
        with pytest.raises(HubError) as caught:
            await hub.webhooks.create(hub.account_id, NewEndpoint(**{"url": URL, **wrong}))  # type: ignore[arg-type]
        assert caught.value.code is Code.VALIDATION
        assert caught.value.fields[0].field == field
        assert await hub.webhooks.list(hub.account_id) == []


async def test_change_raises_the_version_and_leaves_the_rest(database_url: str) -> None:
    async with world(database_url, running=False) as hub:
        made = await hub.endpoint(URL, headers={"X-Key": "s3cret"}, description="first", event_types=("sms:sent",))
        changed = await hub.webhooks.update(
            hub.account_id, made.endpoint.id, EndpointChanges(url="https://example.org/", schedule="agile")
        )
        assert (changed.url, changed.version, changed.schedule, changed.success_rule) == (
            "https://example.org/",
            2,
            "agile",
            "+OK",
        )
        assert (changed.description, changed.header_names, changed.event_types) == ("first", ("X-Key",), ("sms:sent",))
        assert changed.secrets == made.endpoint.secrets
        signed = await hub.webhooks.update(hub.account_id, made.endpoint.id, EndpointChanges(signing="ed25519"))
        assert (signed.public_key or "").startswith("whpk_")
        with pytest.raises(HubError) as caught:
            await hub.webhooks.update(hub.account_id, made.endpoint.id, EndpointChanges(url="http://10.0.0.1/"))
        assert caught.value.code is Code.TARGET_REFUSED
        assert EndpointChanges().url is UNSET


async def test_format_that_knows_few_events_is_told_only_those(database_url: str) -> None:
    async with world(database_url, running=False) as hub:
        every = await hub.endpoint(URL, format="smsgate")
        assert "sms:queued" not in every.endpoint.event_types
        assert {"sms:received", "sms:failed", "sms:expired", "system:ping"} <= set(every.endpoint.event_types)
        failed = await hub.endpoint(URL, format="smsgate", event_types=("sms:failed",))
        assert set(failed.endpoint.event_types) == {"sms:failed", "sms:undelivered", "sms:expired", "sms:dead_letter"}


async def test_nobody_sees_another_accounts_webhooks(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        made = await hub.endpoint(receiver.url())
        await hub.happen()
        (row,) = await hub.until_settled()
        stranger = hub.new_id()
        await hub.db.writer.submit(add_account, stranger)
        front, endpoint_id = hub.webhooks, made.endpoint.id
        assert await front.list(stranger, implicit=True) == []
        assert await front.deliveries(stranger, DeliveryFilter()) == []
        assert await front.deliveries(stranger, DeliveryFilter(endpoint_id=endpoint_id)) == []
        assert await front.replays(stranger) == []
        replay = await front.start_replay(hub.account_id, endpoint_id, ReplayFilter())
        for call in (
            lambda: front.get(stranger, endpoint_id),
            lambda: front.update(stranger, endpoint_id, EndpointChanges(description="mine")),
            lambda: front.delete(stranger, endpoint_id),
            lambda: front.rotate(stranger, endpoint_id),
            lambda: front.enable(stranger, endpoint_id),
            lambda: front.test(stranger, endpoint_id),
            lambda: front.delivery(stranger, row.id),
            lambda: front.replay(stranger, row.id),
            lambda: front.cancel(stranger, row.id),
            lambda: front.start_replay(stranger, endpoint_id, ReplayFilter()),
            lambda: front.get_replay(stranger, replay.id),
            lambda: front.cancel_replay(stranger, replay.id),
        ):
            with pytest.raises(HubError) as caught:
                await call()
            assert caught.value.code is Code.NOT_FOUND


async def test_deleting_cancels_what_waits(database_url: str) -> None:
    async with Receiver(script=says(503)) as receiver, world(database_url) as hub:
        made = await hub.endpoint(receiver.url())
        await hub.happen(30)
        await receiver.until_count(3)
        await hub.webhooks.delete(hub.account_id, made.endpoint.id)
        rows = await hub.until_settled()
        assert {(row.state, row.why) for row in rows} == {("cancelled", "endpoint_deleted")}
        assert await hub.webhooks.list(hub.account_id) == []
        await hub.happen()
        assert len(await hub.deliveries()) == 30


async def test_paused_endpoint_keeps_what_happens_and_sends_it_later(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        made = await hub.endpoint(receiver.url(), state="paused")
        await hub.happen(3)
        await hub.endpoint(receiver.url("/witness"))
        await hub.happen()
        await receiver.until(lambda: bool(receiver.of("/witness")))
        assert not receiver.of("/hook")
        await hub.webhooks.update(hub.account_id, made.endpoint.id, EndpointChanges(state="active"))
        await receiver.until(lambda: len(receiver.of("/hook")) == 4)
        assert [post.id for post in receiver.of("/hook")] == webhook_ids(hub.events)


async def test_changed_url_is_where_waiting_deliveries_go(database_url: str) -> None:
    async with Receiver(script=says(404)) as receiver, world(database_url, factor=60) as hub:
        made = await hub.endpoint(receiver.url("/typo"))
        await hub.happen()
        await receiver.until_count(1)
        receiver.script = says(200)
        await hub.webhooks.update(hub.account_id, made.endpoint.id, EndpointChanges(url=receiver.url("/right")))
        await receiver.until(lambda: bool(receiver.of("/right")))
        assert receiver.posts[0].body == receiver.posts[-1].body
        assert len(receiver.of("/typo")) == 1


async def test_customers_headers_and_credentials_go_out_and_are_masked_in_the_log(database_url: str) -> None:
    async with Receiver(script=says(200, b"", ("Set-Cookie", "a=b"))) as receiver, world(database_url) as hub:
        await hub.endpoint(
            receiver.url("/1"), headers={"X-Api-Key": "s3cret"}, auth=BasicAuth(username="me", password="pw")
        )
        await hub.endpoint(receiver.url("/2"), auth=BearerAuth(token="t0ken"))
        await hub.happen()
        await receiver.until_count(2)
        (first,), (second,) = receiver.of("/1"), receiver.of("/2")
        assert (first.headers["x-api-key"], first.headers["authorization"]) == ("s3cret", "Basic bWU6cHc=")
        assert second.headers["authorization"] == "Bearer t0ken"
        for row in await hub.until_settled():
            (attempt,) = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
            assert attempt.request_headers["authorization"] == "…"
            assert attempt.request_headers.get("X-Api-Key", "…") == "…"
            assert "s3cret" not in repr(attempt)
            assert attempt.response_headers["set-cookie"] == "…"
            assert attempt.request_headers["webhook-id"].startswith("evt_")


async def test_agile_receivers_must_say_ok(database_url: str) -> None:
    async with Receiver(script=says(200, b"thanks")) as receiver, world(database_url, factor=3600) as hub:
        made = await hub.endpoint(receiver.url(), schedule="agile")
        assert made.endpoint.success_rule == "+OK"
        await hub.happen()
        await receiver.until_count(1)
        receiver.script = says(200, b"+OK stored")
        (row,) = await hub.until_settled()
        assert (row.state, row.attempts) == ("ok", 2)
        attempts = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
        assert [attempt.outcome for attempt in attempts] == ["body", "ok"]
        assert (attempts[1].started_at - attempts[0].started_at) / 1000 >= 900


async def test_template_makes_the_body_and_stays_with_what_was_made_with_it(database_url: str) -> None:
    async with Receiver(script=says(404)) as receiver, world(database_url, factor=60) as hub:
        made = await hub.endpoint(receiver.url(), template="{number: data.to, words: data.text, event: type, id: id}")
        (event,) = await hub.happen()
        await receiver.until_count(1)
        await hub.webhooks.update(hub.account_id, made.endpoint.id, EndpointChanges(template=None))
        await receiver.until_count(2)
        expected = {"number": "+15550123", "words": "Hello", "event": "sms:sent", "id": webhook_ids([event])[0]}
        assert [json.loads(post.body) for post in receiver.posts[:2]] == [expected, expected]
        await hub.happen()
        await receiver.until(lambda: receiver.posts[-1].id != receiver.posts[0].id)
        assert "data" in json.loads(receiver.posts[-1].body)


async def test_preview_shows_what_a_template_makes(sqlite_url: str) -> None:
    async with world(sqlite_url, running=False) as hub:
        preview = await hub.webhooks.preview("{who: data.from}", "sms:received")
        assert json.loads(preview.body) == {"who": "+15550123"}
        assert json.loads(preview.event)["type"] == "sms:received"
        for event in EventType:
            assert json.loads((await hub.webhooks.preview("type", event)).body) == event.value
        for template in ("", "{a:", "data[", "x" * 5000):
            with pytest.raises(HubError):
                await hub.webhooks.preview(template)


async def test_log_is_narrowed_and_paged(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        first = await hub.endpoint(receiver.url("/1"))
        second = await hub.endpoint(receiver.url("/2"), event_types=("sms:failed",))
        message_id = hub.new_id()
        await hub.happen(3)
        (failed,) = await hub.happen(type=EventType.SMS_FAILED, message_id=message_id)
        await hub.until_settled()
        everything = await hub.deliveries()
        assert len(everything) == 5
        assert [row.id for row in everything] == sorted((row.id for row in everything), reverse=True)
        pages = await hub.deliveries(limit=2)
        assert (await hub.webhooks.deliveries(hub.account_id, DeliveryFilter(), before=pages[-1].id)) == everything[2:]
        for asked, count in (
            ({"endpoint_id": first.endpoint.id}, 4),
            ({"endpoint_id": second.endpoint.id}, 1),
            ({"event_id": failed.id}, 2),
            ({"message_id": message_id}, 2),
            ({"event_type": "sms:failed"}, 2),
            ({"states": ("ok",)}, 5),
            ({"states": ("ok", "dead")}, 5),
            ({"states": ("dead",)}, 0),
            ({"since": 0, "until": 1}, 0),
            ({"since": 1}, 5),
        ):
            assert len(await hub.deliveries(**asked)) == count, asked  # type: ignore[arg-type]


async def test_waiting_delivery_can_be_cancelled_and_an_ended_one_replayed(database_url: str) -> None:
    async with Receiver(script=says(503)) as receiver, world(database_url) as hub:
        await hub.endpoint(receiver.url())
        await hub.happen()
        await receiver.until_count(1)
        (row,) = await hub.deliveries()
        with pytest.raises(HubError) as caught:
            await hub.webhooks.replay(hub.account_id, row.id)
        assert caught.value.code is Code.CONFLICT
        cancelled = await hub.webhooks.cancel(hub.account_id, row.id)
        assert (cancelled.state, cancelled.why) == ("cancelled", "cancelled")
        with pytest.raises(HubError):
            await hub.webhooks.cancel(hub.account_id, row.id)
        receiver.script = says(200)
        again = await hub.webhooks.replay(hub.account_id, row.id)
        await receiver.until_count(2)

        async def is_ok() -> bool:
            return (await hub.webhooks.delivery(hub.account_id, again.id)).delivery.state == "ok"

        await eventually(is_ok)


async def test_replay_takes_what_it_is_asked_for(database_url: str) -> None:
    async def even_fail(post: object, writer: object) -> None:
        seq = json.loads(post.body)["seq"]  # type: ignore[attr-defined]
        writer.write(answer(404 if seq % 2 == 0 else 200, b""))  # type: ignore[attr-defined]

    async with Receiver(script=even_fail) as receiver, world(database_url) as hub:
        made = await hub.endpoint(receiver.url(), schedule=())
        await hub.happen(6, type=EventType.SMS_DELIVERED)
        await hub.happen(4, type=EventType.SMS_FAILED)
        await hub.until_settled()
        receiver.script = says(200)
        front, endpoint_id = hub.webhooks, made.endpoint.id
        for asked, expected in (
            (ReplayFilter(states=("dead",)), 5),
            (ReplayFilter(states=("dead",)), 0),
            (ReplayFilter(types=("sms:failed",)), 4),
            (ReplayFilter(since=1, until=2), 0),
            (ReplayFilter(message_id=hub.events[0].message_id), 1),
        ):
            replay = await front.start_replay(hub.account_id, endpoint_id, asked)

            async def is_done(replay_id: str = replay.id) -> bool:
                found = await front.get_replay(hub.account_id, replay_id)
                return found.state == "done" and found.pending == 0

            await eventually(is_done)
            replay = await front.get_replay(hub.account_id, replay.id)
            assert (replay.total, replay.created, replay.ok) == (expected, expected, expected)
        assert len(await front.replays(hub.account_id, endpoint_id)) == 5


async def test_replays_that_stand_still_are_in_no_others_way(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.storage.webhooks_replays.MOST_WAITING", 3)
    monkeypatch.setattr("hub.storage.webhooks_replays.STEP", 3)
    async with Receiver() as receiver, world(database_url) as hub:
        await hub.happen(8)
        for _ in range(21):
            paused = await hub.endpoint(receiver.url("/paused"), state="paused")
            await hub.webhooks.start_replay(hub.account_id, paused.endpoint.id, ReplayFilter())
        made = await hub.endpoint(receiver.url("/good"))
        await hub.webhooks.start_replay(hub.account_id, made.endpoint.id, ReplayFilter())
        await receiver.until(lambda: len(receiver.of("/good")) == 8, 20.0)
        assert not receiver.of("/paused")


async def test_new_endpoint_can_be_sent_what_happened_before_it(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        await hub.happen(5)
        await hub.happen(2, type=EventType.SMS_FAILED)
        made = await hub.endpoint(receiver.url(), event_types=("sms:sent",))
        replay = await hub.webhooks.start_replay(hub.account_id, made.endpoint.id, ReplayFilter())
        assert replay.total == 5
        await receiver.until_count(5)
        assert receiver.ids() == webhook_ids(hub.events[:5])


async def test_an_account_has_so_many_and_no_more(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.webhooks.endpoints.MOST_ENDPOINTS", 2)
    assert MOST_ENDPOINTS == 1000
    async with world(sqlite_url, running=False) as hub:
        made: list[CreatedEndpoint] = [await hub.endpoint(URL), await hub.endpoint(URL)]
        with pytest.raises(HubError) as caught:
            await hub.endpoint(URL)
        assert caught.value.code is Code.CONFLICT
        await hub.webhooks.delete(hub.account_id, made[0].endpoint.id)
        await hub.endpoint(URL)
