"""Stopping: who does not answer the end of his TLS connection is cut, but not before all he was sent has left."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from hub import server
from hub.server import Server

pytestmark = pytest.mark.anyio


class Connection:
    """A connection, and its transport: what is left to send shrinks by one whenever somebody asks for it."""

    def __init__(self, is_closing: bool, left: int) -> None:
        self.transport = self
        self._is_closing, self.left = is_closing, left
        self.cut_with: int | None = None

    def is_closing(self) -> bool:
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        self.left = max(self.left - 1, 0)
        return self.left

    def abort(self) -> None:
        self.cut_with = self.left


async def test_a_stop_cuts_who_is_silent_and_lets_a_slow_reader_have_his_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "CLOSING_LOOK_SECONDS", 0)

    async def nobody() -> None:
        """Is told nothing."""

    silent, slow, busy = Connection(True, 0), Connection(True, 20), Connection(False, 0)
    stopping = Server(uvicorn.Config(lambda: None), nobody, 60.0)
    stopping.server_state = cast(ServerState, SimpleNamespace(connections={silent, slow, busy}))
    cutting = asyncio.create_task(stopping._cut_unanswered())
    async with asyncio.timeout(30):
        while slow.cut_with is None:  # noqa: ASYNC110 (each turn of the loop is a look)
            await asyncio.sleep(0)
    cutting.cancel()
    assert (silent.cut_with, slow.cut_with, busy.cut_with) == (0, 0, None)
