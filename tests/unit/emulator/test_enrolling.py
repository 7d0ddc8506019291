import io
from pathlib import Path

import pytest
import qrcode
from qrcode.image.pure import PyPNGImage

from android_emulator.hub_client import HubError, HubUnreachableError
from android_emulator.phone import EmulatedPhone
from android_emulator.store import VolatileStore
from android_emulator.tls import spki_sha256
from android_emulator.uplink import Timing
from device_protocol.enrolment import EnrolmentError
from tests.unit.emulator.certificates import self_signed
from tests.unit.emulator.fake_hub import fake_hub
from tests.unit.emulator.scene import CARD

pytestmark = pytest.mark.anyio


def picture(text: str) -> bytes:
    file = io.BytesIO()
    qrcode.make(text, image_factory=PyPNGImage).save(file)
    return file.getvalue()


async def test_a_phone_enrols_from_the_picture_of_a_pinned_hubs_code(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path)
    tls = (context, spki_sha256(certificate))
    async with fake_hub(tls) as hub, EmulatedPhone(sims=[CARD], timing=Timing.hasty()) as phone:
        await phone.enrol(picture(hub.qr_text()))
        await phone.wait_online()
        assert hub.url.startswith("https:")
        assert phone.uplink.is_on_websocket


async def test_a_hub_with_another_key_than_the_codes_hears_nothing(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    async with fake_hub((context, "0" * 64)) as hub, EmulatedPhone(sims=[CARD]) as phone:
        with pytest.raises(HubUnreachableError):
            await phone.enrol(hub.qr_text())
        assert hub.devices == {}
        assert phone.device_id is None


@pytest.mark.parametrize("text", ["", "https://hub.example/else#abc", "just words"])
async def test_another_code_than_a_hubs_is_refused_before_anything_is_sent(text: str) -> None:
    async with EmulatedPhone(sims=[CARD]) as phone:
        with pytest.raises(EnrolmentError):
            await phone.enrol(text)


async def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_secret() -> None:
    async with fake_hub() as hub, EmulatedPhone(sims=[CARD], timing=Timing.hasty()) as phone:
        code = hub.qr_text()
        hub.loses_enrol_answers = 1
        with pytest.raises(HubError, match="lost"):
            await phone.enrol(code)
        assert await phone.enrol(code) == "dev1"
        await phone.wait_online()
        assert len(hub.devices) == 1


async def test_an_enrolment_under_way_is_finished_after_a_crash() -> None:
    async with fake_hub() as hub, EmulatedPhone(sims=[CARD], timing=Timing.hasty()) as phone:
        hub.loses_enrol_answers = 1
        with pytest.raises(HubError):
            await phone.enrol(hub.qr_text())
        await phone.restart()
        await phone.wait_online()
        assert phone.device_id == "dev1"


async def test_a_code_works_for_one_phone_only() -> None:
    async with fake_hub() as hub, EmulatedPhone() as first, EmulatedPhone() as second:
        code = hub.qr_text()
        await first.enrol(code)
        with pytest.raises(HubError) as refused:
            await second.enrol(code)
        assert (refused.value.status, refused.value.code) == (409, "token_used")


async def test_a_phone_that_enrols_again_proves_that_it_was_here() -> None:
    memory = VolatileStore()
    async with fake_hub() as hub, EmulatedPhone(memory, sims=[CARD], timing=Timing.hasty()) as phone:
        await phone.enrol(hub.qr_text())
        await phone.wait_online()
        first = memory.enrolment()
        connections = phone.uplink.connections
        assert await phone.enrol(hub.qr_text()) == "dev1"
        await phone.wait_reconnected(connections)
        second = memory.enrolment()
        assert first is not None
        assert second is not None
        assert first.secret != second.secret
        assert len(hub.devices) == 1
