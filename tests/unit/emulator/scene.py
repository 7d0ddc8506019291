"""The stage of most tests here: a hub on a real socket and one enrolled phone with two cards, online."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from android_emulator.air import MemoryAir
from android_emulator.phone import EmulatedPhone
from android_emulator.sim import SimCard
from android_emulator.uplink import Timing
from device_protocol.payloads import SmsReceived, decode_payload
from tests.unit.emulator.fake_hub import FakeHub, fake_hub

CARD = SimCard("8901", "+14155550101")
OTHER_CARD = SimCard("8902", "+14155550102", carrier="Other Mobile")
CUSTOMER = "+14155550199"


@dataclass
class Scene:
    hub: FakeHub
    phone: EmulatedPhone
    air: MemoryAir

    def aired(self) -> list[tuple[str, str, str]]:
        return [(segment.sender, segment.recipient, segment.text) for segment in self.air.aired]


@asynccontextmanager
async def scene(**options: object) -> AsyncIterator[Scene]:
    """A hub and one enrolled phone, online, with two cards."""
    air = MemoryAir()
    settings = {"sims": [CARD, OTHER_CARD], "air": air, "timing": Timing.hasty()} | options
    async with fake_hub() as hub, EmulatedPhone(**settings) as phone:  # type: ignore[arg-type]
        await phone.enrol(hub.qr_text())
        await phone.wait_online()
        yield Scene(hub, phone, air)


def received_texts(hub: FakeHub) -> list[str]:
    payloads = [decode_payload(event.event_type, event.payload) for event in hub.device.reports("sms:received")]
    return [payload.text or "" for payload in payloads if isinstance(payload, SmsReceived)]
