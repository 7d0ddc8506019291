"""Long work in a thread that ends when nobody waits for it any more (Ctrl-C, or the command line that asked has gone)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from hub.core.progress import Step, Tell

T = TypeVar("T")


class Stopped(Exception):
    """Ends the work from inside, at the next thing it tells."""


async def in_thread(work: Callable[[Tell], T], tell: Tell) -> T:
    """Have the work done in a thread. When the caller is cancelled, the work has ended and cleaned up before this returns."""
    is_cancelled = Event()

    def tell_or_stop(step: Step) -> None:
        if is_cancelled.is_set():
            raise Stopped
        tell(step)

    running = asyncio.ensure_future(asyncio.to_thread(work, tell_or_stop))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        is_cancelled.set()
        await asyncio.gather(running, return_exceptions=True)
        raise
