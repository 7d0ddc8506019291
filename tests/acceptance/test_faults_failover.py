"""A phone goes away in the middle of a hand-over: another takes over what was never bound, and nothing goes out twice."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from android_emulator.air import read_log
from android_emulator.failpoints import Failpoint, Failpoints
from android_emulator.phone import EmulatedPhone
from tests.acceptance.processes import eventually
from tests.acceptance.world import SHOP, World, world

pytestmark = pytest.mark.anyio

BRANCH = "+12025550111"
USUAL, OTHER = "+14155550001", "+14155550002"
"""Two contacts that the shop's phone was last in touch with: without a sender, it is chosen for them."""


async def test_M9_an_offer_nobody_read_goes_to_the_other_phone(tmp_path: Path) -> None:
    async with two_phones(tmp_path) as (here, shop):
        shop.misbehaviour.ignores_jobs = True
        await gone_at(here, shop, "job.received", "never read")
        await here.settled("delivered")
        assert senders(here)["never read"] == [BRANCH]
        shop.misbehaviour.ignores_jobs = False
        await back_without_doubles(here, shop)
        assert await kinds(here, "never read") >= {"offered", "withdrawn", "routed", "bound", "sent"}


async def test_an_offer_stored_but_never_accepted_goes_to_the_other_phone_and_is_dropped_by_the_first(
    tmp_path: Path,
) -> None:
    async with two_phones(tmp_path) as (here, shop):
        await gone_at(here, shop, "job.stored", "stored, not told", shop.cut)
        await here.settled("delivered")
        assert senders(here)["stored, not told"] == [BRANCH]
        await back_without_doubles(here, shop)
        await nothing_held(shop)


async def test_a_text_bound_to_a_phone_waits_for_it_while_the_next_one_fails_over(tmp_path: Path) -> None:
    async with two_phones(tmp_path) as (here, shop):
        # What the hub answers to the phone's acceptance stays in the network.
        bound = await gone_at(here, shop, "accepted.sent", "bound", shop.stop_reading, until_state="dispatched")
        await here.send(OTHER, "for whoever is there")
        await delivered(here, OTHER, "for whoever is there")
        assert senders(here)["for whoever is there"] == [BRANCH]
        assert (await here.state_of(bound))["state"] in ("dispatched", "uncertain")
        assert not senders(here)["bound"]
        await here.timelines_explain()
        await back_without_doubles(here, shop)
        assert senders(here)["bound"] == [SHOP]


@pytest.mark.parametrize(("is_remembered", "ends"), [(True, ("sent", "delivered")), (False, ("uncertain",))])
async def test_a_text_on_the_air_and_not_reported_is_not_sent_by_the_other_phone(
    is_remembered: bool, ends: tuple[str, ...], tmp_path: Path
) -> None:
    """`is_remembered`: the radio's result reached the phone's disk before the phone went, and only the hub did not hear it."""
    async with two_phones(tmp_path) as (here, shop):
        aired = await gone_at(here, shop, "radio.called", "aired", shop.cut if is_remembered else die_at_the_radio)
        assert senders(here)["aired"] == [SHOP]
        await here.send(OTHER, "for whoever is there")
        await delivered(here, OTHER, "for whoever is there")
        assert senders(here)["aired"] == [SHOP]
        await shop.switch_on()
        await shop.wait_online()
        await shop.wait_acknowledged()
        assert (await here.state_of(aired))["state"] in ends
        await here.settled("delivered", *ends)
        here.assert_air()
        await here.timelines_explain()


async def test_a_pinned_text_waits_for_its_line(tmp_path: Path) -> None:
    async with two_phones(tmp_path) as (here, shop):
        # Both wait for the shop's line when its phone goes, so the round that moves the one has looked at the other.
        shop.misbehaviour.ignores_jobs = True
        pinned = await here.send(USUAL, "from the shop only", line_id=await line_of(here, SHOP))
        await gone_at(here, shop, "job.received", "for whoever is there")
        shop.misbehaviour.ignores_jobs = False
        await delivered(here, USUAL, "for whoever is there")
        assert senders(here)["for whoever is there"] == [BRANCH]
        state = await here.state_of(pinned)
        assert (state["state"], state["line_id"]) == ("queued", await line_of(here, SHOP))
        assert not senders(here)["from the shop only"]
        await here.timelines_explain()
        await back_without_doubles(here, shop)
        assert senders(here)["from the shop only"] == [SHOP]


@asynccontextmanager
async def two_phones(directory: Path) -> AsyncIterator[tuple[World, EmulatedPhone]]:
    """A shop's phone that two contacts were last in touch with, and a second phone; gives the world and the shop's phone."""
    async with world(directory, HUB_FAILOVER_SECONDS="1", HUB_OFFER_TIMEOUT_SECONDS="1") as here:
        await here.send(USUAL, "hello")
        await here.send(OTHER, "hello")
        await here.settled("delivered")
        await here.add_phone(BRANCH, name="Branch")
        yield here, here.phone


async def gone_at(
    here: World,
    phone: EmulatedPhone,
    place: Failpoint,
    text: str,
    what: Callable[[], None] = lambda: None,
    until_state: str | None = None,
) -> str:
    """Send to the usual contact; at this place the phone suffers `what`, and once the hub tells the state, it is off."""
    reached = asyncio.Event()

    def suffer() -> None:
        reached.set()
        what()

    phone.handset.failpoints = Failpoints({place: 1}, suffer)
    message = await here.send(USUAL, text)
    async with asyncio.timeout(30):
        await reached.wait()
    if until_state is not None:
        await in_state(here, message, until_state)
    await phone.crash()
    return message


def die_at_the_radio() -> None:
    """What the radio tells is never heard."""
    raise ConnectionError("the phone is dead")


async def back_without_doubles(here: World, phone: EmulatedPhone) -> None:
    """The phone comes back; everything ends delivered, once on the air, and explained."""
    await phone.switch_on()
    await phone.wait_online()
    await here.settled("delivered")
    # Whatever the phone still meant to send would leave before this one.
    await here.send(USUAL, "last of the shop", line_id=await line_of(here, SHOP))
    await here.settled("delivered")
    assert senders(here)["last of the shop"] == [SHOP]
    here.assert_air()
    await here.timelines_explain()


async def nothing_held(phone: EmulatedPhone) -> None:
    await phone.until(lambda: not phone.store.unsettled_jobs(), "the phone holds no job")


async def in_state(here: World, message: str, wanted: str) -> None:
    async def is_there() -> bool:
        return bool((await here.state_of(message))["state"] == wanted)

    await eventually(f"{message} is {wanted}", is_there)


async def delivered(here: World, to: str, text: str) -> None:
    await in_state(here, here.message_ids[(to, text)], "delivered")


async def line_of(here: World, number: str) -> str:
    lines = (await here.hub.api.get("/v1/lines")).json()["items"]
    return next(str(line["id"]) for line in lines if line["number"] == number)


async def kinds(here: World, text: str) -> set[str]:
    """What the timeline of a text to the usual contact tells of."""
    timeline = await here.hub.api.get(f"/v1/messages/{here.message_ids[(USUAL, text)]}/timeline")
    hops: list[dict[str, Any]] = timeline.json()["items"]
    return {hop["kind"] for hop in hops}


def senders(here: World) -> defaultdict[str, list[str]]:
    """Who sent each text, as the air heard it."""
    heard: defaultdict[str, list[str]] = defaultdict(list)
    for line in read_log(here.air.file):
        heard[line.text].append(line.sender)
    return heard
