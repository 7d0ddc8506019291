"""What many stored messages cost: a claim, and an insert, beside ten thousand and beside ten million finished ones.

    python -m bench.storage_size [--many 10000000] [--url postgresql://…]

Medians and means of single steps; the two sizes alternate in rounds. A claim takes 8 messages for each of 20 lines of 400 with work
waiting, and then finishes them, so that each claim meets new ones.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, bindparam, insert, text, update

from bench.outcome import tell
from bench.storage_writer import Row, make_rows
from hub.clock import SystemClock
from hub.core.ids import IdSource
from hub.storage.checkpoints import finish_checkpoint
from hub.storage.database import Database
from hub.storage.messages_queue import claim
from hub.storage.schema.messages import Message
from hub.storage.transaction import Tx
from hub.storage.types import table_of

TABLE = table_of(Message)
STORE = insert(TABLE)
LINES = 400
WAITING_PER_LINE = 100
AT_ONCE = 500_000
OFFER = update(TABLE).where(TABLE.c.id == bindparam("b_id")).values(offered_at=bindparam("at"))
FINISH = update(TABLE).where(TABLE.c.id == bindparam("b_id")).values(state="delivered", offered_at=None)


def fill(db: Database, count: int) -> None:
    """Store `count` finished messages, and the waiting ones."""
    clock, ids = SystemClock(), IdSource(0, os.urandom)
    [sample] = make_rows(ids, clock, 1)
    sample |= {"id": "", "state": "delivered", "final_at": clock.now(), "sent_at": clock.now()}
    waiting = make_rows(ids, clock, LINES * WAITING_PER_LINE)
    for n, row in enumerate(waiting):
        row["line_id"] = _line(n)
    with db.write_engine.connect() as connection:
        with connection.begin():
            connection.execute(STORE, [sample, *waiting])
        for start in range(0, count, AT_ONCE):
            with connection.begin():
                _copy_sample(connection, sample, start, min(count, start + AT_ONCE) - 1)
            if db.dialect == "sqlite":
                finish_checkpoint(connection)
    if db.dialect == "postgresql":
        with db.write_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum analyze message")


def _line(number: int) -> str:
    return f"{number % LINES:024}"


def _copy_sample(connection: Connection, sample: Row, first: int, last: int) -> None:
    if connection.dialect.name == "sqlite":
        series = (
            f"(with recursive s(i) as (select {first} union all select i + 1 from s where i < {last}) select i from s)"
        )
        id_, line = "printf('%024d', i)", f"printf('%024d', i % {LINES})"
    else:
        series = f"(select i from generate_series({first}, {last}) i)"
        id_, line = "lpad(i::text, 24, '0')", f"lpad((i % {LINES})::text, 24, '0')"
    own = {"id": id_, "conversation_id": id_, "line_id": line}
    columns = ", ".join(sample)
    values = ", ".join(own.get(name, f"m.{name}") for name in sample)
    connection.execute(
        text(f"insert into message ({columns}) select {values} from message m cross join {series} n where m.id = ''")
    )


class Side:
    """One size, ready for rounds."""

    def __init__(self, url: str, count: int) -> None:
        self._clock, self._ids = SystemClock(), IdSource(0, os.urandom)
        self._db = Database.open(url, clock=self._clock, ids=self._ids)
        self._db.migrate()
        fill(self._db, count)
        self.claims: list[float] = []
        self.inserts: list[float] = []

    def round(self) -> None:
        """One claim and one batch of 40 new messages, each with its commit."""
        with self._db.write_engine.connect() as connection:
            started = time.perf_counter()
            with connection.begin():
                taken = self._claim(self._db.transaction(connection))
            self.claims.append(time.perf_counter() - started)
            with connection.begin():
                connection.execute(FINISH, [{"b_id": id_} for id_ in taken])
            rows = make_rows(self._ids, self._clock, 40)
            started = time.perf_counter()
            with connection.begin():
                connection.execute(STORE, rows)
            self.inserts.append(time.perf_counter() - started)

    def _claim(self, tx: Tx) -> Sequence[str]:
        first = len(self.claims) * 20
        lines = {_line(number) for number in range(first, first + 20)}
        taken = [message.id for messages in claim(tx, lines, 8).values() for message in messages]
        assert len(taken) == 160
        tx.conn.execute(OFFER, [{"b_id": id_, "at": tx.now} for id_ in taken])
        return taken

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def report(name: str, few: Sequence[float], many: Sequence[float]) -> tuple[float, float]:
    """One line of the result; returns the medians, in milliseconds."""
    medians = statistics.median(few), statistics.median(many)
    means = statistics.fmean(few), statistics.fmean(many)
    print(
        f"{name:24} median {medians[0] * 1e3:7.2f} → {medians[1] * 1e3:7.2f} ms ({medians[1] / medians[0]:.2f})   "
        f"mean {means[0] * 1e3:7.2f} → {means[1] * 1e3:7.2f} ms ({means[1] / means[0]:.2f})"
    )
    return medians[0] * 1e3, medians[1] * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--url", action="append", help="two empty PostgreSQL databases; given twice")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        urls = options.url or [f"sqlite:///{Path(directory) / name}" for name in ("few.db", "many.db")]
        few, many = Side(urls[0], options.few), Side(urls[1], options.many)
        for _ in range(options.rounds):
            few.round()
            many.round()
        small, large = report("claim 160, 20 lines", few.claims, many.claims)
        tell("claim_growth", large, small, "ms for 160", by_median=large / small)
        small, large = report("insert 40", few.inserts, many.inserts)
        tell("accept_growth", 40e3 / large, 40e3 / small, "texts/s", by_median=small / large)
        few.close()
        many.close()


if __name__ == "__main__":
    main()
