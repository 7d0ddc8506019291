"""How many attachments are held in memory at once, and whose: one account's slow phones or servers stop nobody else's pictures.

1. In all at most `most`; others wait, and who came first goes first.
2. The last quarter is for accounts that hold none: whoever has taken the other three waits, whether places are free or not.
"""

from __future__ import annotations

import asyncio
from collections import Counter

SHORT = 0.75


class Room:
    """Places for bodies. For one event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], str] = {}

    async def enter(self, account_id: str) -> None:
        """Wait for a place and take it; who is cancelled meanwhile has none."""
        if self._is_open_to(account_id):
            self._held[account_id] += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[place] = account_id
        try:
            await place
        except asyncio.CancelledError:
            self._waiting.pop(place, None)
            if not place.cancelled():  # it was given the place in the same moment
                self.leave(account_id)
            raise

    def leave(self, account_id: str) -> None:
        """Give a place back, to those who wait for one."""
        self._held[account_id] -= 1
        if self._held[account_id] == 0:
            del self._held[account_id]
        for place, waits in list(self._waiting.items()):
            if not place.done() and self._is_open_to(waits):
                del self._waiting[place]
                self._held[waits] += 1
                place.set_result(None)

    def _is_open_to(self, account_id: str) -> bool:
        taken = self._held.total()
        return taken < self.most * SHORT or (taken < self.most and account_id not in self._held)
