"""kill -9 of the hub at every named place: nothing acknowledged is lost, nothing is sent twice, every state is explained."""

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.world import World, world

pytestmark = pytest.mark.anyio

PLACES = [
    "accept.before_commit=1",
    "accept.after_commit=1",
    "offer.committed=1",
    "offer.committed=2",
    "accepted.read=1",
    "bind.committed=1",
    "bind.committed=2",
    "go.sent=1",
    "event.stored=1",
    "event.stored=3",
    "event.before_ack=1",
    "event.before_ack=4",
    "delivery.sent=1",
    "delivery.sent=5",
    "delivery.recorded=2",
    "batch.before_commit=9",
    "batch.after_commit=9",
]

TEXTS = [(f"+1415555{n:04}", f"text number {n}") for n in range(4)]
REPLIES = [(f"+1415555{n:04}", f"reply number {n}") for n in range(3)]


@pytest.mark.parametrize("place", PLACES)
async def test_kill_at_place_loses_and_doubles_nothing(place: str, tmp_path: Path, database_url: str) -> None:
    async with world(tmp_path, database_url) as here:
        here.hub.kill()
        await here.hub.started(failpoints=place)
        keeper = asyncio.create_task(start_again(here))
        for sender, reply in REPLIES:
            await here.customer_texts(sender, reply)
        for to, text in TEXTS:
            await here.send(to, text)
        await keeper
        await all_is_well(here)


async def start_again(here: World) -> None:
    """What an operator's service manager does: the hub died, so it is started."""
    await here.hub.died()
    await here.hub.started()


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
