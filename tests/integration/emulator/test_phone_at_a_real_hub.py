"""Emulated phones at a real hub process: enrolment by picture, both transports, and what phones do wrong."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from android_emulator.air import MemoryAir
from android_emulator.cell_network import CellNetwork
from android_emulator.clock import PhoneClock
from android_emulator.inbound import Attachment
from android_emulator.phone import EmulatedPhone
from android_emulator.sim import SimCard
from android_emulator.store import copy_phone
from android_emulator.uplink import Timing
from device_protocol.frames import JobState
from tests.acceptance.processes import HubProcess, eventually

pytestmark = pytest.mark.anyio

CUSTOMER = "+14155550199"


@pytest.fixture(scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HubProcess]:
    """One hub for the module; each test brings phones and numbers of its own."""
    hub = HubProcess(tmp_path_factory.mktemp("hub"))
    yield await hub.started()
    await hub.close()


@dataclass
class Desk:
    """A phone at the hub, and what an operator would ask the hub about it."""

    hub: HubProcess
    phone: EmulatedPhone
    air: MemoryAir
    device_id: str

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.hub.api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, **body: object) -> Any:
        answer = await self.hub.api.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def device(self) -> Any:
        return await self.get(f"/v1/devices/{self.device_id}")

    async def send(self, text: str, to: str = CUSTOMER) -> str:
        """Send by this phone; the message's id."""
        answer = await self.post("/v1/messages", to=to, text=text, device_id=self.device_id)
        return str(answer["results"][0]["message_id"])

    async def state(self, message_id: str, *wanted: str) -> str:
        """Wait until the message is in one of these states."""

        async def reached() -> str | None:
            state = str((await self.get(f"/v1/messages/{message_id}"))["state"])
            return state if state in wanted else None

        return await eventually(f"the message is {' or '.join(wanted)}", reached)

    async def inbound(self) -> list[str]:
        """Texts this phone brought, oldest first."""
        page = await self.get("/v1/messages", direction="mo", device_id=self.device_id, limit="100")
        return [item["text"] for item in reversed(page["items"])]

    async def has_inbound(self, *texts: str) -> None:
        async def there() -> bool:
            return len(await self.inbound()) >= len(texts)

        await eventually(f"{len(texts)} inbound texts", there)
        assert sorted(await self.inbound()) == sorted(texts)


