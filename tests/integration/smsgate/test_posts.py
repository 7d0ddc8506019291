"""What the phone posts: one event for each true one, whatever comes twice; signed, once the phone can; kept, when nobody can read it."""

import json
from typing import Any

import msgspec
import pytest

from hub.core.ids import to_smsgate21
from hub.devices.reading import find_device, list_quarantined
from hub.devices.standing import RevokeDevice, revoke_device
from hub.storage.schema.devices import DeviceEvent
from hub.storage.schema.webhooks import WebhookEvent
from tests.integration.messages.world import ACCOUNT
from tests.integration.smsgate.app_hub import App, AppHub

pytestmark = pytest.mark.anyio

TEXT = {
    "messageId": "deadbeef",
    "sender": "+447700900123",
    "phoneNumber": "+447700900123",
    "recipient": "+447700900001",
    "simNumber": 1,
    "message": "Hello <there> & 'you'",
    "receivedAt": "2026-09-21T14:13:20.000+00:00",
}


def inbound(hub: AppHub) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(row) for row in hub.world.messages() if row.direction == "mo"]


def told(hub: AppHub, kind: str = "sms:received") -> int:
    return sum(row["type"] == kind for row in hub.world.rows(WebhookEvent))


async def test_text_is_stored_in_its_thread_before_the_answer(hub_anywhere: AppHub) -> None:
    hub = hub_anywhere
    app = await hub.register()
    assert (await app.post("sms:received", TEXT)).status_code == 200
    (row,) = inbound(hub)
    assert (row["peer"], row["text"], row["device_id"]) == (TEXT["sender"], TEXT["message"], app.device_id)
    assert row["line_id"] is not None
    assert row["conversation_id"] is not None
    assert row["sent_at"] == 1_790_000_000_000, "the network's own time"
    assert told(hub) == 1


async def test_post_that_comes_again_is_one_text(hub: AppHub) -> None:
    app = await hub.register()
    for _ in range(3):
        assert (await app.post("sms:received", TEXT, id_="same-id")).status_code == 200
    assert (await app.post("sms:received", TEXT, id_="another-id")).status_code == 200
    assert len(inbound(hub)) == told(hub) == 1


@pytest.mark.parametrize(
    "different",
    [
        {"message": "Hello"},
        {"sender": "+447700900124"},
        {"receivedAt": "2026-09-21T14:13:21.000+00:00"},
        {"messageId": "beefdead"},
    ],
)
async def test_texts_that_differ_in_anything_are_two_also_with_one_message_id(
    hub: AppHub, different: dict[str, str]
) -> None:
    app = await hub.register()
    await app.post("sms:received", TEXT)
    await app.post("sms:received", {**TEXT, **different})
    assert len(inbound(hub)) == told(hub) == 2


async def test_texts_of_two_phones_are_two(hub: AppHub) -> None:
    for app in (await hub.register(), await hub.register()):
        await app.post("sms:received", TEXT, id_="same-id")
    assert len(inbound(hub)) == 2


async def test_signature_counts_once_the_phone_has_the_hubs_key(hub: AppHub) -> None:
    app = await hub.register()
    assert (await app.post("sms:received", TEXT)).status_code == 200, "its own key, which nobody here knows"
    key = (await app.settings())["webhooks"]["signing_key"]
    assert (await app.post("sms:received", {**TEXT, "message": "2"}, key=key)).status_code == 200
    assert (await app.post("sms:received", {**TEXT, "message": "3"})).status_code == 403
    assert len(inbound(hub)) == 2
    assert (await app.post("sms:received", {**TEXT, "message": "3"}, key=key)).status_code == 200


@pytest.mark.parametrize("address", ["x", "A" * 43, "../device", "%00"])
async def test_guessed_address_is_401(hub: AppHub, address: str) -> None:
    answer = await hub.http.post(f"/mobile/v1/hook/{address}", json={})
    assert answer.status_code in (401, 404)


async def test_address_of_another_phone_does_not_fit(hub: AppHub) -> None:
    app, other = await hub.register(), await hub.register()
    url = (await app.hooks())["sms:received"]["url"].split("hub.example")[1]
    assert (await hub.http.post(url.replace(app.id, other.id), json={})).status_code == 401


async def test_removed_phone_posts_nothing_more(hub: AppHub) -> None:
    app = await hub.register()
    url = (await app.hooks())["sms:received"]["url"].split("hub.example")[1]
    hub.world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=app.device_id))
    body = {"id": "1", "event": "sms:received", "payload": TEXT}
    assert (await hub.http.post(url, json=body)).status_code == 401
    assert not inbound(hub)


