"""A phone process killed with SIGKILL at each window of the handover and of an event, and what its memory makes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from android_emulator.air import read_log
from android_emulator.processes import PhoneProcess, RadioLogProcess
from device_protocol.states import HubJobState
from tests.unit.emulator.fake_hub import FakeHub, fake_hub
from tests.unit.emulator.scene import CUSTOMER, received_texts

pytestmark = pytest.mark.anyio

NUMBER = "+14155550101"


@dataclass
class Killable:
    hub: FakeHub
    phone: PhoneProcess
    log: RadioLogProcess


@asynccontextmanager
async def killable(folder: Path, failpoints: str) -> AsyncIterator[Killable]:
    """A hub, a radio log, and a phone process that is online and will die at `failpoints`."""
    async with fake_hub() as hub, RadioLogProcess(folder / "air.jsonl") as log:
        phone = PhoneProcess(
            folder / "phone.db", ["--sim", NUMBER, "--qr-text", hub.qr_text(), "--transport", "websocket"], log=log
        )
        await phone.start(failpoints=failpoints)
        try:
            await phone.wait_line("online")
            yield Killable(hub, phone, log)
        finally:
            phone.kill()
            await phone.wait_end()


@pytest.mark.parametrize(
    ("failpoint", "aired", "state"),
    [
        ("job.received", 1, HubJobState.SETTLED),
        ("job.stored", 1, HubJobState.SETTLED),
        ("accepted.sent", 1, HubJobState.SETTLED),
        ("go.read", 1, HubJobState.SETTLED),
        ("radio.before", 0, HubJobState.UNCERTAIN),
        ("radio.called", 1, HubJobState.UNCERTAIN),
        ("radio.recorded", 1, HubJobState.SETTLED),
    ],
)
async def test_killed_on_the_way_to_the_radio_nothing_is_sent_twice_and_nothing_is_forgotten(
    tmp_path: Path, failpoint: str, aired: int, state: HubJobState
) -> None:
    async with killable(tmp_path, failpoint) as on:
        id = await on.hub.text(CUSTOMER, "Once or never")
        await on.phone.wait_killed()
        await on.phone.start()
        await on.phone.wait_line("online")
        await on.hub.until(lambda: on.hub.device.jobs[id].state is state)
        assert on.log.texts() == ({(CUSTOMER, "Once or never"): 1} if aired else {})


@pytest.mark.parametrize("failpoint", ["event.stored", "event.sent", "ack.read"])
async def test_killed_around_an_event_the_text_arrives_once(tmp_path: Path, failpoint: str) -> None:
    async with killable(tmp_path, failpoint) as on:
        with pytest.raises(ConnectionError) if failpoint != "ack.read" else nullcontext():
            await on.phone.tell(f"text {CUSTOMER} Hello")
        await on.phone.wait_killed()
        await on.phone.start()
        await on.phone.tell(f"text {CUSTOMER} Hello again")
        await on.hub.until(lambda: len(on.hub.device.events) == 2)
        assert received_texts(on.hub) == ["Hello", "Hello again"]


async def test_sigterm_ends_a_phone_in_order(tmp_path: Path) -> None:
    async with killable(tmp_path, "") as on:
        assert await on.phone.stop() == 0


async def test_what_happens_to_a_phone_can_be_told_in_words(tmp_path: Path) -> None:
    async with killable(tmp_path, "") as on:
        assert await on.phone.tell(f"text {CUSTOMER} Grüße 😀") == f"done: text {CUSTOMER} Grüße 😀"
        assert await on.phone.tell("call hidden") == "done: call hidden"
        assert (await on.phone.tell("battery 7")) == "done: battery 7"
        assert (await on.phone.tell("text:1 +1 no card there")).startswith("error: slot 1 is empty")
        assert (await on.phone.tell("dance")).startswith("error: no such word")
        assert (await on.phone.tell("permission receive_sms off")).startswith("done")
        assert "never saw it" in await on.phone.tell(f"text {CUSTOMER} unseen")
        await on.hub.until(lambda: len(on.hub.device.events) == 2)
        assert received_texts(on.hub) == ["Grüße 😀"]


async def test_a_phone_keeps_a_radio_log_of_its_own_and_customers_answer(tmp_path: Path) -> None:
    async with fake_hub() as hub:
        options = ["--number", NUMBER, "--carrier", "EE", "--reply", "You said: {text}"]
        phone = PhoneProcess(
            tmp_path / "phone.db", [*options, "--qr-text", hub.qr_text(), "--radio-log", str(tmp_path / "air.jsonl")]
        )
        async with phone:
            await phone.wait_line("online")
            assert hub.device.sims[0].carrier == "EE"
            await hub.text(CUSTOMER, "Hello")
            await hub.until(lambda: received_texts(hub) == ["You said: Hello"])
            assert await phone.stop() == 0
        assert [(aired.recipient, aired.text) for aired in read_log(tmp_path / "air.jsonl")] == [(CUSTOMER, "Hello")]


async def test_an_error_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    phone = PhoneProcess(tmp_path / "phone.db", ["--number", NUMBER])
    await phone.start()
    assert await phone.wait_end() == 1
    assert phone.lines == ["error: this phone is not enrolled yet: pass --qr-text, --qr-png, or --hub with --token"]
