"""Places for attachments in memory: the last quarter is for accounts that hold none."""

import asyncio

import pytest

from hub.media.room import Room

pytestmark = pytest.mark.anyio


async def started(room: Room, account_id: str) -> asyncio.Task[None]:
    """Somebody who has asked for a place."""
    asked = asyncio.create_task(room.enter(account_id))
    await asyncio.sleep(0)  # lets it run until it waits
    return asked


async def test_one_account_leaves_a_quarter_to_those_who_have_none() -> None:
    room = Room(8)
    greedy = [await started(room, "greedy") for _ in range(9)]
    assert [one.done() for one in greedy] == [True] * 6 + [False] * 3
    await room.enter("second")
    await room.enter("third")
    fourth = await started(room, "fourth")
    assert not fourth.done(), "there are eight places"
    room.leave("third")
    await fourth
    assert not greedy[6].done(), "the place was kept for somebody who had none"


async def test_places_given_back_go_to_those_who_came_first_and_none_is_lost() -> None:
    room = Room(4)
    for _ in range(3):
        await room.enter("one")
    waiting = [await started(room, "one") for _ in range(3)]
    room.leave("one")
    await waiting[0]
    assert [one.done() for one in waiting] == [True, False, False]
    for _ in range(3):
        room.leave("one")
    await asyncio.gather(*waiting)
    assert (await started(room, "one")).done()


async def test_who_gives_up_waiting_holds_no_place() -> None:
    room = Room(1)
    await room.enter("one")
    gave_up, in_the_same_moment, last = [await started(room, "two") for _ in range(3)]
    gave_up.cancel()
    await asyncio.gather(gave_up, return_exceptions=True)
    room.leave("one")
    in_the_same_moment.cancel()
    await asyncio.gather(in_the_same_moment, return_exceptions=True)
    assert in_the_same_moment.cancelled()
    async with asyncio.timeout(60):
        await last
