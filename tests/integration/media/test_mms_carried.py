"""A carrier posts a text with attachments: it is answered at once, what is attached is fetched after that, and told once with the text."""

import asyncio
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from twilio.request_validator import RequestValidator

from hub.core.effects import LiveHint
from hub.core.events import EventType
from hub.core.ids import IdSource, render
from hub.media.keeping import DropMedium, drop_media, keep
from hub.messages.carried_loop import CarriedMedia
from hub.messages.carried_media import SCHEDULE, Bring, EndTry, TakePulls, bring, end_try, take_pulls
from hub.messages.erase import Erase, erase
from hub.storage.media_pulls import Brought
from hub.storage.schema.media import Media, MediaPull
from hub.storage.schema.messages import Message
from hub.storage.schema.webhooks import WebhookEvent
from hub.webhooks.resolver import Resolver
from hub.webhooks.targets import Guard
from tests.fakes import FakeClock
from tests.integration.api.hub_api import make_services
from tests.integration.media.house import HTML, JPEG, PNG, SID, TOKEN, VCARD, Customer, answer, web
from tests.integration.messages.world import ACCOUNT, World

pytestmark = pytest.mark.anyio

PATH = "/sms/FrontDesk/generic"
TEXT = {"MessageSid": "MM" + "1f" * 16, "From": "+447700900142", "To": "+447700900001", "Body": "Look"}
BASIC = "Basic " + b64encode(f"{SID}:{TOKEN}".encode()).decode()


class Carrier(Customer):
    """Somebody who posts into the gateway, and the loop that fetches."""

    def __init__(self, world: World, clock: FakeClock, ids: IdSource, folder: Path, **settings: Any) -> None:
        super().__init__(make_services(world.db, clock, ids, folder, **settings), world)
        self.loop = CarriedMedia(self.services, fetch_seconds=30)

    async def post(self, *urls: str, types: tuple[str, ...] = (), **more: str) -> httpx.Response:
        fields = {**TEXT, "NumMedia": str(len(urls)), **{f"MediaUrl{n}": url for n, url in enumerate(urls)}, **more}
        fields |= {f"MediaContentType{n}": type_ for n, type_ in enumerate(types)}
        signature = RequestValidator(TOKEN).compute_signature(f"https://hub.example{PATH}", fields)
        answered = await self.http.post(PATH, data=fields, headers={"X-Twilio-Signature": signature})
        assert (answered.status_code, answered.text[-11:]) == (200, "<Response/>"), answered.text
        return answered

    async def look(self) -> None:
        await self.loop.look()
        await self.loop.idle()

    async def message(self) -> dict[str, Any]:
        (message,) = await self.messages()
        return message

    async def whys(self) -> list[str | None]:
        return [one["why"] for one in (await self.message())["media"]]

    async def story(self) -> str:
        shown = await self.v1().get(f"/v1/messages/{(await self.message())['id']}/timeline")
        return " | ".join(hop["sentence"] for hop in shown.json()["items"])

    def events(self) -> list[dict[str, Any]]:
        return [row for row in self.world.rows(WebhookEvent) if row["type"] == EventType.MMS_RECEIVED]


