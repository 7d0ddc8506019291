"""kill -9 of a phone at every window of the handover and of an event, beside a real hub: nothing lost, nothing twice, all explained."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from android_emulator.failpoints import NAMES
from android_emulator.processes import PhoneProcess, RadioLogProcess
from tests.acceptance.processes import HubProcess, eventually, running_hub

pytestmark = pytest.mark.anyio

CUSTOMER = "+14155550123"

ON_THE_WAY_OUT = {
    "job.received": ("delivered", 1),
    "job.stored": ("delivered", 1),
    "accepted.sent": ("delivered", 1),
    "go.read": ("delivered", 1),
    "radio.before": ("uncertain", 0),
    "radio.called": ("uncertain", 1),
    "radio.recorded": ("sent", 1),
}
"""What becomes of a text whose phone died there, and how often it was on the air: what the phone cannot know stays uncertain, and the
handset's confirmation that came while it was dead is not made up."""

ON_THE_WAY_IN = ["event.stored", "event.sent", "ack.read"]


def test_every_place_is_tried() -> None:
    assert {*ON_THE_WAY_OUT, *ON_THE_WAY_IN} == NAMES


async def test_phones_that_die_at_every_place_lose_and_double_nothing(tmp_path: Path) -> None:
    """A phone for each place, which dies there once and comes back with its store."""
    async with running_hub(tmp_path / "hub") as hub, RadioLogProcess(tmp_path / "air.jsonl") as air:
        for place, (state, _) in ON_THE_WAY_OUT.items():
            async with dying(hub, tmp_path, air, place) as phone:
                message = await taken(hub, f"dies at {place}")
                await phone.wait_killed()
                await phone.start()
                await settled(hub, message, state)
        for place in ON_THE_WAY_IN:
            async with dying(hub, tmp_path, air, place) as phone:
                with suppress(ConnectionError):  # it dies before it can say that it was told
                    await phone.tell(f"text {CUSTOMER} dies at {place}")
                await phone.wait_killed()
                await phone.start()
                await phone.wait_line("online")
        await received(hub, [f"dies at {place}" for place in ON_THE_WAY_IN])
        aired = {(CUSTOMER, f"dies at {place}"): many for place, (_, many) in ON_THE_WAY_OUT.items() if many}
        assert air.texts() == aired


@asynccontextmanager
async def dying(hub: HubProcess, folder: Path, air: RadioLogProcess, place: str) -> AsyncIterator[PhoneProcess]:
    """A phone that is online and will die at a place; at the end it is removed, so that the next one is alone."""
    code = (await hub.api.post("/v1/enrolments", json={"name": place})).json()["qr_text"]
    options = ["--sim", f"+1202555{place_number(place)}", "--qr-text", code, "--transport", "websocket"]
    phone = PhoneProcess(folder / f"{place}.db", options, log=air)
    try:
        await phone.start(failpoints=place)
        await phone.wait_line("online")
        yield phone
        for device in (await hub.api.get("/v1/devices")).json()["items"]:
            await hub.api.delete(f"/v1/devices/{device['id']}")
    finally:
        phone.kill()
        await phone.wait_end()


def place_number(place: str) -> int:
    """Four digits of its own for the phone of each place."""
    return 1000 + [*ON_THE_WAY_OUT, *ON_THE_WAY_IN].index(place)


async def taken(hub: HubProcess, text: str) -> str:
    answer = await hub.api.post("/v1/messages", json={"to": CUSTOMER, "text": text})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["results"][0]["message_id"])


async def settled(hub: HubProcess, message: str, state: str) -> None:
    """Wait for the state; the last hop that was applied leads there, and says so in a sentence."""

    async def is_there() -> bool:
        return bool((await hub.api.get(f"/v1/messages/{message}")).json()["state"] == state)

    await eventually(f"a text is {state}", is_there)
    hops = (await hub.api.get(f"/v1/messages/{message}/timeline")).json()["items"]
    last = [hop for hop in hops if hop["is_applied"] and hop["to_state"]][-1]
    assert (last["to_state"], last["sentence"][-1]) == (state, ".")


async def received(hub: HubProcess, texts: list[str]) -> None:
    """Wait until all are in the inbox, then look that each is there once."""

    async def inbox() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await hub.api.get("/v1/messages", params={"direction": "mo"})).json()["items"]
        return found if len(found) >= len(texts) else None

    assert Counter(one["text"] for one in await eventually("all texts are in", inbox)) == Counter(texts)
