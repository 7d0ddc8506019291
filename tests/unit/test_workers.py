"""Background loops start again when they fail, and stop in the opposite order."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from hub.config import ConfigurationError
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
    seen: list[tuple[str, ...]] = []
    real_sleep = asyncio.sleep

    async def no_wait(seconds: float) -> None:
        pauses.append(seconds)
        seen.append(workers.failed)
        await real_sleep(0)

    monkeypatch.setattr("hub.workers.asyncio.sleep", no_wait)
    loop = Loop("flaky", [], failures=3)
    workers = Workers([loop])
    workers.start()
    await loop.running.wait()
    assert pauses == [0.5, 1.0, 2.0]
    assert seen == [(), (), ("flaky",)]  # what /readyz says while it waits
    assert workers.failed == ()
    await workers.stop(5)


async def test_a_loop_that_cannot_run_says_why_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, every_log_line: list[MutableMapping[str, Any]]
) -> None:
    class Unset(Loop):
        async def run(self) -> None:
            if self.runs == 0:
                self.runs = 1
                raise ConfigurationError("HUB_SMTP_LISTEN is 0.0.0.0:25: Permission denied.")
            await super().run()

    real_sleep = asyncio.sleep
    monkeypatch.setattr("hub.workers.asyncio.sleep", lambda _seconds: real_sleep(0))
    loop = Unset("mails", [])
    workers = Workers([loop])
    workers.start()
    await loop.running.wait()
    await workers.stop(5)
    (line,) = [line for line in every_log_line if line["event"].startswith("a background loop")]
    assert line["error"] == "HUB_SMTP_LISTEN is 0.0.0.0:25: Permission denied."
    assert "exc_info" not in line
