"""Waiting for something to become true, instead of for time to pass."""

import asyncio
from collections.abc import Callable
from typing import Final

PATIENCE_SECONDS: Final = 20.0
"""How long a condition may take before waiting for it is an error; no measure of anything."""


class Conditions:
    """Whoever waits is looked at again each time something changed."""

    def __init__(self, describe: Callable[[], str]) -> None:
        self._describe = describe
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def look_again(self) -> None:
        """Something changed."""
        for holds, waiter in list(self._waiting):
            if not waiter.done() and holds():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool], what: str, seconds: float | None = PATIENCE_SECONDS) -> None:
        """Return once `holds()` does; TimeoutError says what was waited for and how things stand. None: wait for ever."""
        if holds():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (holds, waiter)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError as error:
            raise TimeoutError(f"not within {seconds:g} s: {what}. {self._describe()}") from error
        finally:
            self._waiting.remove(entry)
