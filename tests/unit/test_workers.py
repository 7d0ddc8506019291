"""Background loops start again when they fail, and stop in the opposite order."""

import asyncio

import pytest

from hub.workers import Workers

pytestmark = pytest.mark.anyio


class Loop:
    def __init__(self, name: str, ended: list[str], failures: int = 0) -> None:
        self.name = name
        self.ended = ended
        self.failures = failures
        self.runs = 0
        self.running = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise RuntimeError("bad row")
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(self.name)


async def test_stop_in_the_opposite_order() -> None:
    ended: list[str] = []
    first, second = Loop("first", ended), Loop("second", ended)
    workers = Workers([first, second])
    workers.start()
    await first.running.wait()
    await second.running.wait()
    await workers.stop(5)
    assert ended == ["second", "first"]


async def test_failed_loop_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    real_sleep = asyncio.sleep

    async def no_wait(seconds: float) -> None:
        pauses.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr("hub.workers.asyncio.sleep", no_wait)
    loop = Loop("flaky", [], failures=3)
    workers = Workers([loop])
    workers.start()
    await loop.running.wait()
    assert pauses == [0.5, 1.0, 2.0]
    assert workers.failed == ()
    await workers.stop(5)
