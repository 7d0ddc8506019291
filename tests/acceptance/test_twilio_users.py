"""Programs written for Twilio, unchanged, at our hub: its own libraries, a PBX's two URLs, apprise; with a phone that really sends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import apprise
import pytest
from aiohttp import web
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.acceptance.npm_tours import tour_of
from tests.acceptance.processes import eventually
from tests.acceptance.world import SHOP, World, world

pytestmark = pytest.mark.anyio

PEER = "+14155550001"


class Platform:
    """A PBX: takes what the hub posts, checks each signature with Twilio's own validator, and answers."""

    def __init__(self) -> None:
        self.token = ""
        self.posts: list[tuple[str, dict[str, str]]] = []
        self.forged: list[str] = []
        self.answers: dict[str, web.Response] = {}
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def started(self) -> Platform:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        fields = dict(parse_qsl(await request.text(), keep_blank_values=True))
        signature = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(self.token).validate(self.url + request.path_qs, fields, signature):
            self.forged.append(request.path_qs)
            return web.Response(status=403)
        self.posts.append((request.path_qs, fields))
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(status=204)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    def of(self, path: str) -> list[dict[str, str]]:
        return [fields for to, fields in self.posts if to.partition("?")[0] == path]

    async def until(self, path: str, many: int) -> list[dict[str, str]]:
        async def came() -> list[dict[str, str]] | None:
            found = self.of(path)
            return found if len(found) >= many else None

        return await eventually(f"{many} posts at {path}", came)


class Pbx:
    """A world with a gateway."""

    def __init__(self, here: World, platform: Platform, made: dict[str, Any]) -> None:
        self.here, self.platform = here, platform
        self.sid, self.token = made["info"]["account_sid"], made["auth_token"]
        self.id = made["info"]["id"]
        self.provider_url = made["info"]["provider_url"]

    def client(self, token: str | None = None) -> Any:
        """twilio-python, with nothing changed but its base address."""
        client = Client(self.sid, token or self.token)
        client.api.base_url = self.here.hub.url
        return client

    async def ask(self, work: Any, *given: Any, **named: Any) -> Any:
        return await asyncio.to_thread(lambda: work(*given, **named))


@asynccontextmanager
async def pbx(directory: Path, **gateway: Any) -> AsyncIterator[Pbx]:
    platform = await Platform().started()
    try:
        async with world(directory, HUB_FAILOVER_SECONDS="1") as here:
            urls = {"inbound_url": f"{platform.url}/in?key=a%7eb&x={{}}", "status_url": f"{platform.url}/status"}
            made = await here.hub.api.post("/v1/gateways", json={"name": "FrontDesk", **urls, **gateway})
            assert made.status_code == 201, made.text
            one = Pbx(here, platform, made.json())
            platform.token = one.token
            yield one
    finally:
        await platform.stop()


async def test_T23_twilio_python_sends_fetches_lists_cancels_redacts_and_deletes(tmp_path: Path) -> None:
    async with pbx(tmp_path) as one:
        client = one.client()
        messages = client.messages
        sent = await one.ask(messages.create, to=PEER, from_=SHOP, body="from twilio-python ✓")
        assert (sent.status, sent.num_segments, sent.direction) == ("queued", "1", "outbound-api")

        async def delivered() -> bool:
            return (await one.ask(messages(sent.sid).fetch)).status == "delivered"

        await eventually("the text is delivered", delivered)
        assert one.here.air.sends()[(PEER, "from twilio-python ✓")] == 1
        for n in range(5):
            await one.ask(messages.create, to=PEER, from_=SHOP, body=f"list {n}")
        listed = await one.ask(messages.list, to=PEER, page_size=2)
        assert [message.body for message in listed][:2] == ["list 4", "list 3"]
        assert len(listed) == 6
        redacted = await one.ask(messages(sent.sid).update, body="")
        assert redacted.body == ""
        assert await one.ask(messages(sent.sid).delete)
        with pytest.raises(TwilioRestException) as gone:
            await one.ask(messages(sent.sid).fetch)
        assert (gone.value.code, gone.value.status) == (20404, 404)
        with pytest.raises(TwilioRestException) as wrong:
            await one.ask(messages.create, to="nonsense", from_=SHOP, body="x")
        assert wrong.value.code == 21211
        with pytest.raises(TwilioRestException) as refused:
            await one.ask(one.client("0" * 32).messages("SM" + "0" * 32).fetch)
        assert refused.value.code == 20003
        account = await one.ask(client.api.accounts(one.sid).fetch)
        assert (account.status, account.friendly_name) == ("active", "FrontDesk")
        numbers = await one.ask(client.incoming_phone_numbers.list)
        assert [number.phone_number for number in numbers] == [SHOP]


