"""An MMS comes in: whole, by either kind of phone, and to every door; nothing of it is served as anything but what it is."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs

import pytest

from hub.core.ids import render
from hub.devices.standing import RevokeDevice, revoke_device
from hub.messages.erase import Erase, erase
from hub.storage.retention import Retention
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import DeviceEvent
from hub.storage.schema.media import Media, MediaContent, MediaPiece
from tests.integration.devices.native_hub import NativeHub
from tests.integration.media.house import HTML, JPEG, PNG, SID, SVG, TOKEN, VCARD, Customer
from tests.integration.messages.world import ACCOUNT, STRANGER
from tests.integration.smsgate.app_hub import AppHub

pytestmark = pytest.mark.anyio

SENDER = "+447700900123"
AT = "2026-09-21T14:13:20.000+00:00"


def part(number: int, type_: str, content: bytes | None, name: str | None = None) -> dict[str, Any]:
    given = {"partId": number, "contentType": type_, "name": name, "size": len(content or b"")}
    return given | ({} if content is None else {"data": base64.b64encode(content).decode()})


def mms(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"messageId": "m1", "sender": SENDER, "body": "Look", "receivedAt": AT, "attachments": [*parts], **fields}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_T5_two_items_are_posted_and_each_url_is_fetchable_with_the_right_type(app_hub: AppHub) -> None:
    customer = Customer(app_hub.services, app_hub.world)
    await customer.gateway()
    app = await app_hub.register()
    answer = await app.post(
        "mms:downloaded", mms(part(1, "image/jpeg", JPEG, "beach.jpg"), part(2, "text/x-vcard", VCARD))
    )
    assert answer.status_code == 200, answer.text
    body = await customer.told()
    fields = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    assert (fields["NumMedia"], fields["Body"], fields["From"]) == ("2", "Look", SENDER)
    assert fields["MessageSid"].startswith("MM00")
    assert (fields["MediaContentType0"], fields["MediaContentType1"]) == ("image/jpeg", "text/vcard")
    for number, content in enumerate((JPEG, VCARD)):
        url = fields[f"MediaUrl{number}"]
        path = f"/2010-04-01/Accounts/{SID}/Messages/{fields['MessageSid']}/Media/ME00"
        assert url.startswith(f"https://hub.example{path}")
        for auth in (None, (SID, TOKEN), ("AC" + "0" * 32, "wrong")):
            fetched = await customer.http.get(url, **({} if auth is None else {"auth": auth}))
            assert (fetched.status_code, fetched.content) == (200, content)
            assert fetched.headers["content-type"].split(";")[0] == fields[f"MediaContentType{number}"]
        bare = url.partition("?")[0]
        assert (await customer.http.get(bare)).status_code == 401
        assert (await customer.http.get(bare, auth=(SID, TOKEN))).content == content
    assert await customer.told() == body, "each try has the same bytes"


async def test_a_pbx_lists_reads_and_deletes_attachments(small_hub: AppHub) -> None:
    customer = Customer(small_hub.services, small_hub.world)
    await customer.gateway()
    app = await small_hub.register()
    await app.post("mms:downloaded", mms(part(1, "image/png", PNG), part(2, "image/jpeg", JPEG)))
    auth = (SID, TOKEN)
    (message,) = (await customer.http.get(f"/2010-04-01/Accounts/{SID}/Messages.json", auth=auth)).json()["messages"]
    assert (message["num_media"], message["sid"][:2], message["direction"]) == ("2", "MM", "inbound")
    listed = (await customer.http.get(message["subresource_uris"]["media"], auth=auth)).json()
    assert [one["content_type"] for one in listed["media_list"]] == ["image/png", "image/jpeg"]
    first = listed["media_list"][0]
    assert set(first) == {"account_sid", "content_type", "date_created", "date_updated", "parent_sid", "sid", "uri"}
    assert (await customer.http.get(first["uri"], auth=auth)).json() == first
    assert (await customer.http.delete(first["uri"], auth=auth)).status_code == 204
    for path in (first["uri"], first["uri"].removesuffix(".json"), first["uri"].replace(first["sid"], "ME" + "0" * 32)):
        gone = await customer.http.get(path, auth=auth)
        assert (gone.status_code, gone.json()["code"]) == (404, 20404)
    again = (await customer.http.get(message["uri"], auth=auth)).json()
    assert again["num_media"] == "1"


async def test_it_is_in_the_conversation_and_nobody_elses(small_hub: AppHub) -> None:
    customer = Customer(small_hub.services, small_hub.world)
    app = await small_hub.register()
    await app.post("mms:downloaded", mms(part(1, "application/octet-stream", PNG, "../../etc/pa\\ss\nwd.png"), size=99))
    (message,) = await customer.messages()
    (medium,) = message["media"]
    assert (message["kind"], message["text"]) == ("mms", "Look")
    assert (medium["content_type"], medium["name"], medium["why"]) == ("image/png", "sswd.png", None)
    (thread,) = (await customer.v1().get("/v1/threads")).json()["items"]
    assert thread["last_message"]["media"] == message["media"]
    (event,) = [one for one in (await customer.v1().get("/v1/events")).json()["items"] if one["type"] == "mms:received"]
    assert event["data"]["media"][0]["content_type"] == "image/png"
    for url in (event["data"]["media"][0]["url"], (await customer.v1().post(f"{medium['url']}/link")).json()["url"]):
        assert (await customer.http.get(url)).content == PNG
    own = await customer.v1().get(medium["url"])
    assert (own.status_code, own.content) == (200, PNG)
    assert own.headers["content-disposition"].startswith('inline; filename="sswd.png"')
    assert "sandbox" in own.headers["content-security-policy"]
    same = await customer.v1().get(medium["url"], headers={"If-None-Match": own.headers["etag"]})
    assert same.status_code == 304
    for path in (medium["url"], f"{medium['url']}/link"):
        method = "POST" if path.endswith("link") else "GET"
        assert (await customer.v1(STRANGER).request(method, path)).status_code == 404


async def test_a_link_opens_one_attachment_until_it_expires(small_hub: AppHub) -> None:
    customer = Customer(small_hub.services, small_hub.world)
    app = await small_hub.register()
    await app.post("mms:downloaded", mms(part(1, "image/png", PNG), part(2, "image/jpeg", JPEG)))
    first, second = (await customer.messages())[0]["media"]
    link = (await customer.v1().post(f"{first['url']}/link")).json()
    url = link["url"]
    assert (await customer.http.get(url)).content == PNG
    wrong = [
        url.replace(first["id"], second["id"]),
        url.replace(render("account", ACCOUNT), render("account", STRANGER)),
        url.replace("expires=", "expires=9"),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        url.replace("signature=", "signature=%00%ff"),
        url.partition("&signature")[0],
        url.partition("?")[0],
        url.replace("/med_", "/msg_"),
    ]
    details = set()
    for one in wrong:
        answer = await customer.http.get(one)
        assert answer.status_code == 404, one
        details.add(answer.json()["detail"])
    assert len(details) == 1, "nobody learns which part was wrong"
    small_hub.clock.advance(small_hub.services.media_links.lives_seconds)
    assert (await customer.http.get(url)).status_code == 404


async def test_what_is_not_kept_says_why_and_loses_no_message(small_hub: AppHub) -> None:
    customer = Customer(small_hub.services, small_hub.world)
    await customer.gateway()
    app = await small_hub.register()
    given: list[tuple[str, bytes | None, str | None]] = [
        ("image/svg+xml", SVG, "type"),
        ("image/png", SVG, "type"),
        ("image/png", HTML, "type"),
        ("text/plain", HTML, "type"),
        ("text/html", b"plain words", "type"),
        ("application/octet-stream", b"MZ\x90\x00program", "type"),
        ("image/jpeg", PNG, "type"),
        ("image/png", PNG + bytes(5 << 20), "size"),
        ("image/png", None, "missing"),
        ("image/png", PNG, None),
    ]
    parts = [part(number, type_, content) for number, (type_, content, _) in enumerate(given)]
    answer = await app.post("mms:downloaded", mms(*parts, {"partId": 99}))
    assert answer.status_code == 200, answer.text
    (message,) = await customer.messages()
    assert message["text"] == "Look"
    assert [one["why"] for one in message["media"]] == [*(why for _, _, why in given), "missing"]
    assert {one["url"] is None for one in message["media"] if one["why"]} == {True}
    assert (await customer.v1().get(f"/v1/media/{message['media'][0]['id']}")).status_code == 404
    assert parse_qs((await customer.told()).decode())["NumMedia"] == ["1"]


async def test_the_same_post_again_is_one_message_and_the_bytes_are_kept_once(app_hub: AppHub) -> None:
    customer = Customer(app_hub.services, app_hub.world)
    app = await app_hub.register()
    smil = part(0, "application/smil", b"<smil/>")
    for id_ in ("one", "one", "two"):
        await app.post("mms:downloaded", mms(smil, part(1, "image/jpeg", JPEG)), id_=id_)
    await app.post("mms:downloaded", mms(part(1, "image/jpeg", JPEG), messageId="m2", body="the same again"))
    texts = [(one["text"], len(one["media"])) for one in await customer.messages()]
    assert texts == [("the same again", 1), ("Look", 1)]
    assert len(app_hub.world.rows(MediaContent)) == 1
    assert sum(len(row["content"]) for row in app_hub.world.rows(MediaPiece)) == len(JPEG)
    assert max(len(row["payload"]) for row in app_hub.world.rows(DeviceEvent)) < 2000, "the log of events has no bytes"


async def test_erasing_a_message_takes_its_attachments_and_leaves_anothers(app_hub: AppHub) -> None:
    world = app_hub.world
    app = await app_hub.register()
    await app.post("mms:downloaded", mms(part(1, "image/jpeg", JPEG), part(2, "image/png", PNG)))
    await app.post("mms:downloaded", mms(part(1, "image/jpeg", JPEG), messageId="m2", body="kept"))
    (first,) = [row for row in world.messages() if row.text == "Look"]
    world.do(erase, Erase(account_id=ACCOUNT, message_id=first.id))
    assert len(world.rows(Media)) == 1
    app_hub.clock.advance(25 * 3600)
    keeps = Retention(world.db, app_hub.services.config)
    assert await keeps.sweep_all() >= 1
    assert [row["sha256"] for row in world.rows(MediaContent)] == [sha256(JPEG)]
    assert {row["sha256"] for row in world.rows(MediaPiece)} == {sha256(JPEG)}
    world.change(Account, ACCOUNT, settings='{"keep_messages_days": 7}')
    app_hub.clock.advance(8 * 86_400)
    await keeps.sweep_all()
    assert [*world.rows(Media), *world.rows(MediaContent), *world.rows(MediaPiece)] == []


# --- the hub's own protocol -----------------------------------------------------------------------------------------------------------


async def put(hub: NativeHub, token: str, content: bytes, type_: str = "image/png", name: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": type_}
    answer = await hub.http.put(f"/device/v1/media/{name or sha256(content)}", content=content, headers=headers)
    return answer.status_code


async def test_a_phone_puts_what_is_attached_and_then_names_it(native_hub: NativeHub) -> None:
    hub, customer = native_hub, Customer(native_hub.services, native_hub.world)
    phone = await hub.phone()
    assert [await put(hub, phone.access_token, PNG) for _ in range(2)] == [200, 200]
    refs = [
        {"content_type": "image/png", "sha256": sha256(PNG), "name": "a.png"},
        {"content_type": "image/jpeg", "sha256": sha256(JPEG)},
        {"content_type": "text/html", "sha256": sha256(PNG)},
        {"content_type": "video/mp4", "size_bytes": 9_000_000, "why": "size"},
    ]
    payload = {
        "received_at": "2026-11-21T14:31:04.000Z",
        "subscription_id": 1,
        "from": SENDER,
        "text": "Hi",
        "media": refs,
    }
    async with phone.online() as wire:
        await wire.send(phone.text(event="mms:received", payload=payload))
        await wire.ack(1)
    (message,) = await customer.messages()
    shown = [(one["content_type"], one["why"]) for one in message["media"]]
    assert shown == [("image/png", None), ("image/jpeg", "missing"), ("text/html", "type"), ("video/mp4", "size")]
    assert (await customer.v1().get(message["media"][0]["url"])).content == PNG
    assert await put(hub, phone.access_token, JPEG, "image/jpeg") == 200
    (message,) = await customer.messages()
    assert (await customer.v1().get(message["media"][1]["url"])).content == JPEG, "bytes that come late are found"


async def test_the_door_for_bytes_takes_no_others(native_hub: NativeHub) -> None:
    hub = native_hub
    phone = await hub.phone()
    token = phone.access_token
    assert await put(hub, "nonsense", PNG) == 401
    assert await put(hub, token, PNG, name=sha256(JPEG)) == 400
    assert await put(hub, token, PNG, name="../x") in (404, 405)
    assert await put(hub, token, PNG, name=sha256(PNG).upper()) == 404
    assert await put(hub, token, SVG, "image/svg+xml") == 415
    assert await put(hub, token, SVG, "image/png") == 415
    assert await put(hub, token, bytes((5 << 20) + 1)) == 413
    hub.world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=phone.device_id))
    assert await put(hub, token, PNG) == 401
    assert not hub.world.rows(MediaPiece)


async def test_an_upload_that_was_cut_goes_on_where_it_stopped(native_hub: NativeHub) -> None:
    hub = native_hub
    phone = await hub.phone()
    assert await put(hub, phone.access_token, JPEG, "image/jpeg") == 200
    (content,) = hub.world.rows(MediaContent)
    with hub.world.conn.begin():
        hub.world.conn.exec_driver_sql("delete from media_piece where number = 2")
        hub.world.conn.exec_driver_sql("update media_content set is_whole = false")
    assert await put(hub, phone.access_token, JPEG, "image/jpeg") == 200
    pieces = sorted(hub.world.rows(MediaPiece), key=lambda row: row["number"])
    assert b"".join(bytes(row["content"]) for row in pieces) == JPEG
    assert hub.world.rows(MediaContent)[0]["is_whole"]
    assert content["size_bytes"] == len(JPEG)
