"""Texts cancelled while they are on their way: each is either cancelled or on the air, never both, and the answer said which."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from device_protocol.frames import JobState
from tests.acceptance.world import World, world

pytestmark = pytest.mark.anyio

MOMENTS = ("at once", "after a look", "on the phone", "at the radio", "at once, twice")


async def test_texts_cancelled_at_racing_moments_are_cancelled_or_sent_and_never_both(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        races = [(f"+141555500{n:02}", f"race {n}", MOMENTS[n % len(MOMENTS)]) for n in range(20)]
        answers = await asyncio.gather(*(race(here, *one) for one in races))
        await here.settled("cancelled", "delivered")
        # Whatever the phone still meant to send would leave before this one.
        await here.send("+14155550100", "the last")
        await here.settled("cancelled", "delivered")
        for (to, text, moment), codes in zip(races, answers, strict=True):
            await agrees(here, to, text, moment, codes)
        await only_delivered_on_air(here)
        await here.timelines_explain()


async def test_texts_cancelled_while_the_offer_is_on_the_wire_never_reach_the_air(tmp_path: Path) -> None:
    """Nobody is bound yet, so the hub decides; the phone reads the offers afterwards, accepts them and is told to drop them."""
    async with world(tmp_path) as here:
        here.phone.stop_reading()
        races = [(f"+141555501{n:02}", f"unread {n}") for n in range(8)]
        answers = await asyncio.gather(*(race(here, to, text, "at once") for to, text in races))
        assert answers == [[200]] * len(races)
        here.phone.resume_reading()
        await here.send("+14155550100", "the last")
        last = here.message_ids[("+14155550100", "the last")]
        await here.settled("cancelled", "delivered")
        assert (await here.state_of(last))["state"] == "delivered"
        await here.phone.until(lambda: not here.phone.store.unsettled_jobs(), "the phone holds no job")
        assert here.air.sends() == Counter({("+14155550100", "the last"): 1})
        await here.timelines_explain()


async def race(here: World, to: str, text: str, moment: str) -> list[int]:
    """Send a text and cancel it at this moment; the codes of the answers."""
    message = await here.send(to, text)
    if moment == "after a look":
        await here.state_of(message)
    elif moment == "on the phone":
        await here.phone.wait_job(to)
    elif moment == "at the radio":
        await here.phone.wait_job(to, JobState.SUBMITTING, JobState.SENT)
    times = 2 if moment.endswith("twice") else 1
    return sorted(await asyncio.gather(*(cancel(here, message) for _ in range(times))))


async def cancel(here: World, message: str) -> int:
    """Cancel; the answer keeps to what is documented for its code."""
    answer = await here.hub.api.post(f"/v1/messages/{message}/cancel")
    told = answer.json()
    if answer.status_code == 409:
        assert told["code"] == "cancel_too_late"
    else:
        assert answer.status_code == (200 if told["is_final"] else 202), answer.text
        assert (told["state"] == "cancelled") is told["is_final"]
    return answer.status_code


async def agrees(here: World, to: str, text: str, moment: str, codes: list[int]) -> None:
    """The text ended as the answers said: 200 is a promise, 409 a refusal, 202 leaves it to the phone."""
    state = (await here.state_of(here.message_ids[(to, text)]))["state"]
    told = f"{text} ({moment}): {codes}, {state}"
    assert set(codes) <= {200, 202, 409}, told
    if 200 in codes:
        assert state == "cancelled", told
    if 409 in codes or moment == "at the radio":
        assert state == "delivered", told


async def only_delivered_on_air(here: World) -> None:
    """The air has each delivered text once and no cancelled one."""
    expected: Counter[tuple[str, str]] = Counter()
    for text, message in here.message_ids.items():
        if (await here.state_of(message))["state"] == "delivered":
            expected[text] += 1
    assert here.air.sends() == expected
