"""Webhooks of the sms-gate.app API, over real sockets where something is sent: the checklist S1 to S5 of what its integrations rely on."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from hub.core.effects import WakeDelivery
from hub.core.events import Data, DeviceData, EventType, MessageData, MmsData, ReceivedData
from hub.core.ids import render, to_smsgate21
from hub.core.retry import PRESETS
from hub.dialects.smsgate import DIALECT
from hub.dialects.smsgate.taking import SHOWN_ID
from hub.dialects.smsgate.webhooks import EVENTS, UNSENT
from hub.webhooks.outbox import NewEvent
from tests.integration.api.hub_api import make_services
from tests.integration.smsgate_api.gate import PREFIX, Gate, message_of
from tests.integration.webhooks.receiver import Post, Receiver, says
from tests.integration.webhooks.world import World, world

pytestmark = pytest.mark.anyio
URL = "https://customer.example/hook?secret=a%20b"
AT = "2026-01-31T09:00:00.123Z"
DEVICE = "0" * 23 + "1"
TEXT = "0" * 23 + "2"


@dataclass
class Desk:
    """A hub that delivers, and a client that registers at it."""

    hub: World
    http: httpx.AsyncClient

    async def register(self, url: str, event: str, **more: Any) -> Any:
        answer = await self.http.post("/webhooks", json={"url": url, "event": event, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def happen(self, type_: EventType, data: Data, device_id: str | None = DEVICE) -> None:
        now = self.hub.clock.now()
        event = NewEvent(self.hub.new_id(), self.hub.account_id, type_, now, data, device_id, message_id=TEXT)
        await self.hub.publish([event])


@asynccontextmanager
async def desk(url: str, folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    async with world(url, **settings) as hub:
        services = make_services(hub.db, hub.clock, hub.ids, folder)  # type: ignore[arg-type]
        services = replace(services, webhooks=hub.webhooks)
        services.effects.on(WakeDelivery, lambda effect: hub.deliverer.wake(effect.endpoint_ids))
        made = await services.logins.create(hub.account_id)
        app = Starlette(routes=list(DIALECT.routes(services)))
        transport = httpx.ASGITransport(app)
        auth = (made.row.username, made.password)
        yield Desk(hub, httpx.AsyncClient(transport=transport, base_url="http://hub.test" + PREFIX, auth=auth))


def outbound(status: str, **more: Any) -> MessageData:
    known: dict[str, Any] = {
        "id": render("message", TEXT), "status": status, "to": "+491701234567", "from_": "+491709999999",
        "text": "hello", "encoding": "gsm7", "segments": 2, "slot": 1, "created_at": AT, "changed_at": AT,
    }  # fmt: skip
    return MessageData(**{**known, **more})


def envelope(post: Post) -> Any:
    assert post.headers["content-type"] == "application/json"
    body = json.loads(post.body)
    assert set(body) == {"deviceId", "event", "id", "payload", "webhookId"}
    return body


# --- S1 ---------------------------------------------------------------------------------------------------------------------------


async def test_S1_a_webhook_is_registered_listed_and_deleted_by_its_encoded_id(gate: Gate) -> None:
    shown_id = "my hook/№ 1?#"
    body = {"id": shown_id, "url": URL, "event": "sms:received"}
    made = await gate.http.post("/webhooks", json=body)
    assert (made.status_code, made.json()) == (201, {**body, "deviceId": None})
    assert (await gate.http.get("/webhooks")).json() == [{**body, "deviceId": None}]
    assert (await (await gate.stranger()).delete(f"/webhooks/{quote(shown_id, safe='')}")).status_code == 204
    assert len((await gate.http.get("/webhooks")).json()) == 1
    assert (await gate.http.delete(f"/webhooks/{quote(shown_id, safe='')}")).status_code == 204
    assert (await gate.http.get("/webhooks")).json() == []
    assert (await gate.http.delete(f"/webhooks/{quote(shown_id, safe='')}")).status_code == 204


async def test_a_webhook_without_an_id_is_given_one(gate: Gate) -> None:
    ids = set()
    for given in ({}, {"id": None}, {"id": ""}):
        answer = await gate.http.post("/webhooks", json={**given, "url": URL, "event": "sms:sent"})
        ids.add(answer.json()["id"])
    assert len(ids) == 3
    assert {one["id"] for one in (await gate.http.get("/webhooks")).json()} == ids


async def test_a_webhook_with_a_known_id_is_replaced(gate: Gate) -> None:
    await gate.http.post("/webhooks", json={"id": "a", "url": URL, "event": "sms:sent"})
    for event in ("sms:failed", "app:started", "sms:batch:received", "mms:downloaded", "system:ping"):
        second = {"id": "a", "url": "https://other.example/", "event": event, "deviceId": gate.shown_device}
        assert (await gate.http.post("/webhooks", json=second)).status_code == 201
        assert (await gate.http.get("/webhooks")).json() == [second]
    stranger = await gate.stranger()
    assert (await stranger.get("/webhooks")).json() == []
    body = {"id": "a", "url": URL, "event": "sms:sent", "deviceId": gate.shown_device}
    assert "deviceId" in message_of(await stranger.post("/webhooks", json=body), 400)


async def test_every_event_of_the_app_can_be_registered_and_some_never_come(gate: Gate) -> None:
    for number, event in enumerate((*EVENTS, *UNSENT)):
        body = {"id": f"w{number}", "url": URL, "event": event}
        assert (await gate.http.post("/webhooks", json=body)).status_code == 201, event
    listed = (await gate.http.get("/webhooks")).json()
    assert sorted(one["event"] for one in listed) == sorted((*EVENTS, *UNSENT))
    for one in listed:
        assert (await gate.http.delete(f"/webhooks/{one['id']}")).status_code == 204
    assert (await gate.http.get("/webhooks")).json() == []


async def test_the_hubs_own_webhooks_are_not_listed_here(gate: Gate) -> None:
    from hub.webhooks.records import NewEndpoint
    from tests.integration.messages.world import ACCOUNT

    await gate.services.webhooks.create(ACCOUNT, NewEndpoint(url=URL))
    await gate.services.webhooks.create(ACCOUNT, NewEndpoint(url=URL, format="smsgate"))
    assert (await gate.http.get("/webhooks")).json() == []


@pytest.mark.parametrize(
    "body",
    [
        {"url": URL},
        {"event": "sms:sent"},
        {"url": URL, "event": "sms:lost"},
        {"url": URL, "event": "sms:sent", "id": "x" * 37},
        {"url": URL, "event": "sms:sent", "deviceId": "x" * 21},
        {"url": URL, "event": "sms:sent", "deviceId": to_smsgate21("0" * 24)},
        {"url": "https://", "event": "sms:sent"},
        {"url": "https://user:pw@customer.example/", "event": "sms:sent"},
        {"url": "https://10.0.0.1/", "event": "sms:sent"},
        {"url": "https://[::1", "event": "sms:sent"},
        {"url": 5, "event": "sms:sent"},
        "x",
    ],
)
async def test_a_webhook_that_cannot_be_is_refused(gate: Gate, body: Any) -> None:
    message_of(await gate.http.post("/webhooks", json=body), 400)
    assert (await gate.http.get("/webhooks")).json() == []


# --- S2, S3 -----------------------------------------------------------------------------------------------------------------------

RECEIVED = ReceivedData(
    id=render("message", TEXT), from_="+491701234567", to="+491709999999", text="hi ✓", slot=0, received_at=AT,
    network_at="2026-01-31T16:00:00.123+07:00",
)  # fmt: skip
HAPPENINGS: list[tuple[EventType, Data, str, dict[str, Any]]] = [
    (
        EventType.SMS_RECEIVED, RECEIVED, "sms:received",
        {"message": "hi ✓", "sender": "+491701234567", "phoneNumber": "+491701234567", "recipient": "+491709999999",
         "simNumber": 1, "receivedAt": "2026-01-31T16:00:00.123+07:00"},
    ),
    (EventType.SMS_SENT, outbound("sent"), "sms:sent", {"partsCount": 2, "sentAt": AT, "recipient": "+491701234567"}),
    (EventType.SMS_DELIVERED, outbound("delivered"), "sms:delivered", {"deliveredAt": AT, "sender": "+491709999999"}),
    (EventType.SMS_FAILED, outbound("failed", reason="no_service"), "sms:failed", {"failedAt": AT, "reason": "no_service"}),
    (EventType.SMS_EXPIRED, outbound("expired"), "sms:failed", {"failedAt": AT, "reason": "expired", "simNumber": 2}),
    (EventType.SMS_CANCELLED, outbound("cancelled"), "sms:cancelled", {"cancelledAt": AT}),
    (
        EventType.MMS_RECEIVED, MmsData(id=render("message", TEXT), from_="+491701234567", text="words", received_at=AT),
        "mms:received", {"receivedAt": AT, "size": 0, "sender": "+491701234567"},
    ),
]  # fmt: skip


async def test_S2_each_event_fires_with_the_fields_of_its_payload(sqlite_url: str, tmp_path: Path) -> None:
    async with Receiver() as receiver, desk(sqlite_url, tmp_path) as one:
        for number, (_, _, word, _) in enumerate(HAPPENINGS):
            if word not in [other for _, _, other, _ in HAPPENINGS[:number]]:
                await one.register(receiver.url("/" + word.replace(":", "-")), word, id=word)
        for count, (type_, data, word, fields) in enumerate(HAPPENINGS, 1):
            await one.happen(type_, data)
            await receiver.until_count(count)
            post = receiver.posts[-1]
            assert post.path == "/" + word.replace(":", "-")
            body = envelope(post)
            assert (body["event"], body["webhookId"]) == (word, word)
            assert body["payload"]["messageId"] == to_smsgate21(TEXT)
            assert {name: body["payload"].get(name) for name in fields} == fields
        ping = DeviceData(device_id=render("device", DEVICE), name="Pixel", battery_percent=80, is_charging=True)
        await one.register(receiver.url("/ping"), "system:ping")
        await one.happen(EventType.SYSTEM_PING, ping)
        await receiver.until_count(len(HAPPENINGS) + 1)
        health = envelope(receiver.posts[-1])["payload"]["health"]
        assert health["status"] == "pass"
        assert health["checks"]["battery:level"]["observedValue"] == 80


async def test_S3_the_envelope_keeps_the_phones_offset_and_leaves_an_unknown_sim_out(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with Receiver() as receiver, desk(sqlite_url, tmp_path) as one:
        await one.register(receiver.url(), "sms:received", id="w")
        await one.happen(EventType.SMS_RECEIVED, RECEIVED)
        await one.happen(EventType.SMS_RECEIVED, msgspec.structs.replace(RECEIVED, slot=None, to=None))
        await receiver.until_count(2)
        bodies = sorted(
            (envelope(post) for post in receiver.posts), key=lambda body: "simNumber" not in body["payload"]
        )
        assert [body["deviceId"] for body in bodies] == [to_smsgate21(DEVICE)] * 2
        assert {body["payload"]["receivedAt"] for body in bodies} == {"2026-01-31T16:00:00.123+07:00"}
        assert bodies[0]["payload"]["simNumber"] == 1
        assert bodies[1]["payload"].get("simNumber") is None
        assert len({body["id"] for body in bodies}) == 2


async def test_a_webhook_for_one_phone_hears_nothing_of_the_others(sqlite_url: str, tmp_path: Path) -> None:
    from tests.integration.messages.world import World as Texts

    async with Receiver() as receiver, desk(sqlite_url, tmp_path) as one:
        texts = Texts(one.hub.db, one.hub.clock, one.hub.ids)  # type: ignore[arg-type]
        phone = texts.phone(account_id=one.hub.account_id)
        texts.conn.close()
        await one.register(receiver.url("/one"), "sms:received", deviceId=to_smsgate21(phone))
        await one.register(receiver.url("/all"), "sms:received")
        await one.happen(EventType.SMS_RECEIVED, RECEIVED)
        await one.happen(EventType.SMS_RECEIVED, RECEIVED, device_id=phone)
        await receiver.until_count(3)
        assert sorted(post.path for post in receiver.posts) == ["/all", "/all", "/one"]
        (scoped,) = receiver.of("/one")
        assert envelope(scoped)["deviceId"] == to_smsgate21(phone)


async def test_a_message_is_named_by_the_id_its_client_knows(sqlite_url: str, tmp_path: Path) -> None:
    async with Receiver() as receiver, desk(sqlite_url, tmp_path) as one:
        await one.register(receiver.url(), "sms:sent")
        await one.happen(EventType.SMS_SENT, outbound("sent", metadata={SHOWN_ID: "order-17"}))
        await receiver.until_count(1)
        assert envelope(receiver.posts[0])["payload"]["messageId"] == "order-17"


async def test_an_mms_is_told_in_either_of_the_apps_words(sqlite_url: str, tmp_path: Path) -> None:
    async with Receiver() as receiver, desk(sqlite_url, tmp_path) as one:
        await one.register(receiver.url("/notice"), "mms:received")
        await one.register(receiver.url("/whole"), "mms:downloaded")
        data = MmsData(id=render("message", TEXT), from_="+491701234567", subject="s", text="words", received_at=AT)
        await one.happen(EventType.MMS_RECEIVED, data)
        await receiver.until_count(2)
        (whole,) = receiver.of("/whole")
        (notice,) = receiver.of("/notice")
        assert (envelope(notice)["event"], envelope(whole)["event"]) == ("mms:received", "mms:downloaded")
        assert (envelope(whole)["payload"]["body"], envelope(whole)["payload"]["attachments"]) == ("words", [])


# --- S4 ---------------------------------------------------------------------------------------------------------------------------


async def test_S4_a_failure_is_tried_again_after_10_s_doubling_as_often_as_is_set(
    sqlite_url: str, tmp_path: Path
) -> None:
    usual = PRESETS["smsgate"]
    assert (usual.waits_seconds, usual.jitter) == (tuple(10 * 2**n for n in range(14)), 0)
    async with Receiver(script=says(500)) as receiver, desk(sqlite_url, tmp_path, factor=40) as one:
        await one.register(receiver.url(), "sms:sent", id="before")
        (endpoint,) = await one.hub.webhooks.list(one.hub.account_id)
        assert (endpoint.schedule, endpoint.timeout_seconds) == ("smsgate", 30)
        assert (await one.http.patch("/settings", json={"webhooks": {"retry_count": 2}})).status_code == 200
        (endpoint,) = await one.hub.webhooks.list(one.hub.account_id)
        assert list(endpoint.schedule) == [10, 20]
        await one.register(receiver.url("/after"), "sms:failed", id="after")
        assert {tuple(other.schedule) for other in await one.hub.webhooks.list(one.hub.account_id)} == {(10, 20)}
        await one.happen(EventType.SMS_SENT, outbound("sent"))
        (delivery,) = await one.hub.until_settled()
        detail = await one.hub.webhooks.delivery(one.hub.account_id, delivery.id)
        started = [attempt.started_at for attempt in detail.attempts]
        assert (delivery.state, len(started), len(receiver.posts)) == ("dead", 3, 3)
        first, second, third = sorted(started)
        assert second - first >= 8_000, "10 s, spread by a fifth"
        assert third - second >= 16_000, "20 s, spread by a fifth"
        assert len({post.body for post in receiver.posts}) == 1
        receiver.script = says(204)
        await one.happen(EventType.SMS_SENT, outbound("sent"))
        await receiver.until_count(4)
        assert {row.state for row in await one.hub.until_settled()} == {"dead", "ok"}


# --- S5 ---------------------------------------------------------------------------------------------------------------------------


async def test_S5_https_is_required_but_for_loopback_and_networks_that_are_allowed(gate: Gate, tmp_path: Path) -> None:
    taken = {
        "https://customer.example/": True,
        "HTTPS://customer.example/": True,
        "http://127.0.0.1:8080/hook?secret=1": True,
        "http://localhost:8080/hook": True,
        "http://customer.example/": False,
        "http://192.168.1.5/": False,
        "ftp://customer.example/": False,
        "customer.example": False,
    }
    for url, expected in taken.items():
        answer = await gate.http.post("/webhooks", json={"url": url, "event": "sms:sent"})
        assert (answer.status_code == 201) == expected, url
        if not expected and url.startswith("http:"):
            assert "https://" in message_of(answer, 400)


async def test_S5_a_lan_address_the_operator_allowed_may_be_http(sqlite_url: str, tmp_path: Path) -> None:
    async with desk(sqlite_url, tmp_path, allow=("127.0.0.0/8", "192.168.1.0/24")) as one:
        await one.register("http://192.168.1.5:9000/hook", "sms:sent")
        for url in ("http://192.168.2.5/", "https://192.168.2.5/"):
            message_of(await one.http.post("/webhooks", json={"url": url, "event": "sms:sent"}), 400)


async def test_S5_the_query_is_kept_and_the_signature_verifies_with_the_key_that_was_set(
    sqlite_url: str, tmp_path: Path
) -> None:
    def verify(post: Post, key: str) -> bool:
        content = post.body + post.headers["x-timestamp"].encode()
        made = hmac.new(key.encode(), content, hashlib.sha256).hexdigest()
        return hmac.compare_digest(made, post.headers["x-signature"])

    async with Receiver() as receiver, desk(sqlite_url, tmp_path) as one:
        await one.register(receiver.url("/hook?secret=a%20b&x={y}"), "sms:sent", id="old")
        assert (await one.http.patch("/settings", json={"webhooks": {"signing_key": "my-own.key_1"}})).json() == {}
        await one.register(receiver.url("/new"), "sms:sent", id="new")
        await one.happen(EventType.SMS_SENT, outbound("sent"))
        await receiver.until_count(2)
        assert {post.path for post in receiver.posts} == {"/hook?secret=a%20b&x={y}", "/new"}
        for post in receiver.posts:
            assert verify(post, "my-own.key_1")
            assert not verify(post, "another")
            assert abs(int(post.headers["x-timestamp"]) * 1000 - one.hub.clock.now()) < 600_000
        await one.http.patch("/settings", json={"webhooks": {"signing_key": None}})
        endpoint = next(e for e in await one.hub.webhooks.list(one.hub.account_id) if e.settings["webhook_id"] == "new")
        secret = (await one.hub.webhooks.rotate(one.hub.account_id, endpoint.id, grace_seconds=0)).secret
        await one.happen(EventType.SMS_SENT, outbound("sent"))
        await receiver.until(lambda: len(receiver.of("/new")) == 2)
        assert verify(receiver.of("/new")[-1], secret)
