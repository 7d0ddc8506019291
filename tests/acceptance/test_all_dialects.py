"""One account, every door: a text sent through any of them is seen through all, each in its own words, and told once in each format."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import httpx
import pytest
from aiohttp import web
from twilio.rest import Client

from tests.acceptance.processes import eventually
from tests.acceptance.world import SHOP, World, world

pytestmark = pytest.mark.anyio

T = TypeVar("T")
PEER = "+14155550001"
ANSWER = "and an answer"
BROWSER = {"X-Requested-With": "handset-hub", "Sec-Fetch-Site": "same-origin"}
SETUP_TOKEN = re.compile(r"/ui/setup#([0-9a-f]+)")
ENDS = {"v1": "delivered", "dashboard": "delivered", "twilio": "delivered"} | {
    "smsgate": "Delivered",
    "mysmsgate": "delivered/DELIVERED_TO_HANDSET",
    "abilit": "DELIVERED",
}
"""How each API calls a text that has arrived."""


class Customers:
    """The servers of everybody who is told: what came to each path, whichever format it came in."""

    def __init__(self) -> None:
        self.came: dict[str, list[dict[str, Any]]] = {}
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        if request.content_type == "application/x-www-form-urlencoded":
            fields: dict[str, Any] = dict(parse_qsl(await request.text()))
        else:
            fields = json.loads(await request.read())
        self.came.setdefault(request.path, []).append(fields)
        return web.Response(status=204)

    def words(self, path: str, *names: str) -> Counter[tuple[str, ...]]:
        """Of each request that came there, these fields; a dot goes into an object."""

        def field(fields: dict[str, Any], name: str) -> str:
            value: Any = fields
            for step in name.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            return str(value)

        return Counter(tuple(field(fields, name) for name in names) for fields in self.came.get(path, ()))


class Account:
    """The doors of one account, with what each needs to be let in."""

    def __init__(self, here: World, customers: Customers) -> None:
        self.here, self.customers = here, customers
        self.bearer = httpx.AsyncClient(base_url=here.hub.url, headers={"Authorization": f"Bearer {here.hub.key}"})
        self.browser = httpx.AsyncClient(base_url=here.hub.url, headers=BROWSER)
        self.program = httpx.AsyncClient(base_url=here.hub.url + "/3rdparty/v1")
        self.twilio: Any = None
        self.send: dict[str, Callable[[str], Awaitable[None]]] = {
            "v1": self._by_v1,
            "dashboard": self._by_dashboard,
            "twilio": self._by_twilio,
            "smsgate": self._by_smsgate,
            "mysmsgate": self._by_mysmsgate,
            "abilit": self._by_abilit,
        }

    async def open(self) -> None:
        """Let in everywhere, and told everything there is to tell in every format."""
        api, url = self.here.hub.api, self.customers.url
        urls = {"inbound_url": f"{url}/twilio/in", "status_url": f"{url}/twilio/status"}
        gateway = (await api.post("/v1/gateways", json={"name": "FrontDesk", **urls})).json()
        self.twilio = Client(gateway["info"]["account_sid"], gateway["auth_token"])
        self.twilio.api.base_url = self.here.hub.url
        login = (await api.post("/v1/logins", json={"username": "program"})).json()
        self.program.auth = httpx.BasicAuth("program", login["password"])
        for event in ("sms:received", "sms:sent", "sms:delivered"):
            made = await self.program.post("/webhooks", json={"url": f"{url}/smsgate", "event": event})
            assert made.status_code == 201, made.text
        for path, hook in (
            ("/mysmsgate/in", {"format": "mysmsgate", "event_types": ["sms:received"]}),
            ("/mysmsgate/ends", {"format": "mysmsgate", "event_types": ["sms:delivered", "sms:failed"]}),
            ("/abilit", {"format": "abilit"}),
        ):
            made = await api.post("/v1/webhooks", json={"url": url + path, **hook})
            assert made.status_code == 201, made.text
        found = SETUP_TOKEN.search(self.here.hub.log_path.read_text(encoding="utf-8"))
        assert found is not None
        person = {"token": found[1], "username": "ines@shop.example", "name": "Ines", "password": "four words are easy"}
        assert (await self.browser.post("/session/setup", json=person)).status_code < 300

    async def close(self) -> None:
        for client in (self.bearer, self.browser, self.program):
            await client.aclose()

    # --- sending

    async def _by_v1(self, text: str) -> None:
        assert (await self.bearer.post("/v1/messages", json={"to": PEER, "text": text})).status_code == 202

    async def _by_dashboard(self, text: str) -> None:
        assert (await self.browser.post("/v1/messages", json={"to": PEER, "text": text})).status_code == 202

    async def _by_twilio(self, text: str) -> None:
        await asyncio.to_thread(self.twilio.messages.create, to=PEER, from_=SHOP, body=text)

    async def _by_smsgate(self, text: str) -> None:
        body = {"phoneNumbers": [PEER], "textMessage": {"text": text}}
        assert (await self.program.post("/messages", json=body)).status_code == 202

    async def _by_mysmsgate(self, text: str) -> None:
        assert (await self.bearer.post("/api/v1/send", json={"to": PEER, "message": text})).status_code == 202

    async def _by_abilit(self, text: str) -> None:
        body = {"to": PEER, "from": SHOP, "body": text}
        assert (await self.bearer.post("/api/v1/sms/send", json=body)).status_code == 202

    # --- reading: texts with their words, as each API tells them

    async def sent(self) -> dict[str, dict[str, str]]:
        """By door, the texts that went out and the state each is in."""
        own = {"direction": "mt", "limit": 100}
        mine = (await self.bearer.get("/v1/messages", params=own)).json()["items"]
        theirs = (await self.browser.get("/v1/messages", params=own)).json()["items"]
        listed = await asyncio.to_thread(self.twilio.messages.list)
        shown = (await self.program.get("/messages", params={"limit": 100, "includeContent": "true"})).json()
        history = (await self.bearer.get("/api/v1/history", params={"direction": "out"})).json()["history"]
        reported = (await self.bearer.get("/api/v1/sms")).json()["messages"]
        return {
            "v1": {one["text"]: one["state"] for one in mine},
            "dashboard": {one["text"]: one["state"] for one in theirs},
            "twilio": {one.body: one.status for one in listed if one.direction != "inbound"},
            "smsgate": {one["textMessage"]["text"]: one["state"] for one in shown},
            "mysmsgate": {one["message"]: f"{one['status']}/{one['status_text']}" for one in history},
            "abilit": {one["body"]: one["status"] for one in reported},
        }

    async def received(self) -> dict[str, list[str]]:
        """By door, the texts that came in."""
        own = {"direction": "mo"}
        mine = (await self.bearer.get("/v1/messages", params=own)).json()["items"]
        theirs = (await self.browser.get("/v1/messages", params=own)).json()["items"]
        listed = await asyncio.to_thread(self.twilio.messages.list)
        inbox = (await self.program.get("/inbox")).json()
        history = (await self.bearer.get("/api/v1/history", params={"direction": "in"})).json()["history"]
        return {
            "v1": [one["text"] for one in mine],
            "dashboard": [one["text"] for one in theirs],
            "twilio": [one.body for one in listed if one.direction == "inbound"],
            "smsgate": [one["contentPreview"] for one in inbox],
            "mysmsgate": [one["message"] for one in history],
        }


@asynccontextmanager
async def account(directory: Path) -> AsyncIterator[Account]:
    customers = Customers()
    app = web.Application()
    app.router.add_post("/{path:.*}", customers.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    customers.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with world(directory) as here:
            made = Account(here, customers)
            try:
                await made.open()
                yield made
            finally:
                await made.close()
    finally:
        await runner.cleanup()


async def becomes(what: str, read: Callable[[], Awaitable[T]], wanted: T) -> None:
    """Wait until something reads as wanted; fails with the difference that was left."""
    found: T | None = None

    async def is_so() -> bool:
        nonlocal found
        found = await read()
        return found == wanted

    with suppress(AssertionError):
        await eventually(what, is_so)
    assert found == wanted


async def test_a_text_of_any_door_is_seen_in_all_in_their_words_and_told_once_in_each_format(tmp_path: Path) -> None:
    async with account(tmp_path) as one:
        texts = {door: f"sent by {door} ✓" for door in one.send}
        for door, text in texts.items():
            await one.send[door](text)
        seen = {door: dict.fromkeys(texts.values(), word) for door, word in ENDS.items()}
        await becomes("every door shows every text as delivered", one.sent, seen)
        assert one.here.air.sends() == Counter((PEER, text) for text in texts.values())
        await one.here.customer_texts(PEER, ANSWER)
        await becomes("every door shows the answer", one.received, {door: [ANSWER] for door in await one.received()})
        await all_is_told_once(one)


async def all_is_told_once(one: Account) -> None:
    """At each customer's: every step of every text that concerns him once, and the answer once."""
    sent = (await one.here.hub.api.get("/v1/messages", params={"direction": "mt"})).json()["items"]
    ids, many = [item["id"] for item in sent], len(sent)

    async def told() -> dict[str, Counter[tuple[str, ...]]]:
        words = one.customers.words
        return {
            "twilio statuses": words("/twilio/status", "MessageStatus"),
            "twilio inbound": words("/twilio/in", "Body", "SmsStatus"),
            "smsgate": words("/smsgate", "event"),
            "mysmsgate ends": words("/mysmsgate/ends", "message_id", "status"),
            "mysmsgate inbound": words("/mysmsgate/in", "message"),
            "abilit": words("/abilit", "message_id", "status", "body"),
        }

    answer = (await one.here.hub.api.get("/v1/messages", params={"direction": "mo"})).json()["items"][0]["id"]
    wanted = {
        "twilio statuses": Counter([("queued",), ("sent",), ("delivered",)]),
        "twilio inbound": Counter([(ANSWER, "received")]),
        "smsgate": Counter({("sms:sent",): many, ("sms:delivered",): many, ("sms:received",): 1}),
        "mysmsgate ends": Counter((message, "delivered") for message in ids),
        "mysmsgate inbound": Counter([(ANSWER,)]),
        "abilit": Counter((message, word, "None") for message in ids for word in ("SENT", "DELIVERED"))
        + Counter([(answer, "None", ANSWER)]),
    }
    await becomes("every customer is told everything once", told, wanted)
    await one.here.webhooks_arrived("sms:delivered", many)
    await one.here.webhooks_arrived("sms:received", 1)

    async def log() -> set[tuple[str, int]]:
        rows = (await one.here.hub.api.get("/v1/deliveries", params={"limit": 200})).json()["items"]
        return {(row["state"], row["attempts"]) for row in rows}

    # A receiver's answer is on record a moment after it was given.
    await becomes("every delivery went well at its first try", log, {("ok", 1)})
