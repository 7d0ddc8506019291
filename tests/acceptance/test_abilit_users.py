"""A customer of Abil'I.T. moves in: sends with a key and with a sandbox key, and is told how each text goes on."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.acceptance.processes import eventually
from tests.acceptance.world import World, world

pytestmark = pytest.mark.anyio

SEND = "/api/v1/sms/send"
PEER = "+14155550001"
FAILS, GIVEN_UP = "+12025550103", "+12125550102"
"""Numbers at which the sandbox phone's radio refuses a text, and at which its network gives one up."""
LIFE = ["SENT", "DELIVERED"]


class Receiver:
    """The customer's server."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Receiver":
        app = web.Application()
        app.router.add_post("/dlr", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/dlr"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.came.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response()

    def of(self, message: str) -> list[dict[str, Any]]:
        """The reports of one text, in the order in which they came."""
        reports = [json.loads(body) for _, body in self.came]
        return [report for report in reports if report["message_id"] == message]

    def last(self, message: str) -> tuple[dict[str, str], bytes]:
        """The newest report of a text as it came."""
        return [came for came in self.came if json.loads(came[1])["message_id"] == message][-1]

    async def told(self, message: str, *statuses: str) -> None:
        async def all_came() -> bool:
            return [report["status"] for report in self.of(message)] == list(statuses)

        await eventually(f"{message} is told as {statuses}", all_came)


class Customer:
    """Who holds a key."""

    def __init__(self, here: World, key: str, receiver: Receiver) -> None:
        self.receiver = receiver
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.AsyncClient(base_url=here.hub.url, headers=headers, timeout=30)

    async def send(self, to: str, body: str, status: int = 202) -> str:
        fields = {"to": to, "from": "AbilIT", "body": body, "priority": "high", "callback_url": self.receiver.url}
        answer = await self.http.post(SEND, json=fields)
        assert answer.status_code == status, answer.text
        return str(answer.json()["message_id"])

    async def life(self, message: str) -> list[str]:
        """The statuses its events tell, in order."""
        found = (await self.http.get(f"/api/v1/sms/{message}")).json()
        return [event["status"] for event in found["events"] if event["status"] and event["applied"]]

    async def rotate(self, grace_seconds: int) -> str:
        """A new secret of what signs callbacks."""
        hooks = (await self.http.get("/v1/webhooks", params={"include_implicit": "true"})).json()["items"]
        (own,) = [hook for hook in hooks if hook["is_implicit"] and hook["format"] == "abilit"]
        made = await self.http.post(f"/v1/webhooks/{own['id']}/rotate", json={"grace_seconds": grace_seconds})
        assert made.status_code == 200, made.text
        return str(made.json()["secret"])


def is_signed_with(secret: str, came: tuple[dict[str, str], bytes]) -> bool:
    try:
        Webhook(secret).verify(came[1], came[0])
    except WebhookVerificationError:
        return False
    return True


async def test_A1_A2_A17_A18_A23_a_key_and_a_sandbox_key(tmp_path: Path) -> None:
    """One hub with a phone that really sends, for both stories: starting it takes longer than they do."""
    async with world(tmp_path) as here, Receiver() as receiver:
        body = {"name": "tests", "scopes": ["messages:send", "messages:read", "devices:read"]}
        made = await here.hub.api.post("/v1/sandbox-keys", json=body)
        assert made.status_code == 201, made.text
        tester = Customer(here, made.json()["key"], receiver)
        tried = [await tester.send(to, "to nobody") for to in (PEER, FAILS, GIVEN_UP)]
        customer = Customer(here, here.hub.key, receiver)
        await reports_have_five_fields_and_a_signature_that_survives_rotation(customer)
        await a_sandbox_key_has_the_whole_life_of_texts(tester, tried)
        assert set(here.air.sends()) == {(PEER, text) for text in ("first", "second", "third")}
        listed = (await customer.http.get("/api/v1/sms")).json()["messages"]
        assert not set(tried) & {one["message_id"] for one in listed}
        for one in (tester, customer):
            await one.http.aclose()


async def reports_have_five_fields_and_a_signature_that_survives_rotation(customer: Customer) -> None:
    receiver = customer.receiver
    first = await customer.send(PEER, "first")
    await receiver.told(first, *LIFE)
    for report in receiver.of(first):
        assert set(report) >= {"message_id", "to", "status", "provider_code", "timestamp"}
        assert (report["to"], report["provider_code"]) == (PEER, "0")
    assert await customer.life(first) == ["QUEUED", "ROUTED", *LIFE]
    old, new = await customer.rotate(3600), await customer.rotate(3600)
    second = await customer.send(PEER, "second")
    await receiver.told(second, *LIFE)
    assert [is_signed_with(secret, receiver.last(second)) for secret in (old, new)] == [True, True]
    newest = await customer.rotate(0)
    third = await customer.send(PEER, "third")
    await receiver.told(third, *LIFE)
    assert [is_signed_with(secret, receiver.last(third)) for secret in (old, new, newest)] == [False, False, True]


async def a_sandbox_key_has_the_whole_life_of_texts(tester: Customer, tried: list[str]) -> None:
    good, bad, late = tried
    receiver = tester.receiver
    await receiver.told(good, *LIFE)
    await receiver.told(bad, "FAILED")
    await receiver.told(late, "SENT", "UNDELIVERED")
    assert receiver.of(bad)[0]["provider_code"] != "0"
    assert await tester.life(good) == ["QUEUED", "ROUTED", *LIFE]
