"""Who comes alone goes through at once; a crowd goes through together, in the order it came."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hub.phones.native.turnstile import Turnstile

pytestmark = pytest.mark.anyio

AN_HOUR = 3600.0


class Timer:
    """The loop's timer, which goes off when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self._now)
        monkeypatch.setattr(loop, "call_at", self._call_at)

    def _call_at(self, when: float, callback: Callable[..., None], *given: Any) -> None:
        self._due.append((when, lambda: callback(*given)))

    async def advance_to(self, now: float) -> None:
        self._now = now
        due, self._due = self._due, [one for one in self._due if one[0] > now]
        for when, callback in due:
            if when <= now:
                callback()
        await a_few_turns()


async def a_few_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_alone_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Timer(monkeypatch)
    turnstile = Turnstile(AN_HOUR)
    for hours in (1, 2, 3.5):
        await timer.advance_to(hours * AN_HOUR)
        async with asyncio.TaskGroup() as tasks:
            alone = tasks.create_task(turnstile.turn())
            await a_few_turns()
            assert alone.done()


async def test_a_crowd_goes_through_together_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Timer(monkeypatch)
    turnstile = Turnstile(AN_HOUR)
    through: list[int] = []

    async def come(number: int) -> None:
        await turnstile.turn()
        through.append(number)

    await timer.advance_to(AN_HOUR)
    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(come(number))
        await a_few_turns()
        assert through == [0]
        await timer.advance_to(2 * AN_HOUR - 1)
        tasks.create_task(come(4))
        await a_few_turns()
        assert through == [0]
        await timer.advance_to(2 * AN_HOUR)
        assert through == [0, 1, 2, 3, 4]
        tasks.create_task(come(5))
        await timer.advance_to(3 * AN_HOUR - 1)
        assert through == [0, 1, 2, 3, 4], "the next ones wait for the next opening"
        await timer.advance_to(3 * AN_HOUR)
    assert through == [0, 1, 2, 3, 4, 5]


async def test_one_who_gives_up_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Timer(monkeypatch)
    turnstile = Turnstile(AN_HOUR)
    await timer.advance_to(AN_HOUR)
    await turnstile.turn()
    first, second = asyncio.create_task(turnstile.turn()), asyncio.create_task(turnstile.turn())
    await a_few_turns()
    first.cancel()
    await timer.advance_to(2 * AN_HOUR)
    assert first.cancelled()
    assert second.done()
