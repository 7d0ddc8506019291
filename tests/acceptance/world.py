"""A small world around a hub that gets killed: one or more phones with a radio log of its own process, a customer's server, and the books.

The books are kept by what people would notice: recipient and text on the air, sender and text in the inbox, webhook ids at the
customer's server. None of our own ids decides whether something was lost or doubled.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from android_emulator.air import SocketAir, read_log
from android_emulator.phone import EmulatedPhone
from android_emulator.sim import SimCard
from android_emulator.uplink import Timing
from tests.acceptance.processes import ROOT, HubProcess, eventually

SHOP = "+12025550100"


class RadioLog:
    """The air's own process: every segment by recipient and text, fsynced before the radio hears about it."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "air.jsonl"
        self.socket = directory / "air.sock"
        command = [sys.executable, "-m", "android_emulator.radio_log", str(self.file), str(self.socket)]
        self._child = subprocess.Popen(command, cwd=ROOT)

    async def ready(self) -> RadioLog:
        """Wait for its socket."""

        async def is_there() -> bool:
            return self.socket.exists()

        await eventually("the radio log listens", is_there)
        return self

    def sends(self) -> Counter[tuple[str, str]]:
        """How often each text went to each recipient; counted by first segments."""
        return Counter((line.recipient, line.text) for line in read_log(self.file) if line.segment == 0)

    def stop(self) -> None:
        """End the process."""
        self._child.terminate()
        self._child.wait()


