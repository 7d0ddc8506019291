"""An MMS goes out: from a door, with bytes that were uploaded or fetched, to a phone that said it sends MMS, and to no other."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from device_protocol.states import SEND_MMS
from hub.core.clock import rfc3339
from hub.core.commands import ByLine, SentMedium
from hub.core.errors import Code
from hub.core.events import EventType, ReceivedData, encode
from hub.core.ids import IdSource, render
from hub.core.ports import EndpointView, EventView, ReplyText
from hub.media import pulling
from hub.media.keeping import DropMedium, drop_media, keep
from hub.media.room import Room
from hub.messages.accept import accept
from hub.messages.cancel import Cancel, cancel
from hub.messages.dispatch import Retract, retract
from hub.messages.move import MoveQueue, move_queue
from hub.messages.replies import Replies
from hub.messages.resend import Resend, resend
from hub.storage.retention import Retention
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Device
from hub.storage.schema.media import Media, MediaContent, MediaPiece, MediaUpload
from hub.storage.schema.messages import Message
from tests.fakes import FakeClock
from tests.integration.api.hub_api import make_services
from tests.integration.devices.native_hub import NativeHub
from tests.integration.media.house import HTML, JPEG, PNG, SID, TOKEN, Customer, answer, web
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, Phones, World

pytestmark = pytest.mark.anyio

MESSAGES = f"/2010-04-01/Accounts/{SID}/Messages.json"
AUTH = (SID, TOKEN)
STATUS = "https://pbx.example/status"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
async def customer(world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Customer:
    """Somebody with a gateway, and a key."""
    made = Customer(make_services(world.db, clock, ids, tmp_path), world)
    await made.gateway()
    return made


async def twilio(customer: Customer, **fields: Any) -> httpx.Response:
    form = {"To": "+491701234567", **fields}
    return await customer.http.post(MESSAGES, data=form, auth=AUTH)


async def upload(customer: Customer, content: bytes, type_: str = "image/png", **query: str) -> dict[str, Any]:
    made = await customer.v1().post("/v1/media", content=content, headers={"Content-Type": type_}, params=query)
    assert made.status_code == 201, made.text
    body: dict[str, Any] = made.json()
    return body


def line_of(world: World, device: str) -> dict[str, str]:
    (line,) = world.lines(device)
    return {"line_id": render("line", line)}


async def test_T3_media_urls_make_an_MM_message_that_a_phone_is_offered(customer: Customer) -> None:
    world = customer.world
    plain, able = world.phone("Plain"), world.phone("Able", sends_mms=True)
    await customer.v1().patch("/v1/account", json={"default_region": "DE"})
    (line,) = world.lines(able)
    number = next(row["number"] for row in (await customer.v1().get("/v1/lines")).json()["items"] if row["sends_mms"])
    asked: list[bytes] = []
    files = {"/a/cat.png?x=1": answer(PNG, "image/png"), "/big": answer(JPEG, "application/octet-stream")}
    async with web(files, asked) as url:
        taken = await twilio(
            customer, From=number, Body="Look", MediaUrl=[url("/a/cat.png?x=1"), url("/big")], StatusCallback=STATUS
        )
    assert taken.status_code == 201, taken.text
    body = taken.json()
    assert (body["sid"][:4], body["num_media"], body["num_segments"], body["status"]) == ("MM00", "2", "1", "queued")
    assert all(b"authorization" not in head.lower() for head in asked)
    assert (await customer.http.get(body["uri"], auth=AUTH)).json()["num_media"] == "2"
    listed = (await customer.http.get(body["subresource_uris"]["media"], auth=AUTH)).json()["media_list"]
    assert [one["content_type"] for one in listed] == ["image/png", "image/jpeg"]
    assert Phones(world).offers(plain) == []
    (job,) = Phones(world).offers(able)
    assert (job.text, job.line.slot) == ("Look", 0)
    assert [(one.sha256, one.content_type, one.size_bytes, one.name) for one in job.media] == [
        (sha256(PNG), "image/png", len(PNG), "cat.png"),
        (sha256(JPEG), "image/jpeg", len(JPEG), None),
    ]
    phones = Phones(world)
    phones.accept(able, job)
    phones.sent(able, job)
    phones.delivered(able, job)
    status = parse_qs((await customer.told()).decode())
    assert (status["MessageSid"], status["MessageStatus"]) == ([body["sid"]], ["delivered"])
    (message,) = (await customer.v1().get("/v1/messages")).json()["items"]
    assert (message["state"], message["kind"], message["line_id"]) == ("delivered", "mms", render("line", line))
    content = await customer.v1().get(message["media"][1]["url"])
    assert (content.content, content.headers["content-type"]) == (JPEG, "image/jpeg")
    events = (await customer.v1().get("/v1/events")).json()["items"]
    told = [event for event in events if event["message_id"] == message["id"]]
    assert [event["type"] for event in told] == ["sms:queued", "sms:sent", "sms:delivered"]
    for event in told:
        assert [one["id"] for one in event["data"]["media"]] == [one["id"] for one in message["media"]]
        assert (await customer.http.get(event["data"]["media"][0]["url"])).content == PNG


async def test_T3_words_may_be_left_out_and_a_disallowed_type_is_4xx(customer: Customer) -> None:
    world = customer.world
    device = world.phone(sends_mms=True)
    number = (await customer.v1().get("/v1/lines")).json()["items"][0]["number"]
    most = customer.services.config.media_max_bytes
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    files = {
        "/page": answer(HTML, "text/html"),
        "/lie": answer(HTML, "image/png"),
        "/gone": answer(b"", "text/plain", "404 Not Found"),
        "/moved": answer(PNG, "image/png", "302 Found", "Location: /png\r\n"),
        "/short": answer(PNG, "image/png")[:-1],
        "/large": answer(PNG + bytes(most), "image/png"),
        "/empty": answer(b"", "image/png"),
        "/cut": chunked + b"%x\r\n" % len(PNG) + PNG + b"\r\n",
        "/no-http": b"hello\r\n\r\n",
        "/png": answer(PNG, "image/png"),
    }
    async with web(files, []) as url:
        refused = [url(path) for path in files if path != "/png"]
        for one in (*refused, "http://169.254.169.254/x.png", "http://127.0.0.1:1/x.png", "http://u:p@example.org/x"):
            faulty = await twilio(customer, From=number, Body="Look", MediaUrl=one)
            assert (faulty.status_code, faulty.json()["code"]) == (400, 21620), (one, faulty.text)
        assert world.rows(Message) == world.rows(Media) == []
        taken = await twilio(customer, From=number, MediaUrl=url("/png"))
        assert (taken.status_code, taken.json()["num_media"], taken.json()["body"]) == (201, "1", "")
    (job,) = Phones(world).offers(device)
    assert (job.text, [one.content_type for one in job.media]) == ("", ["image/png"])


async def test_a_hub_that_fetches_for_others_says_try_again_and_blames_no_address(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer.world.phone("Able", sends_mms=True)
    number = (await customer.v1().get("/v1/lines")).json()["items"][0]["number"]
    room = Room(1)
    await room.enter(STRANGER)
    monkeypatch.setattr(pulling, "_ROOM", room)
    async with web({"/": answer(PNG, "image/png")}, []) as url:
        monkeypatch.setattr(pulling, "ROOM_SECONDS", 0.0)
        busy = await twilio(customer, From=number, MediaUrl=url("/"))
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
        assert customer.world.rows(Message) == []
        room.leave(STRANGER)
        monkeypatch.setattr(pulling, "ROOM_SECONDS", 60.0)
        for _ in range(2):  # the room is given back
            assert (await twilio(customer, From=number, MediaUrl=url("/"))).status_code == 201


async def test_the_sender_of_attachments_is_known_before_they_are_sent(customer: Customer) -> None:
    world = customer.world
    world.phone("Plain")
    v1 = customer.v1()
    plain = (await v1.get("/v1/lines")).json()["items"][0]["id"]
    none = (await v1.post("/v1/senders", json={"to": "+491701234567", "has_media": True})).json()
    assert (none["line_id"], none["why"]) == (None, "no_mms_line")
    world.phone("Able", sends_mms=True)
    able = next(row["id"] for row in (await v1.get("/v1/lines")).json()["items"] if row["sends_mms"])
    chosen = (await v1.post("/v1/senders", json={"to": "+491701234567", "has_media": True, "segments": 200})).json()
    assert chosen["line_id"] == able
    asked = (await v1.post("/v1/senders", json={"to": "+491701234567", "has_media": True, "line_id": plain})).json()
    assert (asked["line_id"], asked["why"]) == (None, "no_mms_line")


async def test_where_no_line_sends_mms_it_is_said_at_once_and_nothing_is_fetched(customer: Customer) -> None:
    world = customer.world
    plain = world.phone("Plain")
    number = (await customer.v1().get("/v1/lines")).json()["items"][0]["number"]
    asked: list[bytes] = []
    async with web({"/": answer(PNG, "image/png")}, asked) as url:
        for fields in ({"From": number}, {}):
            refused = await twilio(customer, Body="Look", MediaUrl=url("/"), **fields)
            assert refused.status_code == 400
        assert refused.json()["code"] in (21603, 21612)
        assert asked == []
    made = await upload(customer, PNG)
    send = {"to": "+491701234567", "media": [made["id"]]}
    for more in ({}, line_of(world, plain), {"from": number}, {"device_id": render("device", plain)}):
        answered = await customer.v1().post("/v1/messages", json=send | more)
        assert (answered.status_code, answered.json()["code"]) == (409, "no_mms_line"), more
    world.phone("Able", sends_mms=True)
    assert (await customer.v1().post("/v1/messages", json=send | line_of(world, plain))).status_code == 409
    assert (await customer.v1().post("/v1/messages", json=send)).status_code == 202
    assert len(world.rows(Message)) == 1


async def test_an_upload_is_sent_as_often_as_one_likes_for_a_day_and_is_nobody_elses(customer: Customer) -> None:
    world, clock = customer.world, customer.world.clock
    world.phone(sends_mms=True)
    world.phone(sends_mms=True, account_id=STRANGER)
    made = await upload(customer, PNG, "application/octet-stream", name="../a/cat.png")
    assert made == {
        "id": made["id"], "content_type": "image/png", "name": "cat.png", "size_bytes": len(PNG), "sha256": sha256(PNG),
    }  # fmt: skip
    send = {"to": ["+491701234567", "+491701234568"], "text": "Look", "media": [made["id"], made["id"]]}
    key = {"Idempotency-Key": "k1"}
    first = await customer.v1().post("/v1/messages", json=send, headers=key)
    assert (first.status_code, first.json()["segments"]) == (202, 1), first.text
    assert len(world.rows(Media)) == 4
    theirs = await customer.v1(STRANGER).post("/v1/messages", json=send)
    assert (theirs.status_code, theirs.json()["errors"][0]["field"]) == (422, "media[0]"), theirs.text
    for content, type_, status in ((HTML, "text/html", 415), (HTML, "image/png", 415), (b"", "image/png", 400)):
        refused = await customer.v1().post("/v1/media", content=content, headers={"Content-Type": type_})
        assert refused.status_code == status
    too_large = PNG + bytes(customer.services.config.media_max_bytes)
    assert (await customer.v1().post("/v1/media", content=too_large)).status_code == 413
    clock.advance(25 * 3600)
    await Retention(world.db, customer.services.config).sweep_all()
    assert world.rows(MediaUpload) == []
    assert (await customer.v1().post("/v1/messages", json=send)).status_code == 422
    again = await customer.v1().post("/v1/messages", json=send, headers=key)
    assert (again.status_code, again.json()) == (202, first.json()), "the same request is answered the same"
    message = (await customer.v1().get("/v1/messages")).json()["items"][0]
    assert (await customer.v1().get(message["media"][0]["url"])).content == PNG


async def test_an_operator_sets_what_is_attached_and_how_much(
    world: World, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    settings = {"media_types": "image/jpeg", "media_max_message_bytes": len(JPEG) + 1}
    customer = Customer(make_services(world.db, clock, ids, tmp_path, **settings), world)
    await customer.gateway()
    world.phone(sends_mms=True)
    number = (await customer.v1().get("/v1/lines")).json()["items"][0]["number"]
    png = await customer.v1().post("/v1/media", content=PNG, headers={"Content-Type": "image/png"})
    assert (png.status_code, png.json()["code"]) == (415, "unsupported_media_type")
    made = await upload(customer, JPEG, "image/jpeg")
    both = {"to": PEER, "text": "Look" * 200, "media": [made["id"], made["id"]]}
    too_much = await customer.v1().post("/v1/messages", json=both)
    assert (too_much.status_code, too_much.json()["code"]) == (413, "body_too_large")
    async with web({"/png": answer(PNG, "image/png"), "/jpg": answer(JPEG, "image/jpeg")}, []) as url:
        assert (await twilio(customer, From=number, MediaUrl=url("/png"))).status_code == 400
        refused = await twilio(customer, From=number, MediaUrl=[url("/jpg"), url("/jpg")])
        assert (refused.status_code, refused.json()["code"]) == (400, 21620)
        assert world.rows(Message) == world.rows(Media) == []
        assert (await twilio(customer, From=number, MediaUrl=url("/jpg"))).status_code == 201
    taken = await customer.v1().post("/v1/messages", json=both | {"media": [made["id"]]})
    assert (taken.status_code, taken.json()["segments"]) == (202, 1), "one MMS is one segment, however long its words"


@pytest.mark.parametrize("own_days", [None, 7])
async def test_what_was_sent_goes_with_its_message(customer: Customer, own_days: int | None) -> None:
    world, clock = customer.world, customer.world.clock
    device = world.phone(sends_mms=True)
    if own_days is not None:
        world.change(Account, ACCOUNT, settings=f'{{"keep_messages_days": {own_days}}}')
    days = own_days or customer.services.config.keep_messages_days
    phones, keeps = Phones(world), Retention(world.db, customer.services.config)

    async def send() -> None:
        world.send(media=await kept(customer))
        (job,) = phones.offers(device)
        phones.accept(device, job)
        phones.sent(device, job)
        phones.delivered(device, job)

    async def left_after(days: float) -> tuple[int, int, list[str]]:
        clock.advance(days * 86_400)
        await keeps.sweep_all()
        assert len(world.rows(MediaPiece)) == len(world.rows(MediaContent))
        hashes = [row["sha256"] for row in world.rows(MediaContent) if row["loose_since"] is None]
        return len(world.rows(Message)), len(world.rows(Media)), hashes

    await send()
    assert await left_after(days - 1) == (1, 1, [sha256(PNG)])
    await send()
    assert await left_after(2) == (1, 1, [sha256(PNG)]), "the same picture is in another message"
    assert await left_after(days) == (0, 0, [])


async def test_a_twiml_answer_sends_media_once_and_its_words_alone_where_that_cannot_be(customer: Customer) -> None:
    world = customer.world
    replies = Replies(customer.services)
    endpoint = EndpointView(endpoint_id="e", account_id=ACCOUNT, url="https://pbx.example/in", format="twilio")
    asked: list[bytes] = []

    async def answered(event_id: str, *texts: ReplyText) -> list[tuple[str, str]]:
        data = encode(ReceivedData(id="m", from_=PEER, to=None, text="?", segments=1, received_at=rfc3339(0)))
        event = EventView(
            event_id=event_id, seq=1, type=EventType.SMS_RECEIVED, account_id=ACCOUNT, occurred_at=0, data=data.encode()
        )
        await replies(event, endpoint, texts)
        return [(row.kind, row.text) for row in world.messages()]

    async with web({"/cat.png": answer(PNG, "image/png"), "/page": answer(HTML, "text/html")}, asked) as url:
        cat, page = (
            ReplyText(text="Look", media_urls=(url("/cat.png"),)),
            ReplyText(text="", media_urls=(url("/page"),)),
        )
        plain = world.phone("Plain")
        assert await answered("one", cat, page) == [("sms", "Look")]
        assert asked == [], "nothing is fetched where no line could send it"
        world.phone("Able", sends_mms=True)
        assert await answered("one", cat, page) == [("sms", "Look")], "the same answer again sends nothing"
        asked.clear()
        several = ("two", cat, page, ReplyText(text="", media_urls=(url("/cat.png"),)), ReplyText(text="bye"))
        both = [("sms", "Look"), ("mms", "Look"), ("mms", ""), ("sms", "bye")]
        assert await answered(*several) == both
        fetched = len(asked)
        assert await answered(*several) == both
        assert len(asked) == fetched + 1, "only what failed is asked for again"
    assert world.lines(plain)
    assert len(world.rows(Media)) == 2


async def kept(customer: Customer) -> tuple[SentMedium, ...]:
    one = await keep(customer.services.db, customer.services.config, ACCOUNT, "image/png", PNG)
    return (SentMedium(one.sha256, one.type, one.size_bytes),)


async def test_a_phone_that_sends_no_mms_any_more_hands_them_on_or_it_is_said_that_nobody_can(
    customer: Customer,
) -> None:
    world, phones = customer.world, Phones(customer.world)
    first, second = world.phone("First", sends_mms=True), world.phone("Second", sends_mms=True)
    (line,), (other,) = world.lines(first), world.lines(second)
    media = await kept(customer)
    free, pinned = world.send(media=media), world.send("+491701234569", media=media, sender=ByLine(line))
    here, there = (first, second) if world.message(free).line_id == line else (second, first)
    world.change(Device, here, sends_mms=False)
    assert free not in [job.id for job in phones.offers(here)]
    assert world.message(free).line_id == ({line, other} - {world.lines(here)[0]}).pop()
    assert free in [job.id for job in phones.offers(there)]
    world.do(retract, Retract(account_id=ACCOUNT, message_id=free, offered_before=world.clock.now()))
    if here == second:
        world.do(retract, Retract(account_id=ACCOUNT, message_id=pinned, offered_before=world.clock.now()))
    world.change(Device, there, sends_mms=False)
    world.change(Device, first, sends_mms=False)
    assert [*phones.offers(first), *phones.offers(second)] == []
    for id_ in (free, pinned):
        assert (world.message(id_).state, world.message(id_).reason) == ("failed", "no_line")


async def test_resend_cancel_failover_and_moving_keep_what_is_attached(customer: Customer) -> None:
    world = customer.world
    phones, media = Phones(world), await kept(customer)
    plain = world.phone("Plain")
    able, spare = world.phone("Able", sends_mms=True), world.phone("Spare", sends_mms=True)
    (able_line,), (spare_line,), (plain_line,) = world.lines(able), world.lines(spare), world.lines(plain)
    id_ = world.send(media=media, sender=ByLine(able_line))
    (row,) = world.rows(Media)
    assert world.refusal(drop_media, DropMedium(ACCOUNT, row["id"])).code is Code.CONFLICT
    moved = world.do(move_queue, MoveQueue(account_id=ACCOUNT, device_id=able, to_line_id=plain_line))
    assert (moved.moved, world.message(id_).line_id) == (0, able_line)
    moved = world.do(move_queue, MoveQueue(account_id=ACCOUNT, device_id=able, to_line_id=spare_line))
    assert moved.moved == 1
    (job,) = phones.offers(spare)
    assert [one.sha256 for one in job.media] == [sha256(PNG)]
    phones.accept(spare, job)
    phones.sent(spare, job)
    again = Resend(account_id=ACCOUNT, message_id=id_, new_id=world.new_id(), line_id=able_line)
    world.do(resend, again)
    (job,) = phones.offers(able)
    assert (job.id, [one.sha256 for one in job.media]) == (again.new_id, [sha256(PNG)])
    assert world.do(cancel, Cancel(account_id=ACCOUNT, message_id=again.new_id)).state == "cancelled"
    refused = Resend(account_id=ACCOUNT, message_id=id_, new_id=world.new_id(), line_id=plain_line)
    assert world.refusal(resend, refused).code is Code.NO_MMS_LINE
    world.do(drop_media, DropMedium(ACCOUNT, row["id"]))
    refused = Resend(account_id=ACCOUNT, message_id=id_, new_id=world.new_id())
    assert world.refusal(resend, refused).code is Code.NOT_RETRYABLE


async def test_bytes_that_are_gone_by_the_time_of_the_request_refuse_it(customer: Customer) -> None:
    customer.world.phone(sends_mms=True)
    gone = customer.world.prepare(media=(SentMedium(sha256(b"x"), "image/png", 1),))
    assert customer.world.refusal(accept, gone).code is Code.VALIDATION
    assert customer.world.messages() == []


async def test_a_phone_sends_mms_while_its_hello_says_so(native_hub: NativeHub) -> None:
    phone = await native_hub.phone()
    for capabilities, can in (([SEND_MMS], True), ([], False)):
        async with phone.online(capabilities=capabilities):
            (row,) = native_hub.world.rows(Device)
            assert row["sends_mms"] is can


async def test_a_phone_fetches_what_it_was_offered_and_nothing_else(native_hub: NativeHub) -> None:
    hub, world = native_hub, native_hub.world
    phone, other = await hub.phone(), await hub.phone("y" * 43)
    line = world.line(phone.device_id)
    world.change(Device, phone.device_id, sends_mms=True, is_online=True, session_no=1)
    await keep(hub.services.db, hub.services.config, ACCOUNT, "image/jpeg", JPEG)
    await keep(hub.services.db, hub.services.config, ACCOUNT, "image/png", PNG)

    async def fetch(token: str, content: bytes = JPEG) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await hub.http.get(f"/device/v1/media/{sha256(content)}", headers=headers)

    media = (SentMedium(sha256(JPEG), "image/jpeg", len(JPEG)),)
    id_ = world.send(PEER, media=media, sender=ByLine(line))
    assert (await fetch(phone.access_token)).status_code == 404, "not offered yet"
    (job,) = Phones(world).offers(phone.device_id)
    fetched = await fetch(phone.access_token)
    assert (fetched.status_code, fetched.content, fetched.headers["content-type"]) == (200, JPEG, "image/jpeg")
    assert (await fetch(other.access_token)).status_code == 404
    assert (await fetch(phone.access_token, PNG)).status_code == 404
    assert (await fetch("wrong")).status_code == 401
    Phones(world).accept(phone.device_id, job)
    assert (await fetch(phone.access_token)).content == JPEG
    Phones(world).sent(phone.device_id, job)
    assert (await fetch(phone.access_token)).status_code == 404, id_
