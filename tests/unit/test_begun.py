"""A coroutine begun outside of a task: it ends at once where nothing waits, and goes on in a task where something does."""

from __future__ import annotations

import asyncio

import pytest

from hub.phones.native.begun import Begun, begin

pytestmark = pytest.mark.anyio


class Line:
    """Says words, and waits for room before each of those that `full` names."""

    def __init__(self, *full: str) -> None:
        self.room = {word: asyncio.get_running_loop().create_future() for word in full}
        self.said: list[str] = []

    async def say(self, *words: str) -> None:
        try:
            for word in words:
                if word in self.room:
                    await self.room[word]
                self.said.append(word)
        finally:
            self.said.append("end")


async def test_what_need_not_wait_is_over_when_it_was_begun() -> None:
    line = Line()
    assert begin(line.say("a", "b")) is None
    assert line.said == ["a", "b", "end"]


async def test_what_waits_goes_on_where_it_stopped_each_time() -> None:
    line = Line("b", "c")
    begun = begin(line.say("a", "b", "c", "d"))
    assert isinstance(begun, Begun)
    assert line.said == ["a"]
    ending = asyncio.create_task(begun.end())
    for word in ("b", "c"):
        assert not (await asyncio.wait([ending], timeout=0))[0]
        line.room[word].set_result(None)
    await ending
    assert line.said == ["a", "b", "c", "d", "end"]


async def test_it_raises_where_it_fails() -> None:
    async def fail(line: Line) -> None:
        await line.say("a")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        begin(fail(Line()))
    line = Line("a")
    begun = begin(fail(line))
    assert begun is not None
    line.room["a"].set_result(None)
    with pytest.raises(OSError, match="gone"):
        await begun.end()


async def test_what_it_waits_for_may_fail() -> None:
    line = Line("a")
    begun = begin(line.say("a"))
    assert begun is not None
    line.room["a"].set_exception(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        await begun.end()
    assert line.said == ["end"]


async def test_a_deadline_reaches_it_where_it_waits() -> None:
    line = Line("b")
    begun = begin(line.say("a", "b"))
    assert begun is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await begun.end()
    assert line.said == ["a", "end"]
