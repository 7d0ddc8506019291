"""Reading threads: a bounded pool, each thread with a read-only connection of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hub.core.errors import Code, HubError
from hub.storage.faults import Verdict, is_refused_write, verdict_on

P = ParamSpec("P")
T = TypeVar("T")

MOST_WAITING = 2000
"""Reads that may wait for a thread; beyond it the answer is `queue_full`."""
TRIES = 3


class Readers:
    """Runs functions that read, each in one snapshot of the database."""

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hub-reader")
        self._of_thread = threading.local()
        self._opened: set[Connection] = set()
        self._waiting = 0

    async def run(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`fn(connection, …)` in a reading thread. Raises `queue_full` and `storage_unavailable` besides what `fn` raises."""
        if self._waiting >= MOST_WAITING:
            raise HubError(Code.QUEUE_FULL, retry_after_seconds=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: self.run_here(fn, *args, **kwargs)
            )
        finally:
            self._waiting -= 1

    def run_here(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same in the calling thread. A read that lost its connection is repeated: it changed nothing."""
        for left in reversed(range(TRIES)):
            try:
                connection = self._connected()
                with connection.begin():
                    return fn(connection, *args, **kwargs)
            except SQLAlchemyError as error:
                verdict = verdict_on(error)
                if verdict is Verdict.BLAME or is_refused_write(error):
                    raise
                self._forget()
                if left == 0 or verdict is Verdict.GIVE_UP:
                    raise HubError(Code.STORAGE_UNAVAILABLE, retry_after_seconds=5.0) from error
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Let running reads end, drop those that wait, close the connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in list(self._opened):
            connection.close()
        self._opened.clear()

    def _connected(self) -> Connection:
        connection: Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._engine.connect()
            self._of_thread.connection = connection
            self._opened.add(connection)
        return connection

    def _forget(self) -> None:
        connection: Connection | None = getattr(self._of_thread, "connection", None)
        if connection is not None:
            self._of_thread.connection = None
            self._opened.discard(connection)
            connection.invalidate()
            connection.close()
