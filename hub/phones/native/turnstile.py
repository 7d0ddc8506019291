"""Phones that come back together are stored together.

A commit costs as much as fifteen hellos in it, and the writer commits what there is: between two commits of a busy hub only a few upgrades
come to their hello. So hellos go to the writer in groups. A phone that comes alone does not wait.
"""

from __future__ import annotations

import asyncio


class Turnstile:
    """Opens for all who wait, and not again within `seconds`. Used on the event loop only."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._opens_at = 0.0
        """The loop's time from which on the next one goes through at once."""
        self._waiting: asyncio.Event | None = None

    async def turn(self) -> None:
        """Return at once when nobody came within the last `seconds`, else with all others when those are over."""
        loop = asyncio.get_running_loop()
        if self._waiting is None:
            now = loop.time()
            if now >= self._opens_at:
                self._opens_at = now + self._seconds
                return
            self._waiting = asyncio.Event()
            loop.call_at(self._opens_at, self._open, self._waiting)
        await self._waiting.wait()

    def _open(self, waiting: asyncio.Event) -> None:
        self._waiting = None
        self._opens_at = asyncio.get_running_loop().time() + self._seconds
        waiting.set()