async def code(hub: HubProcess, **body: object) -> Any:
    answer = await hub.api.post("/v1/enrolments", json={"name": "Workshop", **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


@asynccontextmanager
async def desk(hub: HubProcess, number: str, store: Path | None = None, **options: Any) -> AsyncIterator[Desk]:
    """An enrolled phone, online."""
    air = options.setdefault("air", MemoryAir())
    settings = {"sims": [SimCard(f"card-{number}", number)], "timing": Timing.hasty(), "os_segments_per_minute": 0}
    async with EmulatedPhone(store, **{**settings, **options}) as phone:
        device_id = await phone.enrol((await code(hub))["qr_text"])
        await phone.wait_online()
        yield Desk(hub, phone, air, "dev_" + device_id if not device_id.startswith("dev_") else device_id)


async def test_a_phone_scans_the_picture_sends_and_receives(hub: HubProcess) -> None:
    made = await code(hub)
    picture = (await hub.api.get(made["qr_png_url"])).content
    air = MemoryAir()
    async with EmulatedPhone(sims=[SimCard("8901", "+14155551001")], air=air, timing=Timing.hasty()) as phone:
        device_id = await phone.enrol(picture)
        await phone.wait_online()
        at = Desk(hub, phone, air, f"dev_{device_id}")
        message = await at.send("Your order is ready")
        await at.state(message, "delivered")
        await phone.receive_text(CUSTOMER, "Thank you")
        await phone.wait_acknowledged()
        await at.has_inbound("Thank you")
        assert [aired.text for aired in air.aired] == ["Your order is ready"]


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_an_mms_is_fetched_and_put_on_the_air_as_one_message(hub: HubProcess, transport: Any) -> None:
    picture, number = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2600, f"+1415555110{len(transport)}"
    async with desk(hub, number, transport=transport, sends_mms=True) as at:
        (line,) = (await at.device())["lines"]
        assert line["sends_mms"]
        made = await hub.api.post("/v1/media", content=picture, headers={"Content-Type": "image/png"})
        assert made.status_code == 201, made.text
        words = "long words " * 60
        send = {"to": CUSTOMER, "text": words, "media": [made.json()["id"]], "device_id": at.device_id}
        message = (await at.post("/v1/messages", **send))["results"][0]["message_id"]
        await at.state(message, "delivered")
        (aired,) = at.air.aired
        assert (aired.text, aired.segments) == (words, 1)
        assert aired.media == (f"image/png {hashlib.sha256(picture).hexdigest()}",)
        shown = await at.get(f"/v1/messages/{message}")
        assert (shown["kind"], shown["media"][0]["size_bytes"]) == ("mms", len(picture))


async def test_the_same_goes_over_http_calls(hub: HubProcess) -> None:
    async with desk(hub, "+14155551002", transport="http") as at:
        message = await at.send("By long poll")
        await at.phone.receive_text(CUSTOMER, "By post")
        await at.phone.wait_acknowledged()
        await at.state(message, "delivered")
        await at.has_inbound("By post")


async def test_a_hub_with_a_certificate_of_its_own_is_known_by_the_codes_pin(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, settings={"HUB_TLS": "auto"})
    hub.start()
    try:

        async def listens() -> bool:
            return "listens on" in hub.log_path.read_text()

        await eventually("the hub listens", listens)
        key = hub.command("key", "create", "test", "--json")["key"]
        async with httpx.AsyncClient(verify=False, headers={"Authorization": f"Bearer {key}"}) as api:
            made = (await api.post(f"https://127.0.0.1:{hub.port}/v1/enrolments", json={})).json()
        async with EmulatedPhone(sims=[SimCard("8901", "+14155551003")], timing=Timing.hasty()) as phone:
            await phone.enrol(made["qr_text"])
            await phone.wait_online()
            assert "&pin=" in made["qr_text"]
    finally:
        await hub.close()


# --- what goes wrong


async def test_an_hour_without_a_hub_is_made_good_in_order(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    try:
        await hub.started()
        async with desk(hub, "+14155551004") as at:
            hub.kill()
            await at.phone.wait_offline()
            texts = [f"text {number}" for number in range(120)]
            for text in texts:
                await at.phone.receive_text(CUSTOMER, text)
                at.phone.clock.fall_asleep(30)
            hub.start()
            await hub.ready()
            await at.phone.wait_acknowledged()
            # A page holds the newest hundred.
            assert await at.inbound() == texts[20:]
    finally:
        await hub.close()


async def test_a_phone_put_back_to_its_own_backup_loses_and_doubles_nothing(hub: HubProcess, tmp_path: Path) -> None:
    store, backup = tmp_path / "phone.db", tmp_path / "backup.db"
    async with desk(hub, "+14155551005", store) as at:
        await at.phone.receive_text(CUSTOMER, "in the backup")
        await at.phone.wait_acknowledged()
        copy_phone(store, backup, with_keystore=False)
        message = await at.send("sent after the backup")
        await at.phone.receive_text(CUSTOMER, "after the backup")
        await at.state(message, "delivered")
        await at.phone.wait_acknowledged()
        await at.phone.crash()
        copy_phone(backup, store, with_keystore=False)
        await at.phone.switch_on()
        await at.phone.receive_text(CUSTOMER, "after the restore")
        await at.has_inbound("in the backup", "after the backup", "after the restore")
        await at.phone.wait_acknowledged()
        assert len(at.air.aired) == 1
        assert await at.state(message, "delivered")


async def test_two_copies_of_one_phone_are_suspended_and_the_operator_is_told(hub: HubProcess, tmp_path: Path) -> None:
    store, clone_store = tmp_path / "phone.db", tmp_path / "clone.db"
    async with desk(hub, "+14155551006", store) as at:
        copy_phone(store, clone_store, with_keystore=True)
        async with EmulatedPhone(clone_store, timing=Timing.hasty()) as clone:
            await clone.wait_online()
            await at.phone.restart()
            await at.phone.wait_online()
            await clone.restart()

            async def suspended() -> bool:
                return (await at.device())["state"] == "suspended"

            await eventually("the device is suspended", suspended)
            notices = (await at.get("/v1/notices", device_id=at.device_id))["items"]
            assert "cloned" in [notice["kind"] for notice in notices]
            await at.phone.wait_offline()


async def test_a_card_moved_to_another_phone_keeps_its_line(hub: HubProcess) -> None:
    network = CellNetwork()
    async with desk(hub, "+14155551007", network=network) as at, desk(hub, "+14155551008", network=network) as other:
        line = await line_of(at, "+14155551007")
        await at.phone.move_sim(0, other.phone, 1)
        await other.phone.wait_acknowledged()

        async def moved() -> bool:
            return (await line_of(other, "+14155551007"))["device_id"] == other.device_id

        await eventually("the line moved", moved)
        assert (await line_of(other, "+14155551007"))["id"] == line["id"]
        message = await at.post("/v1/messages", to=CUSTOMER, text="Same line", line_id=line["id"])
        await at.state(message["results"][0]["message_id"], "delivered")
        assert [aired.sender for aired in other.air.aired] == ["+14155551007"]


async def line_of(at: Desk, number: str) -> Any:
    (line,) = (line for line in (await at.get("/v1/lines"))["items"] if line["number"] == number)
    return line


async def test_a_phone_enrolled_again_is_the_same_device(hub: HubProcess) -> None:
    async with desk(hub, "+14155551009") as at:
        line = await line_of(at, "+14155551009")
        connections = at.phone.uplink.connections
        again = await at.phone.enrol((await code(hub))["qr_text"])
        await at.phone.wait_reconnected(connections)
        assert f"dev_{again}" == at.device_id
        assert (await line_of(at, "+14155551009"))["id"] == line["id"]


async def test_an_event_held_back_holds_back_how_far_things_are_complete(hub: HubProcess) -> None:
    async with desk(hub, "+14155551010") as at:
        await at.phone.receive_text(CUSTOMER, "first")
        await at.phone.wait_acknowledged()
        complete = (await at.device())["complete_up_to"]
        number = at.phone.store.facts().next_number
        at.phone.misbehaviour.holds_back = {number}
        await at.phone.receive_text(CUSTOMER, "held back")
        at.phone.clock.fall_asleep(1)
        await at.phone.receive_text(CUSTOMER, "overtakes")
        await at.has_inbound("first", "overtakes")
        assert (await at.device())["complete_up_to"] == complete
        at.phone.release()
        await at.phone.wait_acknowledged()
        await at.has_inbound("first", "overtakes", "held back")
        assert (await at.device())["complete_up_to"] > complete


@pytest.mark.parametrize("offset_ms", [600_000, -600_000])
async def test_a_wrong_clock_and_one_that_steps_shift_nothing(hub: HubProcess, offset_ms: int) -> None:
    number = f"+141555510{11 if offset_ms > 0 else 12}"
    async with desk(hub, number, clock=PhoneClock(offset_ms)) as at:
        message = await at.send("In time")
        await at.state(message, "delivered")
        at.phone.clock.step(-2 * offset_ms)
        await at.phone.restart()
        await at.phone.wait_online()
        await at.phone.receive_text(CUSTOMER, "Now")
        await at.has_inbound("Now")
        told = (await at.get("/v1/messages", direction="mo", device_id=at.device_id))["items"][0]
        sent = await at.get(f"/v1/messages/{message}")
        assert told["created_at"] >= sent["created_at"]


async def test_a_stale_hello_is_turned_away_and_bad_frames_end_one_connection(hub: HubProcess) -> None:
    async with desk(hub, "+14155551013") as at:
        assert (await at.phone.say_stale_hello()).reason == "stale_hello"
        for frame in ("not json", b"\x00\x01", "x" * 70_000, '{"type":"event","stream":"s","n":0}'):
            connections = at.phone.uplink.connections
            at.phone.send_raw(frame)
            await at.phone.wait_reconnected(connections)
            # An acknowledgement between them: else the phone would take its own next event for what cannot be read.
            await at.phone.receive_text(CUSTOMER, "still here")
            await at.phone.wait_acknowledged()
        assert await at.inbound() == ["still here"] * 4


async def test_a_cancel_before_go_cancels_and_one_after_it_is_too_late(hub: HubProcess) -> None:
    async with desk(hub, "+14155551016") as at:
        at.phone.misbehaviour.accepts_late = True
        message = await at.send("Cancel me")
        await at.phone.wait_job(CUSTOMER, JobState.ACCEPTED)
        await at.post(f"/v1/messages/{message}/cancel")
        at.phone.release()
        await at.state(message, "cancelled")
        sent = await at.send("Too late")
        await at.state(sent, "delivered")
        answer = await hub.api.post(f"/v1/messages/{sent}/cancel")
        assert answer.status_code == 409
        assert [aired.text for aired in at.air.aired] == ["Too late"]


async def test_an_mms_comes_in_with_what_is_attached(hub: HubProcess) -> None:
    picture = Attachment("image/png", b"\x89PNG\r\n\x1a\n" + bytes(700_000), "cat.png")
    program = Attachment("application/octet-stream", b"MZ\x90\x00")
    async with desk(hub, "+14155551091") as at:
        await at.phone.receive_mms(CUSTOMER, picture, program, text="Look!")
        await at.phone.wait_acknowledged()
        await at.has_inbound("Look!")
        (message,) = (await at.get("/v1/messages", direction="mo", device_id=at.device_id))["items"]
        shown = [(one["content_type"], one["name"], one["why"]) for one in message["media"]]
        assert shown == [("image/png", "cat.png", None), ("application/octet-stream", None, "type")]
        own = await hub.api.get(message["media"][0]["url"])
        assert (own.status_code, own.content == picture.content) == (200, True)
        assert own.headers.get_list("x-content-type-options") == ["nosniff"]
        link = (await at.post(f"{message['media'][0]['url']}/link"))["url"]
        async with httpx.AsyncClient(trust_env=False) as anybody:
            assert (await anybody.get(link)).content == picture.content
            assert (await anybody.get(link.partition("?")[0])).status_code == 404
