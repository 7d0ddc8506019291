"""A coroutine that mostly ends without waiting, begun where no task runs, and what is left of it when it waits after all.

A frame for a phone nearly always finds room in its connection. A task for it, its timer and the turn of the event loop that it waits for
cost twice as much as the frame itself.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any


class Begun:
    """The rest of a coroutine that has been begun and waits for something."""

    def __init__(self, rest: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._rest = rest
        self._waits_for = waits_for

    async def end(self) -> None:
        """Go on to the end, in a task; the task's cancellation reaches the coroutine where it waits."""
        await self._go_on()

    @coroutine
    def _go_on(self) -> Generator[Any, Any, None]:
        waits_for, rest = self._waits_for, self._rest
        while True:
            step = partial(rest.send, None)
            try:
                yield waits_for
            except BaseException as error:
                step = partial(rest.throw, error)
            try:
                waits_for = step()
            except StopIteration:
                return


def begin(work: Coroutine[Any, Any, None]) -> Begun | None:
    """Run it up to where it would wait; None when it came to its end. Raises what it raises."""
    try:
        return Begun(work, work.send(None))
    except StopIteration:
        return None