async def test_T23_a_scheduled_text_is_canceled(tmp_path: Path) -> None:
    async with pbx(tmp_path) as one:
        now = (await one.here.hub.api.get("/v1/account")).headers["date"]
        at = parsedate_to_datetime(now) + timedelta(hours=1)
        messages = one.client().messages
        made = await one.ask(messages.create, to=PEER, from_=SHOP, body="later", schedule_type="fixed", send_at=at)
        assert made.status == "scheduled"
        assert (await one.ask(messages(made.sid).update, status="canceled")).status == "canceled"
        with pytest.raises(TwilioRestException) as again:
            await one.ask(messages(made.sid).update, status="canceled")
        assert (again.value.code, again.value.status) == (30409, 409)


async def test_T23_twilio_node_does_its_whole_tour(tmp_path: Path) -> None:
    async with pbx(tmp_path, inbound_url=None, status_url=None) as one:
        told = await tour_of("twilio_npm", one.here.hub.url, one.sid, one.token, SHOP, PEER)
        assert told["told"] == 3
        assert one.here.air.sends()[(PEER, "from twilio-node ✓")] == 1


async def test_T2_statuses_go_to_the_callback_of_the_text_else_to_the_gateways_url(tmp_path: Path) -> None:
    async with pbx(tmp_path) as one:
        messages, platform = one.client().messages, one.platform
        own = await one.ask(
            messages.create, to=PEER, from_=SHOP, body="a", status_callback=f"{platform.url}/own?a=%7e1"
        )
        other = await one.ask(messages.create, to=PEER, from_=SHOP, body="b")
        for path, sid in (("/own", own.sid), ("/status", other.sid)):
            posts = await platform.until(path, 3)
            assert {fields["MessageSid"] for fields in posts} == {sid}
            assert [fields["MessageStatus"] for fields in posts] == ["queued", "sent", "delivered"]
            for fields in posts:
                assert fields["SmsSid"] == fields["MessageSid"]
                assert fields["SmsStatus"] == fields["MessageStatus"]
                assert (fields["From"], fields["To"], fields["AccountSid"]) == (SHOP, PEER, one.sid)
            assert re.fullmatch(r"\d{10}", posts[-1]["RawDlrDoneDate"])  # T6
        assert not platform.forged


async def test_T4_an_inbound_text_is_posted_once_and_its_answer_is_sent_once(tmp_path: Path) -> None:
    async with pbx(tmp_path) as one:
        platform = one.platform
        platform.answers["/in"] = web.Response(
            text="<Response><Message>Thank you</Message><Redirect>/more</Redirect></Response>", content_type="text/xml"
        )
        platform.answers["/more"] = web.Response(
            text="<Response><Message><Body>We open at 9.</Body></Message></Response>", content_type="application/xml"
        )
        await one.here.customer_texts(PEER, "Hello & good bye + 100 % ✓")
        (fields,) = await platform.until("/in", 1)
        assert fields["MessageSid"] == fields["SmsMessageSid"] == fields["SmsSid"]
        assert (fields["From"], fields["To"], fields["Body"]) == (PEER, SHOP, "Hello & good bye + 100 % ✓")
        assert (fields["NumMedia"], fields["SmsStatus"], fields["AccountSid"]) == ("0", "received", one.sid)
        assert platform.posts[0][0] == "/in?key=a%7eb&x={}"  # the query, byte for byte

        async def answered() -> bool:
            sends = one.here.air.sends()
            return sends[(PEER, "Thank you")] == 1 and sends[(PEER, "We open at 9.")] == 1

        await eventually("both answers are on the air", answered)
        replies = await one.ask(one.client().messages.list, to=PEER)
        assert {message.direction for message in replies} == {"outbound-reply"}
        # The same event again brings the same answer, which is not sent again.
        gateway = (await one.here.hub.api.get(f"/v1/gateways/{one.id}")).json()
        log = (await one.here.hub.api.get("/v1/deliveries", params={"webhook_id": gateway["webhook_id"]})).json()
        again = await one.here.hub.api.post(f"/v1/deliveries/{log['items'][0]['id']}/replay")
        assert again.status_code < 300, again.text
        await platform.until("/more", 2)
        await one.here.customer_texts(PEER, "second")
        await platform.until("/in", 3)
        assert max(one.here.air.sends().values()) <= 2
        assert one.here.air.sends()[(PEER, "Thank you")] <= 2
        assert not platform.forged


