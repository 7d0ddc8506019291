"""Waiting for hints while a request is open, without outliving a client that has hung up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.types import Receive

from hub.live import Hint, Live, Watcher


class ClientGone(Exception):
    """The client hung up; there is nobody to answer."""


class Waiting:
    """A watcher of an account's hints, bound to an open request."""

    def __init__(self, watcher: Watcher, hung_up: asyncio.Task[None]) -> None:
        self._watcher = watcher
        self._hung_up = hung_up

    @property
    def was_cut(self) -> bool:
        """The hub stops, or the hints were not taken fast enough."""
        return self._watcher.was_cut

    async def take(self, timeout_seconds: float) -> list[Hint]:
        """The hints that came, after at most so long; empty when none did. Raises ClientGone."""
        taking = asyncio.create_task(self._watcher.take(timeout_seconds), name="take hints")
        try:
            await asyncio.wait({taking, self._hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if self._hung_up.done():
                raise ClientGone
            return await taking
        finally:
            taking.cancel()


@asynccontextmanager
async def waiting(live: Live, account_id: str, receive: Receive) -> AsyncIterator[Waiting]:
    """Watch an account for as long as the request is open. The request's body has been read."""
    watcher = live.watch(account_id)
    hung_up = asyncio.create_task(_until_hung_up(receive), name="wait for hang-up")
    try:
        yield Waiting(watcher, hung_up)
    finally:
        live.leave(watcher)
        hung_up.cancel()
        with suppress(asyncio.CancelledError):
            await hung_up


async def _until_hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
