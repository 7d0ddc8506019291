"""Events reach receivers: signed, once, in both formats."""

import json

import pytest
from standardwebhooks.webhooks import Webhook

from hub.core.events import EventType
from tests.integration.webhooks.receiver import Receiver, says
from tests.integration.webhooks.world import webhook_ids, world

pytestmark = pytest.mark.anyio


async def test_event_is_delivered_signed_and_logged(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        made = await hub.endpoint(receiver.url())
        (event,) = await hub.happen()
        await receiver.until_count(1)
        (post,) = receiver.posts
        Webhook(made.secret).verify(post.body, post.headers)
        assert post.id == webhook_ids([event])[0]
        body = json.loads(post.body)
        assert (body["type"], body["seq"], body["data"]["text"]) == ("sms:sent", 1, "Hello")
        (delivery,) = await hub.until_settled()
        assert (delivery.state, delivery.attempts, delivery.why) == ("ok", 1, "ok")
        detail = await hub.webhooks.delivery(hub.account_id, delivery.id)
        assert detail.body.encode() == post.body
        (attempt,) = detail.attempts
        assert (attempt.status, attempt.outcome, attempt.address, attempt.response_body) == (
            200,
            "ok",
            "127.0.0.1",
            "ok",
        )
        assert attempt.request_headers["webhook-id"] == post.id
        assert attempt.timing.connect is not None
        assert attempt.timing.dns is None


async def test_failed_try_is_repeated_with_the_same_id_and_bytes(database_url: str) -> None:
    async with Receiver(script=says(500, b"no")) as receiver, world(database_url, factor=60) as hub:
        await hub.endpoint(receiver.url())
        await hub.happen()
        await receiver.until_count(3)
        receiver.script = says(204, b"")
        (delivery,) = await hub.until_settled()
        assert delivery.state == "ok"
        assert len({(post.id, post.body) for post in receiver.posts}) == 1
        assert [post.headers["x-attempt"] for post in receiver.posts][:3] == ["1", "2", "3"]
        detail = await hub.webhooks.delivery(hub.account_id, delivery.id)
        assert "answered 500" in detail.attempts[0].explanation


async def test_filters_choose_what_an_endpoint_hears(database_url: str) -> None:
    async with Receiver() as receiver, world(database_url) as hub:
        device = hub.new_id()
        await hub.endpoint(receiver.url("/types"), event_types=("sms:delivered",))
        await hub.endpoint(receiver.url("/device"), device_ids=(device,))
        await hub.endpoint(receiver.url("/peer"), peer_prefixes=("+49",))
        await hub.endpoint(receiver.url("/all"))
        await hub.publish(
            [
                hub.event(EventType.SMS_DELIVERED),
                hub.event(device_id=device),
                hub.event(peer="+4917012345"),
            ]
        )
        await receiver.until_count(6)
        assert [len(receiver.of(path)) for path in ("/types", "/device", "/peer", "/all")] == [1, 1, 1, 3]