async def test_the_fallback_is_tried_when_the_first_url_fails(tmp_path: Path) -> None:
    platform = await Platform().started()
    try:
        async with world(tmp_path) as here:
            urls = {"inbound_url": f"{platform.url}/broken", "fallback_url": f"{platform.url}/fallback"}
            made = (await here.hub.api.post("/v1/gateways", json={"name": "Pbx", **urls})).json()
            platform.token = made["auth_token"]
            platform.answers["/broken"] = web.Response(status=500)
            hook = made["info"]["webhook_id"]
            assert (await here.hub.api.patch(f"/v1/webhooks/{hook}", json={"schedule": "fast"})).status_code == 200
            await here.customer_texts(PEER, "is anybody there?")
            (fields,) = await platform.until("/fallback", 1)
            assert (fields["Body"], fields["ErrorCode"]) == ("is anybody there?", "11200")
            assert fields["ErrorUrl"] == f"{platform.url}/broken"
    finally:
        await platform.stop()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_sends_through_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pbx(tmp_path) as one:
        from apprise.plugins.twilio import NotifyTwilio

        monkeypatch.setattr(
            NotifyTwilio, "notify_sms_url", one.here.hub.url + "/2010-04-01/Accounts/{sid}/Messages.json"
        )
        sender = apprise.Apprise()
        assert sender.add(f"twilio://{one.sid}:{one.token}@{SHOP[1:]}/{PEER[1:]}")
        assert await asyncio.to_thread(sender.notify, body="from apprise")

        async def on_air() -> bool:
            return one.here.air.sends()[(PEER, "from apprise")] == 1

        await eventually("apprise's text is on the air", on_air)


async def test_all_of_one_account_is_one_inbox_whatever_the_door(tmp_path: Path) -> None:
    async with pbx(tmp_path) as one:
        sent = await one.ask(one.client().messages.create, to=PEER, from_=SHOP, body="by twilio's door")
        await one.here.hub.api.post("/v1/messages", json={"to": PEER, "text": "by our own"})
        texts = (await one.here.hub.api.get("/v1/messages", params={"peer": PEER})).json()["items"]
        assert [(text["text"], text["door"]) for text in texts] == [
            ("by our own", "v1"),
            ("by twilio's door", "twilio"),
        ]
        listed = await one.ask(one.client().messages.list)
        assert [message.body for message in listed] == ["by our own", "by twilio's door"]
        await one.here.webhooks_arrived("sms:delivered", 2)
        assert len(await one.platform.until("/status", 3)) == 3
        assert {fields["MessageSid"] for fields in one.platform.of("/status")} == {sent.sid}


async def test_T7_gateways_are_made_listed_renewed_and_ended_at_the_command_line(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        made = await asyncio.to_thread(here.hub.command, "gateway", "create", "FrontDesk", "--sender", SHOP, "--json")
        assert made["provider_url"] == f"{here.hub.url}/sms/FrontDesk/generic/send"
        client = Client(made["account_sid"], made["auth_token"])
        client.api.base_url = here.hub.url
        sent = await asyncio.to_thread(client.messages.create, to=PEER, body="without a sender")
        assert sent.from_ == SHOP
        assert made["auth_token"] not in await asyncio.to_thread(here.hub.command, "gateway", "list")
        token = (await asyncio.to_thread(here.hub.command, "gateway", "token", "FrontDesk", "--json"))["auth_token"]
        assert token != made["auth_token"]
        await asyncio.to_thread(here.hub.command, "gateway", "delete", "FrontDesk")
        with pytest.raises(TwilioRestException) as ended:
            await asyncio.to_thread(client.messages.create, to=PEER, body="too late")
        assert (ended.value.code, ended.value.status) == (20003, 401)
