"""Hot statements on PostgreSQL: prepared once a connection, writes sent together, a few system calls for all of them.

A statement by way of SQLAlchemy and a cursor of psycopg costs 130 µs of the hub's CPU, nearly all of it around the statement, and its
caller waits for the server each time. Here a statement whose answer nobody reads is not waited for: until an answer is wanted (a look-up,
the commit) all are one piece, which the server answers in one piece: 10 µs a statement, one wait for all.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html

What waits belongs to the transaction of its connection. It is run before anything else happens on that connection, whoever asks
(`hub.storage.connect` listens to SQLAlchemy), and forgotten by a rollback. After the first statement that fails PostgreSQL skips all
others of the piece, a COMMIT among them: so a statement that must have taken effect before the COMMIT has to fail where it does not.
"""

import select
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

Given = Sequence[Any]
"""Values of a statement's parameters: text, numbers, truth values, bytes, None, or a list of those."""


PLANNED_AGAIN_AFTER = frozenset(10**power for power in range(1, 7))
"""Uses of a statement on one connection. PostgreSQL keeps its plan until it has counted the tables anew, a minute later at the earliest; a
plan that was made while they were nearly empty can cost ten times what it should by then."""


class Asked:
    """A look-up whose rows nobody has waited for yet."""

    __slots__ = ("result",)

    def __init__(self) -> None:
        self.result: psycopg.pq.abc.PGresult | None = None


