"""kill -9 of the hub at every named place: nothing acknowledged is lost, nothing is sent twice, every state is explained."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.failpoints import NAMES
from tests.acceptance.processes import eventually
from tests.acceptance.world import World, world

pytestmark = pytest.mark.anyio

PLACES = [
    "accept.before_commit=1",
    "accept.after_commit=1",
    "offer.committed=1",
    "accepted.read=1",
    "bind.committed=1",
    "bind.committed=2",
    "go.sent=1",
    "event.stored=1",
    "event.before_ack=1",
    "delivery.sent=1",
    "delivery.sent=4",
    "delivery.recorded=2",
    "batch.before_commit=7",
    "batch.after_commit=7",
]


WITH_APPS = {"list.committed"}
"""Passed only by phones with the app of sms-gate.app: `test_app_phones.py`."""


AT_DOORS = {"carried.stored", "mail.taken", "media.stored", "media.brought"}
"""Passed only at the doors of carriers and mail servers: `test_doors_killed.py`."""


def test_every_place_is_tried() -> None:
    assert {place.partition("=")[0] for place in PLACES} | WITH_APPS | AT_DOORS == NAMES


async def test_dying_at_every_place_loses_and_doubles_nothing(tmp_path: Path, database_url: str) -> None:
    """One hub that dies again and again, each time somewhere else, while customers and phones go on."""
    async with world(tmp_path, database_url) as here:
        traffic: list[asyncio.Task[None]] = []
        here.hub.command("credits", "price", "0.05")
        here.hub.command("credits", "add", "100")
        here.hub.kill()
        for turn, place in enumerate(PLACES):
            here.hub.start(failpoints=place)
            traffic += [asyncio.create_task(one_turn(here, turn)), asyncio.create_task(taken_back(here, turn))]
            await here.hub.died(place)
        await here.hub.started()
        await asyncio.gather(*traffic)
        await all_is_well(here)
        await the_credits_agree(here)


async def one_turn(here: World, turn: int) -> None:
    """Two texts in, two out; whoever sends repeats it until there is a 2xx."""
    for n in range(2):
        await here.customer_texts(f"+1415556{turn:02}{n:02}", f"reply {turn}.{n}")
        await here.send(f"+1415555{turn:02}{n:02}", f"text {turn}.{n}")


async def taken_back(here: World, turn: int) -> None:
    """A text for tomorrow that is cancelled, each step repeated until the hub has done it."""
    body = {
        "to": f"+1415557{turn:04}",
        "text": "tomorrow",
        "send_at": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }

    async def taken() -> str | None:
        answer = await here.hub.api.post("/v1/messages", json=body, headers={"Idempotency-Key": f"tomorrow-{turn}"})
        return str(answer.json()["results"][0]["message_id"]) if answer.status_code == 202 else None

    message = await eventually("a text for tomorrow is taken", taken)

    async def cancelled() -> bool:
        await here.hub.api.post(f"/v1/messages/{message}/cancel")
        return bool((await here.state_of(message))["state"] == "cancelled")

    await eventually("it is cancelled", cancelled)


async def the_credits_agree(here: World) -> None:
    """M13: whatever died, each text was charged once, and what was cancelled was given back once."""
    shown = here.hub.command("credits", "show", "--json")
    kinds = Counter((entry["kind"], entry["message_id"]) for entry in shown["entries"])
    assert set(kinds.values()) == {1}
    by_kind = Counter(kind for kind, _ in kinds)
    sent, back = len(here.message_ids), len(PLACES)
    assert by_kind == {"top_up": 1, "charge": sent + back, "refund": back}
    assert shown["balance"] == round(100 - 0.05 * sent, 2)


@pytest.mark.parametrize("kills", [6, pytest.param(50, marks=pytest.mark.slow)])
async def test_random_kills_under_load_lose_and_double_nothing(kills: int, tmp_path: Path, database_url: str) -> None:
    chance = random.Random(kills)
    async with world(tmp_path, database_url) as here:
        traffic: list[asyncio.Task[None]] = []
        for turn in range(kills):
            traffic.append(asyncio.create_task(one_turn(here, turn)))
            seen = len(here.customer.received) + chance.randrange(6)
            await moved_on(here, seen)
            here.hub.kill()
            here.hub.start()
        await here.hub.ready()
        await asyncio.gather(*traffic)
        await all_is_well(here)


async def moved_on(here: World, webhooks: int) -> None:
    """Wait until the customer's server has had so many webhooks: a moment that is different each time, and never a clock's."""

    async def enough() -> bool:
        return len(here.customer.received) >= webhooks

    await eventually(f"{webhooks} webhooks", enough)


async def all_is_well(here: World) -> None:
    """The books agree."""
    sent = len(here.message_ids)
    await here.settled("delivered")
    await here.inbound_arrived()
    here.assert_air()
    await here.webhooks_arrived("sms:queued", sent)
    await here.webhooks_arrived("sms:sent", sent)
    await here.webhooks_arrived("sms:delivered", sent)
    await here.webhooks_arrived("sms:received", len(here.inbound))
    await here.timelines_explain()
