"""The small world of `world.py` with phones that run the app of sms-gate.app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from android_emulator.sim import SimCard
from android_emulator.smsgate import AppPhone
from tests.acceptance.processes import HubProcess, eventually
from tests.acceptance.world import World

SHOP = "+12025550100"
PACE = 60_000
"""Segments a minute: these tests are about order and loss, not about pace."""


class AppWorld(World):
    """Hub, app phones, air and customer; `add_phone` brings in native ones beside them."""

    def __init__(self, hub: HubProcess, directory: Path) -> None:
        super().__init__(hub, directory)
        self.apps: list[AppPhone] = []

    async def open(self) -> None:
        """Everything but phones is up."""
        await self.air.ready()
        await self.customer.started()
        made = await self.hub.api.post("/v1/webhooks", json={"url": self.customer.url, "schedule": "fast"})
        assert made.status_code == 201, made.text
        self.customer.secret = made.json()["secret"]

    async def word(self, **values: Any) -> dict[str, Any]:
        """What an operator is told to type."""
        answer = await self.hub.api.post("/v1/enrolments", json={"transport": "smsgate", **values})
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()["type_in"]
        return told

    def app(self, api_url: str, private_token: str = "", number: str = SHOP, **values: Any) -> AppPhone:
        """A phone with this typed in; off."""
        card = SimCard(f"89-{number[-6:]}", number, carrier=f"Carrier {number[-2:]}")
        air = self._air()
        phone = AppPhone(api_url, private_token, sims=[card], air=air, **values)
        self.apps.append(phone)
        return phone

    async def add_app(self, number: str = SHOP, **values: Any) -> AppPhone:
        """A phone that came in by the short address, is set up, and has told its SIM's number."""
        phone = self.app((await self.word())["short_url"], number=number, **values)
        await phone.switch_on()
        await self.set_up(phone)
        return phone

    async def set_up(self, phone: AppPhone) -> None:
        """Wait until it is known with its number, and lift its lines' pace."""
        await phone.until(lambda: phone.memory.hooks and phone.memory.settings, "it fetched webhooks and settings")
        phone.started()
        await phone.until(lambda: not phone.memory.posts, "its SIMs are told")
        numbers = [sim.card.number for sim in phone.tray.inserted()]

        async def lines() -> list[dict[str, Any]] | None:
            items: list[dict[str, Any]] = (await self.hub.api.get("/v1/lines")).json()["items"]
            mine = [line for line in items if line["number"] in numbers]
            return mine if len(mine) == len(numbers) else None

        for line in await eventually("the phone's lines are known", lines):
            await self.hub.api.patch(f"/v1/lines/{line['id']}", json={"per_minute": PACE})

    async def close(self) -> None:
        """Everything down."""
        for phone in self.apps:
            with suppress(Exception):
                await phone.aclose()
        await super().close()


@asynccontextmanager
async def app_world(directory: Path, database_url: str = "", **settings: str) -> AsyncIterator[AppWorld]:
    """A world that is up; ends with the block."""
    hub = HubProcess(directory / "hub", database_url, settings)
    await hub.started()
    made = AppWorld(hub, directory)
    try:
        await made.open()
        yield made
    except BaseException:
        print(hub.log_path.read_text()[-6000:])
        for phone in made.apps:
            print(phone.failures[-20:])
        raise
    finally:
        await made.close()
        await hub.close()
