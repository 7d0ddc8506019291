"""Background loops: started together, watched, and stopped in order with a deadline.

A loop that raises is logged and started again after a growing pause: one bad row must not silently end all webhooks until somebody
restarts the hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hub.config import ConfigurationError
from hub.core.ports import Worker
from hub.log import get_logger

log = get_logger("workers")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
FAILS_AGAIN = 3
"""Failures in a row after which a loop that waits for its next try counts as not running."""


class Workers:
    """Starts workers in the order given and stops them in the opposite one."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = tuple(workers)
        self._tasks: list[tuple[Worker, asyncio.Task[None]]] = []
        self._failing: set[str] = set()
        """Names of loops that wait for their next try after several failures."""

    def start(self) -> None:
        """Start every loop."""
        for worker in self._workers:
            self._tasks.append((worker, asyncio.create_task(self._keep_running(worker), name=f"worker {worker.name}")))

    async def stop(self, deadline_seconds: float) -> None:
        """Cancel the loops, last started first; what does not end within the deadline is named in the log and left."""
        try:
            async with asyncio.timeout(deadline_seconds):
                for worker, task in reversed(self._tasks):
                    task.cancel()
                    await asyncio.wait([task])
                    log.debug("stopped", worker=worker.name)
        except TimeoutError:
            left = [worker.name for worker, task in self._tasks if not task.done()]
            log.warning("workers did not stop in time", workers=left)
        self._tasks.clear()

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of loops that are not running although they should be: ended, or failing again and again."""
        return tuple(worker.name for worker, task in self._tasks if task.done() or worker.name in self._failing)

    async def _keep_running(self, worker: Worker) -> None:
        clock = asyncio.get_running_loop()
        failures, pause = 0, FIRST_PAUSE_SECONDS
        while True:
            began = clock.time()
            try:
                await worker.run()
                return
            except ConfigurationError as error:  # a sentence for the operator; where it was raised tells nothing
                log.error("a background loop cannot run and will be tried again", worker=worker.name, error=str(error))
            except Exception:
                log.exception("a background loop failed and will start again", worker=worker.name, pause_seconds=pause)
            if clock.time() - began > LONGEST_PAUSE_SECONDS:
                failures, pause = 0, FIRST_PAUSE_SECONDS
            failures += 1
            if failures >= FAILS_AGAIN:
                self._failing.add(worker.name)
            await asyncio.sleep(pause)
            self._failing.discard(worker.name)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
