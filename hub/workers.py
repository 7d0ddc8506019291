"""Background loops: started together, watched, and stopped in order with a deadline.

A loop that raises is logged and started again after a growing pause: one bad row must not silently end all webhooks until somebody
restarts the hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hub.core.ports import Worker
from hub.log import get_logger

log = get_logger("workers")

LONGEST_PAUSE_SECONDS = 30.0


class Workers:
    """Starts workers in the order given and stops them in the opposite one."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = tuple(workers)
        self._tasks: list[tuple[Worker, asyncio.Task[None]]] = []

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
        """Names of loops that are not running although they should be."""
        return tuple(worker.name for worker, task in self._tasks if task.done())

    async def _keep_running(self, worker: Worker) -> None:
        pause = 0.5
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await worker.run()
                return
            except Exception:
                log.exception("a background loop failed and will start again", worker=worker.name, pause_seconds=pause)
            await asyncio.sleep(pause)
            lived = asyncio.get_running_loop().time() - started
            pause = 0.5 if lived > LONGEST_PAUSE_SECONDS else min(pause * 2, LONGEST_PAUSE_SECONDS)
