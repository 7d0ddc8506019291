"""A customer of MySMSGate moves in: sends, gets both webhooks, answers by keyword; with a phone that really sends."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.acceptance.processes import eventually
from tests.acceptance.world import SHOP, world

pytestmark = pytest.mark.anyio

PEER = "+14155550001"


class Shop:
    """The customer's server: checks `X-Hub-Signature-256` and answers a text that says "hours"."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.came: list[tuple[str, dict[str, Any]]] = []
        self.forged = 0
        self.answer: Any = None

    async def take(self, request: web.Request) -> web.Response:
        body, secret = await request.read(), self.secrets[request.path]
        signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signed, request.headers.get("X-Hub-Signature-256", "")):
            self.forged += 1
            return web.Response(status=401)
        fields = json.loads(body)
        self.came.append((request.path, fields))
        if self.answer is not None and fields.get("message") == "hours":
            await self.answer(fields)
        return web.Response()

    def of(self, path: str) -> list[dict[str, Any]]:
        return [fields for to, fields in self.came if to == path]


async def test_M3_M4_M5_M6_M7_M14_both_webhooks_and_an_answer_by_keyword(tmp_path: Path) -> None:
    shop = Shop()
    app = web.Application()
    app.router.add_post("/{path:.*}", shop.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with world(tmp_path) as here, httpx.AsyncClient(base_url=here.hub.url) as client:
            client.headers["Authorization"] = f"Bearer {here.hub.key}"
            hooks: dict[str, Mapping[str, Any]] = {}
            for path, events in (
                ("/incoming", ["sms:received"]),
                ("/delivery", ["sms:delivered", "sms:undelivered", "sms:failed", "sms:expired", "sms:dead_letter"]),
            ):
                body = {"url": base + path, "format": "mysmsgate", "event_types": events}
                made = await here.hub.api.post("/v1/webhooks", json=body)
                assert made.status_code == 201, made.text
                shop.secrets[path], hooks[path] = made.json()["secret"], made.json()

            async def reply(fields: dict[str, Any]) -> None:
                answer = {
                    "to": fields["from"],
                    "message": "9 to 5",
                    "device_id": fields["device_id"],
                    "slot": fields["sim_slot"],
                }
                assert (await client.post("/api/v1/send", json=answer)).status_code == 202

            shop.answer = reply
            await here.customer_texts(PEER, "hours")

            async def told() -> bool:
                return bool(shop.of("/incoming")) and bool(shop.of("/delivery"))

            await eventually("incoming and delivery are told", told)
            (incoming,), (ended,) = shop.of("/incoming"), shop.of("/delivery")
            assert set(incoming) == {"from", "to", "message", "device_id", "sim_slot", "timestamp"}
            assert (incoming["from"], incoming["to"], incoming["sim_slot"]) == (PEER, SHOP, 0)
            assert isinstance(incoming["timestamp"], int)
            assert (ended["status"], ended["status_text"]) == ("delivered", "DELIVERED_TO_HANDSET")
            assert ended["refunded"] is False
            assert here.air.sends()[(PEER, "9 to 5")] == 1
            found = (await client.get("/api/v1/sms", params={"id": ended["message_id"]})).json()
            assert (found["status"], found["status_text"]) == ("delivered", "DELIVERED_TO_HANDSET")  # M15
            hook = hooks["/incoming"]["webhook"]["id"] if "webhook" in hooks["/incoming"] else hooks["/incoming"]["id"]
            tested = (await here.hub.api.post(f"/v1/webhooks/{hook}/test", json={})).json()
            assert tested["is_success"], tested
            assert shop.of("/incoming")[-1]["event"] == "test"
            texts = (await here.hub.api.get("/v1/messages")).json()["items"]
            assert len(texts) == 2, "a test stores no text"
            assert shop.forged == 0
    finally:
        await runner.cleanup()