@pytest.fixture
async def carrier(world: World, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Carrier:
    made = Carrier(world, clock, ids, tmp_path)
    await made.gateway()
    return made


async def test_T21_what_a_carrier_attaches_is_fetched_after_the_answer_and_told_once_with_the_text(
    carrier: Carrier,
) -> None:
    asked: list[bytes] = []
    files = {"/a/cat.png?x=1": answer(PNG, "image/png"), "/v": answer(VCARD, "application/octet-stream")}
    async with web(files, asked) as url:
        await carrier.post(url("/a/cat.png?x=1"), url("/v"), types=("image/png", "text/x-vcard"))
        assert asked == [], "the carrier is answered before"
        before = await carrier.message()
        assert (before["kind"], before["text"]) == ("mms", "Look")
        assert [(one["why"], one["url"], one["content_type"]) for one in before["media"]] == [
            ("waiting", None, "image/png"),
            ("waiting", None, "text/vcard"),
        ]
        assert carrier.events() == []
        await carrier.look()
        assert all(b"authorization" not in head.lower() for head in asked), "no login for a stranger's host"
        await carrier.post(url("/a/cat.png?x=1"), url("/v"))
        await carrier.look()
    assert len(asked) == 2
    media = (await carrier.message())["media"]
    assert [(one["content_type"], one["name"], one["size_bytes"]) for one in media] == [
        ("image/png", "cat.png", len(PNG)),
        ("text/vcard", None, len(VCARD)),
    ]
    assert (await carrier.v1().get(media[0]["url"])).content == PNG
    told = parse_qs((await carrier.told()).decode())
    assert (told["NumMedia"], told["Body"], told["To"]) == (["2"], ["Look"], [TEXT["To"]])
    assert (await carrier.http.get(told["MediaUrl1"][0])).content == VCARD
    assert len(carrier.events()) == 1
    assert carrier.world.rows(MediaPull) == []
    assert "2 of 2 attachments fetched from the carrier." in await carrier.story()


async def test_a_message_is_told_after_a_minute_with_what_is_there_and_the_rest_comes_later(
    carrier: Carrier, clock: FakeClock
) -> None:
    files = {"/a": answer(PNG, "image/png"), "/b": answer(b"", "text/plain", "503 Service Unavailable")}
    async with web(files, []) as url:
        await carrier.post(url("/a"), url("/b"))
        await carrier.look()
        assert (await carrier.whys(), carrier.events()) == ([None, "waiting"], [])
        assert "Attachment 2 is not here. The address answers 503 instead of 200. It is tried again at" in (
            await carrier.story()
        )
        clock.advance(61)
        await carrier.look()
        (event,) = carrier.events()
        assert parse_qs((await carrier.told()).decode())["NumMedia"] == ["1"]
        files["/b"] = answer(JPEG, "image/jpeg")
        clock.advance(SCHEDULE.waits_seconds[2] * 2)
        await carrier.look()
    assert await carrier.whys() == [None, None]
    assert [one["seq"] for one in carrier.events()] == [event["seq"]], "told once"


async def test_what_does_not_come_is_given_up_and_the_timeline_says_why(carrier: Carrier, clock: FakeClock) -> None:
    await carrier.post("http://127.0.0.1:1/a.png")
    for _ in range(SCHEDULE.max_attempts):
        assert len(carrier.world.rows(MediaPull)) == 1
        await carrier.look()
        clock.advance(max(SCHEDULE.waits_seconds) * 2)
    assert await carrier.whys() == ["not_fetched"]
    assert carrier.world.rows(MediaPull) == []
    assert len(carrier.events()) == 1
    story = await carrier.story()
    assert "cannot be reached, or what answers there is not HTTP. It is not tried again." in story
    assert "0 of 1 attachment fetched" in story


async def test_what_is_not_kept_says_why_at_once_and_costs_no_other(
    world: World, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    carrier = Carrier(world, clock, ids, tmp_path, media_max_bytes=4096, media_max_message_bytes=6000)
    await carrier.gateway()
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    endless += b"".join(b"1000\r\n" + (PNG + bytes(4096))[:4096] + b"\r\n" for _ in range(64))
    files = {
        "/lie": answer(HTML, "image/png"),
        "/page": answer(HTML, "text/html"),
        "/svg": answer(b"<svg/>", "image/svg+xml"),
        "/huge": answer(PNG + bytes(5000), "image/png"),
        "/endless": endless,
        "/gone": answer(b"", "text/plain", "410 Gone"),
        "/whole": answer(PNG + bytes(4000), "image/png"),
        "/more": answer(PNG + bytes(3000), "image/png"),
        "/small": answer(PNG, "image/png"),
    }
    async with web(files, []) as url:
        await carrier.post(*(url(path) for path in files), types=("image/png",) * 9)
        await carrier.look()
    assert await carrier.whys() == ["type", "type", "type", "size", "size", "not_fetched", None, "size", None]
    assert carrier.world.rows(MediaPull) == []
    story = await carrier.story()
    assert "Attachment 4 is not here. An attachment may have 4096 bytes at most." in story
    assert "Attachment 6 is not here. The address answers 410 instead of 200. It is not tried again." in story
    assert "Attachment 8 is not here. All attachments of a message may have 6000 bytes at most." in story
    assert len(carrier.events()) == 1


async def test_no_address_leads_into_the_hubs_own_network(carrier: Carrier) -> None:
    """Named at once, or by a redirect; a name that stands for such an address is judged when it is dialled."""
    asked: list[bytes] = []
    files = {
        "/": answer(b"", "text/plain", "302 Found", "Location: http://169.254.169.254/latest/meta-data\r\n"),
        "/file": answer(b"", "text/plain", "302 Found", "Location: file:///etc/passwd\r\n"),
        "/login": answer(b"", "text/plain", "302 Found", "Location: http://u:p@127.0.0.1:1/\r\n"),
        "/nowhere": answer(b"", "text/plain", "302 Found"),
    }
    async with web(files, asked) as url:
        own = ("http://10.0.0.1/a", "http://169.254.169.254/a", "http://[::ffff:10.0.0.1]/a")
        await carrier.post(*(url(path) for path in files), *own)
        await carrier.look()
    assert await carrier.whys() == ["not_fetched"] * 7
    assert len(asked) == 4
    story = await carrier.story()
    assert "169.254.169.254 is an address the hub does not send to" in story
    assert story.count("It is not tried again.") == 7


async def test_a_name_of_a_private_address_is_refused_when_it_is_dialled(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def private(_self: Resolver, _host: str) -> tuple[str, ...]:
        return ("10.0.0.1",)

    monkeypatch.setattr(Resolver, "addresses", private)
    await carrier.post("http://media.carrier.example/a.png")
    await carrier.look()
    assert await carrier.whys() == ["not_fetched"]
    assert "in a network that the hub does not fetch from" in await carrier.story()
    assert Guard().refusal("10.0.0.1")


async def test_redirects_are_followed_three_times_and_the_login_stays_at_its_host(carrier: Carrier) -> None:
    here: list[bytes] = []
    elsewhere: list[bytes] = []

    def to(url: str) -> bytes:
        return answer(b"", "text/plain", "307 Temporary Redirect", f"Location: {url}\r\n")

    files: dict[str, bytes] = {"/two": b"", "/three": b"", "/four": b""}
    async with web({"/cdn": answer(PNG, "image/png")}, elsewhere) as cdn, web(files, here) as own:
        files |= {"/one": to(cdn("/cdn")), "/two": to("/one"), "/three": to(own("/two#x")), "/four": to("/three")}
        gateway = (await carrier.v1().get("/v1/gateways")).json()["items"][0]["id"]
        changed = await carrier.v1().patch(f"/v1/gateways/{gateway}", json={"status_url": own("/status")})
        assert changed.status_code == 200, changed.text
        await carrier.post(own("/three"), own("/four"))
        await carrier.look()
    assert await carrier.whys() == [None, "not_fetched"]
    assert "leads on more than 3 times" in await carrier.story()
    assert len(here) >= 6
    assert all(f"authorization: {BASIC}".encode() in head for head in here)
    (head,) = elsewhere
    assert b"authorization" not in head.lower()


async def test_a_slow_address_holds_up_neither_the_carrier_nor_another_account(
    world: World, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    carrier = Carrier(world, clock, ids, tmp_path)
    await carrier.gateway()
    carrier.loop = CarriedMedia(carrier.services, fetch_seconds=0.3)
    asked: list[bytes] = []
    async with web({"/fast": answer(PNG, "image/png")}, asked) as url:
        await carrier.post(url("/silent"), url("/fast"))
        for n in range(3):
            await carrier.post(url("/silent"), MessageSid=f"MM{n:032x}")
        await carrier.loop.look()
        assert len(carrier.loop._tasks) == 2, "of one account two at a time"
        await carrier.loop.idle()
        assert sorted(row["why"] or "" for row in world.rows(Media)) == ["", "waiting", "waiting", "waiting", "waiting"]
    hops = [hop for hop in await _stories(carrier) if "did not come in time" in hop]
    assert len(hops) == 2


async def _stories(carrier: Carrier) -> list[str]:
    shown = [await carrier.v1().get(f"/v1/messages/{one['id']}/timeline") for one in await carrier.messages()]
    return [hop["sentence"] for story in shown for hop in story.json()["items"]]


async def test_what_was_taken_by_a_process_that_died_is_fetched_by_the_next(carrier: Carrier, clock: FakeClock) -> None:
    async with web({"/a": answer(PNG, "image/png")}, []) as url:
        await carrier.post(url("/a"))
        (taken,) = carrier.world.do(take_pulls, TakePulls((), 9, 60.0))
        assert len(taken.waiting) == 1
        await carrier.look()
        assert await carrier.whys() == ["waiting"], "it is somebody's"
        if carrier.services.db.dialect == "sqlite":
            await carrier.loop.begin()
        else:
            clock.advance(61)
        await carrier.look()
    assert await carrier.whys() == [None]


async def test_what_is_erased_or_deleted_meanwhile_stays_so(carrier: Carrier, clock: FakeClock) -> None:
    async with web({"/a": answer(PNG, "image/png")}, []) as url:
        for sid in ("MM" + "2f" * 16, "MM" + "3f" * 16):
            await carrier.post(url("/a"), MessageSid=sid)
        first, second = (row["id"] for row in carrier.world.rows(Message))
        carrier.world.do(erase, Erase(account_id=ACCOUNT, message_id=first))
        carrier.world.do(erase, Erase(account_id=ACCOUNT, message_id=second, is_deleted=True))
        await carrier.look()
    (event,) = carrier.events()
    assert event["message_id"] == first
    assert '"text":""' in event["data"]
    assert '"media":[]' in event["data"]
    assert carrier.world.rows(MediaPull) == carrier.world.rows(Media) == []
    assert render("message", first) in event["data"]


async def test_what_a_person_deletes_while_it_is_fetched_stays_deleted(carrier: Carrier) -> None:
    world = carrier.world
    await carrier.post("http://127.0.0.1:1/a.png", "http://127.0.0.1:1/b.png")
    (taken,) = world.do(take_pulls, TakePulls((), 9, 60.0))
    message_id = taken.row.message_id
    world.do(drop_media, DropMedium(ACCOUNT, taken.waiting[0].id))
    bytes_ = await keep(carrier.services.db, carrier.services.config, ACCOUNT, "image/png", PNG)
    brought = Brought(bytes_.type, bytes_.size_bytes, bytes_.sha256, None)
    assert [world.do(bring, Bring(ACCOUNT, message_id, n, brought)) for n in range(2)] == [False, True]
    world.do(end_try, EndTry(ACCOUNT, message_id, "", 0.5))
    assert await carrier.whys() == ["deleted", None]
    assert (await carrier.message())["media"][0]["url"] is None
    assert parse_qs((await carrier.told()).decode())["NumMedia"] == ["1"]


async def test_the_loop_goes_on_by_itself(carrier: Carrier) -> None:
    done = asyncio.Event()
    carrier.services.effects.on(LiveHint, lambda hint: done.set() if hint.kind == "message" else None)
    running = asyncio.create_task(carrier.loop.run())
    async with web({"/a": answer(PNG, "image/png")}, []) as url:
        await carrier.post(url("/a"))
        async with asyncio.timeout(120):
            await done.wait()
    assert await carrier.whys() == [None]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