class Pipeline:
    """One connection of psycopg. Used by one thread at a time, like the connection itself. Raises `psycopg.Error`."""

    def __init__(self, driver: "psycopg.Connection[Any]") -> None:
        self._driver = driver
        self._pg = driver.pgconn
        self._loader = Transformer(driver)
        self._names: dict[str, bytes] = {}
        self._uses: dict[str, int] = {}
        self._stale: list[bytes] = []
        """Names nobody uses any more, which the server still knows."""
        self._fresh: dict[str, bytes] = {}
        """Statements of the open piece that are prepared by it."""
        self._made = 0
        self._waiting: list[tuple[str, list[bytes | None], Asked | None]] = []
        self._sent: list[Asked | None] = []
        """What was sent of the open piece: for each result that will come, who wants its rows."""
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)

    @property
    def is_waiting(self) -> bool:
        """Whether statements of the open transaction were not sent, or not answered yet."""
        return bool(self._waiting or self._sent)

    @property
    def is_lost(self) -> bool:
        """Whether the connection is closed or broken."""
        return self._pg.status != ConnStatus.OK

    def later(self, sql: str, given: Given) -> None:
        """Run a statement (`$1`, `$2` … are its parameters) before whatever comes next. Its errors come then.

        Inside a transaction that the server knows of, it is sent now: the server works on it while we make the next one.
        """
        self._put(sql, given, None)
        if self._sent or self._pg.transaction_status == TransactionStatus.INTRANS:
            self._start(is_all=True)

    def ask(self, sql: str, given: Given) -> Asked:
        """Run a statement like `later`; `rows_of` has its rows, which so come with the answer to whatever is waited for first."""
        asked = Asked()
        self._put(sql, given, asked)
        return asked

    def rows_of(self, asked: Asked) -> list[tuple[Any, ...]]:
        """The rows of a statement that was asked in this transaction."""
        if asked.result is None:
            self.flush()
        if asked.result is None:
            raise psycopg.InterfaceError("its transaction was rolled back")
        return self._rows_in(asked.result)

    def rows(self, sql: str, given: Given) -> list[tuple[Any, ...]]:
        """Run what waits and this statement; its rows."""
        return self._rows_in(self._answer(sql, given))

    def count(self, sql: str, given: Given) -> int:
        """Run what waits and this statement; how many rows it touched."""
        return self._answer(sql, given).command_tuples or 0

    def flush(self) -> None:
        """Run what waits."""
        if self.is_waiting:
            self._end()

    def commit(self) -> None:
        """Run what waits and COMMIT; where that fails, nothing is left of the transaction. Without anything waiting the driver commits."""
        if self.is_waiting:
            try:
                self._end("COMMIT")
            except psycopg.Error:
                if not self.is_lost:
                    self._driver.rollback()
                raise

    def forget(self) -> None:
        """What waits is not to be run, and how what was sent went is not to be told: its transaction is rolled back."""
        self._waiting.clear()
        if self._sent:
            with suppress(psycopg.Error):
                self._end()
            self._sent = []

    def _put(self, sql: str, given: Given, asked: Asked | None) -> None:
        self._waiting.append((sql, [_as_text(value) for value in given], asked))
        if self._driver.autocommit:
            self.flush()

    def _rows_in(self, result: "psycopg.pq.abc.PGresult") -> list[tuple[Any, ...]]:
        self._loader.set_pgresult(result)
        return self._loader.load_rows(0, result.ntuples, tuple)

    def _answer(self, sql: str, given: Given) -> "psycopg.pq.abc.PGresult":
        self._waiting.append((sql, [_as_text(value) for value in given], None))
        return self._end()

    def _start(self, *, is_all: bool) -> None:
        """Hand what waits to libpq, without asking for its answers. `is_all`: nothing more comes soon, so it is to leave now."""
        waiting, self._waiting = self._waiting, []
        if self.is_lost:
            raise psycopg.OperationalError("the connection is closed")
        try:
            if not self._sent:
                is_first = self._pg.transaction_status == TransactionStatus.IDLE and not self._driver.autocommit
                self._pg.enter_pipeline_mode()
                if is_first:
                    self._pg.send_query_params(self._begin().encode(), None)
                    self._sent.append(None)
            while self._stale:
                self._pg.send_query_params(b"DEALLOCATE " + self._stale.pop(), None)
                self._sent.append(None)
            for sql, given, asked in waiting:
                self._pg.send_query_prepared(self._name_of(sql), given)
                self._sent.append(asked)
            if is_all:
                self._pg.flush()
        except BaseException:
            self._give_up()
            raise

    def _end(self, last: str = "") -> "psycopg.pq.abc.PGresult":
        """Send what waits, and `last`, and wait for the answers to all of the piece; the last one's result."""
        self._start(is_all=False)
        try:
            if last:
                self._pg.send_query_params(last.encode(), None)
                self._sent.append(None)
            self._pg.pipeline_sync()
            results = self._results()
            self._pg.exit_pipeline_mode()
        except BaseException:
            self._give_up()
            raise
        sent, self._sent = self._sent, []
        fresh, self._fresh = self._fresh, {}
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise errors.error_from_result(result, encoding="utf-8")
        self._stale += [self._names[sql] for sql in fresh if sql in self._names]
        self._names |= fresh
        for asked, result in zip(sent, results, strict=True):
            if asked is not None:
                asked.result = result
        return results[-1]

    def _give_up(self) -> None:
        """Nobody knows what is still under way on the connection."""
        self._driver.close()
        self._sent, self._fresh = [], {}

    def _name_of(self, sql: str) -> bytes:
        """A statement that is prepared, anew after 10, 100, 1,000 … uses: so it is planned for the tables as they have become."""
        uses = self._uses[sql] = self._uses.get(sql, -1) + 1
        if sql in self._names and uses not in PLANNED_AGAIN_AFTER:
            return self._names[sql]
        return self._prepare(sql)

    def _prepare(self, sql: str) -> bytes:
        """Have a statement prepared under a name; it counts as prepared when the whole piece went well."""
        name = self._fresh.get(sql)
        if name is None:
            self._made += 1
            name = self._fresh[sql] = b"hub_%d" % self._made
            self._pg.send_prepare(name, sql.encode())
            self._sent.append(None)
        return name

    def _results(self) -> "list[psycopg.pq.abc.PGresult]":
        """The result of each thing that was sent, in order. Waits without holding up other threads."""
        while self._pg.flush():
            self._wait(select.POLLIN | select.POLLOUT)
        results: list[psycopg.pq.abc.PGresult] = []
        while True:
            while self._pg.is_busy():
                self._wait(select.POLLIN)
            result = self._pg.get_result()
            if result is None:
                if self.is_lost:
                    raise psycopg.OperationalError("the connection was lost")
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)

    def _wait(self, events: int) -> None:
        self._poll.modify(self._pg.socket, events)
        for _, seen in self._poll.poll():
            if seen & ~select.POLLOUT:
                self._pg.consume_input()

    def _begin(self) -> str:
        level = self._driver.isolation_level
        return "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}"


def _as_text(value: Any) -> bytes | None:
    """A value as PostgreSQL reads it from text. Raises `psycopg.DataError` for text that it cannot hold."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.encode()
        if b"\0" in text:
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return text
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    if isinstance(value, float):
        return repr(value).encode()
    return b"{" + b",".join([_as_element(one) for one in value]) + b"}"


def _as_element(value: Any) -> bytes:
    """https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO"""
    text = _as_text(value)
    return b"NULL" if text is None else b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