async def test_mms_and_data_texts_come_in_once(hub: AppHub) -> None:
    app = await hub.register()
    mms = {"messageId": "m1", "sender": "+447700900123", "subject": "Hi", "body": "Look", "attachments": [], "size": 3}
    await app.post("mms:downloaded", {**mms, "receivedAt": TEXT["receivedAt"]})
    data = {"messageId": "d1", "sender": "+447700900123", "data": "AAEC", "receivedAt": TEXT["receivedAt"]}
    await app.post("sms:data-received", data)
    kinds = sorted((row["kind"], row["text"]) for row in inbound(hub))
    assert kinds == [("mms", "Look"), ("sms", "[binary message for port 53739]")]
    assert "mms:received" not in await app.hooks(), "the download tells it, once"
    old = App(hub, version="1.53.1")
    await old.sign_up(hub.word())
    assert "mms:downloaded" not in await old.hooks()
    notice = {"messageId": "t", "transactionId": "t", "size": 9, "receivedAt": TEXT["receivedAt"]}
    await old.post("mms:received", notice)
    assert [row["peer"] for row in inbound(hub) if row["kind"] == "mms"].count("anonymous") == 1
    assert told(hub, "mms:received") == 2


async def test_ping_is_status(hub: AppHub) -> None:
    app = await hub.register()
    checks = {"battery:level": {"observedValue": 37}, "battery:charging": {"observedValue": 5}}
    await app.post("system:ping", {"health": {"status": "pass", "checks": checks}})
    view = await hub.services.db.read(find_device, ACCOUNT, app.device_id, now=hub.clock.now())
    assert view is not None
    assert (view.battery_percent, view.is_charging) == (37, True)


async def test_posts_about_texts_move_them_as_reports_do_and_delivery_of_segments_is_only_told(hub: AppHub) -> None:
    app = await hub.register()
    message = hub.world.send("+491701111111")
    await app.texts()
    about = {"messageId": to_smsgate21(message), "recipient": "+491701111111", "phoneNumber": "+491701111111"}
    await app.post("sms:sent", {**about, "partsCount": 1, "sentAt": "2026-09-21T14:13:22.000Z"})
    assert hub.world.message(message).state == "sent"
    await app.post("sms:delivered", {**about, "deliveredAt": "2026-09-21T14:13:23.000Z"})
    await app.post("sms:sent", {**about, "partsCount": 1, "sentAt": "2026-09-21T14:13:22.000Z"})
    assert hub.world.message(message).state == "sent"
    assert told(hub, "sms:sent") == 1


async def test_what_nobody_can_read_is_kept_and_answered(hub: AppHub) -> None:
    app = await hub.register()
    assert (await app.post("sms:received", {"sender": 5, "message": None})).status_code == 200
    raw = json.dumps({"id": "n", "event": "something:new", "payload": {"a": 1}}).encode()
    assert (await app.post("", {}, raw=raw)).status_code == 200
    kept = await hub.services.db.read(list_quarantined, ACCOUNT, app.device_id)
    assert kept is not None
    assert len(kept) == 1
    assert sorted(row["outcome"] for row in hub.world.rows(DeviceEvent)) == ["quarantined", "stored"]
    assert (await app.post("", {}, raw=b"{")).status_code == 400


async def test_batches_of_an_export_are_their_messages(hub: AppHub) -> None:
    app = App(hub, version="1.71.0")
    await app.sign_up(hub.word())
    messages = [{**TEXT, "message": str(number)} for number in range(3)]
    await app.post("sms:batch:received", {"messages": messages})
    await app.post("sms:batch:received", {"messages": messages})
    await app.post("sms:received", messages[0])
    assert sorted(row["text"] for row in inbound(hub)) == ["0", "1", "2"]


async def test_octets_are_what_is_signed_not_what_they_mean(hub: AppHub) -> None:
    app = await hub.register()
    key = (await app.settings())["webhooks"]["signing_key"]
    payload = json.dumps(TEXT).replace("<", "\\u003c").replace("'", "\\u0027")
    raw = f'{{"id":"e1","event":"sms:received","deviceId":"{app.id}","payload":{payload}}}  '.encode()
    await app.post("sms:received", {**TEXT, "message": "first"}, key=key)
    assert (await app.post("sms:received", {}, raw=raw, key=key)).status_code == 200
    assert {row["text"] for row in inbound(hub)} == {"first", TEXT["message"]}