class Customer:
    """A customer's server: verifies each webhook with the `standardwebhooks` package and keeps what came."""

    def __init__(self) -> None:
        self.secret = ""
        """Of the webhook; while it is empty, nothing is verified."""
        self.status = 204
        self.received: list[tuple[str, dict[str, Any], bytes]] = []
        self.forged: list[str] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def started(self) -> Customer:
        """Listen."""
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.secret and not self._is_genuine(request, body):
            return web.Response(status=400)
        if self.status < 300:
            self.received.append((request.headers["webhook-id"], json.loads(body), body))
        return web.Response(status=self.status)

    def _is_genuine(self, request: web.Request, body: bytes) -> bool:
        try:
            Webhook(self.secret).verify(body, {name.lower(): value for name, value in request.headers.items()})
        except Exception as error:
            self.forged.append(repr(error))
            return False
        return True

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Events of a type, each webhook id once."""
        first: dict[str, dict[str, Any]] = {}
        for webhook_id, event, _ in self.received:
            if event["type"] == kind:
                first.setdefault(webhook_id, event)
        return list(first.values())

    def bodies_differ(self) -> list[str]:
        """Webhook ids that came more than once with different bytes: there must be none."""
        bodies: dict[str, set[bytes]] = {}
        for webhook_id, _, body in self.received:
            bodies.setdefault(webhook_id, set()).add(body)
        return [webhook_id for webhook_id, seen in bodies.items() if len(seen) > 1]


class World:
    """Hub, phone, air and customer."""

    def __init__(self, hub: HubProcess, directory: Path) -> None:
        self.hub = hub
        self.directory = directory
        self.air = RadioLog(directory)
        self.customer = Customer()
        self.phones: list[EmulatedPhone] = []
        self._airs: list[SocketAir] = []
        self.sent: list[tuple[str, str]] = []
        self.inbound: list[tuple[str, str]] = []
        self.message_ids: dict[tuple[str, str], str] = {}

    @property
    def phone(self) -> EmulatedPhone:
        """The first phone."""
        return self.phones[0]

    async def open(self) -> None:
        """Everything is up: a webhook registered, a phone enrolled and online."""
        await self.air.ready()
        await self.customer.started()
        made = await self.hub.api.post("/v1/webhooks", json={"url": self.customer.url, "schedule": "fast"})
        assert made.status_code == 201, made.text
        self.customer.secret = made.json()["secret"]
        await self.add_phone(SHOP)

    async def add_phone(self, *numbers: str, name: str = "Workshop", sends_mms: bool = False) -> EmulatedPhone:
        """Enrol one more phone by a real code; its store is a file."""
        phone = self.new_phone(*numbers, sends_mms=sends_mms)
        self.phones.append(phone)
        await phone.switch_on()
        code = await self.hub.api.post("/v1/enrolments", json={"name": name})
        assert code.status_code == 201, code.text
        await phone.enrol(code.json()["qr_text"])
        await phone.wait_online()
        for line in (await self.hub.api.get("/v1/lines")).json()["items"]:
            await self.hub.api.patch(f"/v1/lines/{line['id']}", json={"per_minute": 6000})
        return phone

    def new_phone(self, *numbers: str, sends_mms: bool = False) -> EmulatedPhone:
        """One that is switched off and enrolled nowhere."""
        store = self.directory / f"phone-{len(self.phones)}.db"
        return EmulatedPhone(
            store,
            sims=[SimCard(f"card-{number}", number) for number in numbers],
            air=self._air(),
            timing=Timing.hasty(),
            transport="websocket",
            os_segments_per_minute=0,
            sends_mms=sends_mms,
        )

    def _air(self) -> SocketAir:
        self._airs.append(SocketAir(self.air.socket))
        return self._airs[-1]

    async def close(self) -> None:
        """Everything down. The hub before the customer: a connection that comes just as a server stops is never closed."""
        for phone in self.phones:
            if phone.is_on:
                with suppress(Exception):
                    await phone.crash()
        for air in self._airs:
            await air.aclose()
        await self.hub.close()
        await self.customer.stop()
        self.air.stop()

    async def send(self, to: str, text: str, **more: Any) -> str:
        """Send until the hub says 2xx, always with the same Idempotency-Key: what a careful customer does."""
        key = f"{to}/{text}".replace(" ", "-")
        self.sent.append((to, text))

        async def accepted() -> str | None:
            answer = await self.hub.api.post(
                "/v1/messages", json={"to": to, "text": text, **more}, headers={"Idempotency-Key": key}
            )
            if answer.status_code >= 500:
                return None
            assert answer.status_code == 202, answer.text
            return str(answer.json()["results"][0]["message_id"])

        message = await eventually(f"the hub takes {text!r}", accepted)
        self.message_ids[(to, text)] = message
        return message

    async def customer_texts(self, sender: str, text: str, phone: EmulatedPhone | None = None) -> None:
        """A text comes in at the phone."""
        self.inbound.append((sender, text))
        assert await (phone or self.phone).receive_text(sender, text)

    async def state_of(self, message: str) -> dict[str, Any]:
        """The message as the API tells it."""
        answer = await self.hub.api.get(f"/v1/messages/{message}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def settled(self, *allowed: str) -> dict[str, int]:
        """Wait until every text sent is in one of the states; returns how many are in each."""

        async def all_there() -> dict[str, int] | None:
            states: Counter[str] = Counter()
            for message in self.message_ids.values():
                states[(await self.state_of(message))["state"]] += 1
            self._seen = dict(states)
            return dict(states) if not set(states) - set(allowed) else None

        return await eventually(f"all texts are {' or '.join(allowed)}", all_there)

    async def inbound_arrived(self) -> None:
        """Wait until the hub has every inbound text, then check: each exactly once."""

        async def stored() -> Counter[tuple[str, str]] | None:
            seen: Counter[tuple[str, str]] = Counter()
            cursor: str | None = None
            while True:
                query = {"direction": "mo", "limit": "100", **({"cursor": cursor} if cursor else {})}
                page = (await self.hub.api.get("/v1/messages", params=query)).json()
                seen.update((item["peer"], item["text"]) for item in page["items"])
                cursor = page["next_cursor"]
                if cursor is None:
                    return seen if sum(seen.values()) >= len(self.inbound) else None

        assert await eventually("every inbound text is in the hub", stored) == Counter(self.inbound)

    def assert_air(self, may_be_missing: int = 0) -> None:
        """No text twice on the air; none missing but those whose fate is told as uncertain or failed."""
        on_air = self.air.sends()
        twice = {text: times for text, times in on_air.items() if times > 1}
        assert not twice, f"sent twice: {twice}"
        missing = [text for text in self.sent if text not in on_air]
        assert len(missing) <= may_be_missing, f"never sent: {missing}"

    async def webhooks_arrived(self, kind: str, many: int) -> None:
        """Wait for this many different events of a type at the customer's server; ids and bytes are stable."""

        async def came() -> bool:
            return len(self.customer.events(kind)) >= many

        await eventually(f"{many} {kind} at the customer's server", came)
        assert len(self.customer.events(kind)) == many
        assert not self.customer.bodies_differ()
        assert not self.customer.forged

    async def timelines_explain(self) -> None:
        """Each message's timeline ends in the state it is in, and every hop is a sentence."""
        for message in self.message_ids.values():
            state = (await self.state_of(message))["state"]
            timeline = (await self.hub.api.get(f"/v1/messages/{message}/timeline")).json()
            hops = timeline["items"]
            changes = [hop["to_state"] for hop in hops if hop["is_applied"] and hop["to_state"]]
            assert changes, timeline
            assert changes[-1] == state, timeline
            assert all(hop["sentence"].endswith((".", "?")) for hop in hops), timeline


@asynccontextmanager
async def world(directory: Path, database_url: str = "", **settings: str) -> AsyncIterator[World]:
    """A world that is up; ends with the block."""
    hub = HubProcess(directory / "hub", database_url, settings)
    await hub.started()
    made = World(hub, directory)
    try:
        await made.open()
        yield made
    except BaseException:
        print(hub.log_path.read_text()[-6000:])
        raise
    finally:
        await made.close()
        await hub.close()
