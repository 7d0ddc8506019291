"""The group-commit writer: many commands, one commit, and no answer before the commit is on disk.

A command is put in a bounded queue and its caller waits for a future. A writer thread
gathers what arrives within a short window (`hub.storage.gathering`), applies it in one transaction (`hub.storage.batch`),
and hands all endings to the event loop with one call. There the effects of the whole batch run first, then the futures
resolve, so that whoever reads his answer finds the world already told.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import Histogram

from hub.core.effects import Effect
from hub.core.ports import AtHand
from hub.log import get_logger
from hub.storage.batch import BatchRunner, Ending, Failed
from hub.storage.commands import CommandQueue, Waiting
from hub.storage.gathering import gather
from hub.storage.transaction import C, Done, R, Refused, Tx, UseCase

log = get_logger("storage.writer")

MOST_IN_BATCH = 1024
"""SQLite gains nothing beyond, and the first command of a batch waits for its last one."""

BATCH_COMMANDS = Histogram(
    "hub_batch_commands", "Commands in one commit.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
)
BATCH_SECONDS = Histogram(
    "hub_batch_seconds",
    "Time to apply and commit a batch.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5, 30),
)


class Writer:
    """Applies commands in group commits. `submit` and `submit_soon` are called on the event loop only.

    A caller that is cancelled while it waits takes back nothing: its command is applied or refused like any other.
    """

    def __init__(self, runner: BatchRunner, *, limit: int, window_seconds: float, half_is_enough: bool = False) -> None:
        self._queue = CommandQueue(limit)
        self._runner = runner
        self._window_seconds = window_seconds
        self._half_is_enough = half_is_enough
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_effects: Callable[[Sequence[Effect]], None] = _no_effects
        """Runs the effects of a batch: called on the loop after the commit, before the futures resolve."""
        self.after_batch: Callable[[BatchRunner], None] | None = None
        """Called in the writer's thread after each batch was answered; for upkeep that wants no transaction open."""
        self._thread = threading.Thread(target=self._work, name="hub-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Commands accepted and not yet answered."""
        return len(self._queue)

    async def submit(self, use_case: UseCase[C, R], command: C, *keys: str) -> R:
        """Apply one command and return its value once it is committed.

        `keys` are its serial keys (`"device:<id>"`, `"message:<id>"` …): commands that share one are applied in the order they
        were submitted. Raises the `HubError` of a refusal; `queue_full` when too much waits; `storage_unavailable` when the
        database stayed away; `internal` when the command itself failed.
        """
        return await self.submit_soon(use_case, command, *keys)

    def submit_soon(self, use_case: UseCase[C, R], command: C, *keys: str) -> "asyncio.Future[R]":
        """`submit` without waiting: order is that of the calls. Raises `queue_full` at once."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._queue.put(Waiting(use_case, command, keys, future, time.monotonic()))
        return future

    def close(self) -> None:
        """Refuse new commands, commit those that wait, and end the thread. Blocks; does nothing the second time.

        Futures resolve on the loop after this returns, if it still runs.
        """
        self._queue.close()
        self._thread.join()

    def tell_at_hand(self, at_hand: Callable[[str], AtHand | None]) -> None:
        """From now on transactions may offer texts to the phones that this finds (`Tx.at_hand`); called in the writer's thread."""
        self._runner.at_hand = at_hand

    @property
    def is_failing(self) -> bool:
        """Whether the last batch failed because the database was away or took nothing."""
        return self._runner.is_failing

    def _work(self) -> None:
        batch: Sequence[Waiting] = ()
        while self._queue.wait():
            gather(self._queue.untaken, self._window_seconds, len(batch), half_is_enough=self._half_is_enough)
            batch = self._queue.take(MOST_IN_BATCH)
            started = time.perf_counter()
            self._answer(batch, self._runner.run(batch))
            self._queue.done(batch)
            BATCH_COMMANDS.observe(len(batch))
            BATCH_SECONDS.observe(time.perf_counter() - started)
            if self.after_batch is not None:
                self.after_batch(self._runner)
        self._runner.disconnect()

    def _answer(self, batch: Sequence[Waiting], endings: Sequence[Ending]) -> None:
        try:
            batch[0].future.get_loop().call_soon_threadsafe(self._resolve, batch, endings)
        except RuntimeError:
            log.info("the loop has ended before its commands were answered", commands=len(batch))

    def _resolve(self, batch: Sequence[Waiting], endings: Sequence[Ending]) -> None:
        effects = [effect for ending in endings if type(ending) is Done for effect in ending.effects]
        if effects:
            try:
                self.on_effects(effects)
            except Exception:
                log.exception("effects of a committed batch failed", effects=len(effects))
        for waiting, ending in zip(batch, endings, strict=True):
            _resolve_one(waiting.future, ending)


def _resolve_one(future: "asyncio.Future[Any]", ending: Ending) -> None:
    if future.done():
        return
    if isinstance(ending, Done):
        future.set_result(ending.value)
    elif isinstance(ending, Refused | Failed):
        future.set_exception(ending.error)


def _no_effects(_effects: Sequence[Effect]) -> None:
    """Until the application says who runs them."""


def apply_alone(tx: Tx, use_case: UseCase[C, R], command: C) -> R:
    """Apply one command inside a transaction of the caller's (the command line, tests). Raises the error of a refusal."""
    (outcome,) = use_case(tx, [command])
    if isinstance(outcome, Refused):
        raise outcome.error
    return outcome.value
