"""What the writer costs: rows a second through it, against raw `sqlite3` executemany of the same rows at the same batch size.

    python -m bench.storage_writer [--rounds 5] [--url postgresql://…]

Rounds of each variant alternate, medians are compared. Rows are messages, with all indexes of the real table.
"""

import argparse
import asyncio
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hub.clock import SystemClock
from hub.core.ids import IdSource
from hub.storage.batch import BatchRunner
from hub.storage.bulk import BulkInsert
from hub.storage.commands import Waiting
from hub.storage.connect import dialect_of
from hub.storage.database import Database
from hub.storage.migrate import migrate
from hub.storage.schema.messages import Message
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.types import table_of

TABLE = table_of(Message)
COLUMNS = [column.name for column in TABLE.columns]
STORE = BulkInsert(TABLE, COLUMNS)
TEXT = "Hello, your code is 123456. It is valid for ten minutes."

Row = dict[str, Any]


def store(tx: Tx, rows: Sequence[Row]) -> list[Done[None] | Refused]:
    """The plainest use case there is."""
    STORE.run(tx.conn, [tuple(row.values()) for row in rows])
    return [Done(None) for _ in rows]


def make_rows(ids: IdSource, clock: SystemClock, count: int) -> list[Row]:
    """Waiting messages on 200 lines."""
    now = clock.now()
    blank: Row = {column.name: getattr(column.default, "arg", None) for column in TABLE.columns}
    same = blank | {
        "account_id": "a" * 24,
        "direction": "mt",
        "state": "queued",
        "text": TEXT,
        "encoding": "gsm7",
        "segments": 1,
        "created_at": now,
        "due_at": now,
        "door": "v1",
        "max_tries": 5,
    }
    return [
        same
        | {
            "id": ids.next(now),
            "peer": f"+4917{n:08}",
            "line_id": f"{n % 200:024}",
            "conversation_id": f"{n % 5000:024}",
        }
        for n in range(count)
    ]


@contextmanager
def fresh(url: str | None, template: Path) -> Iterator[Database]:
    """An empty database: a copy of the template, or PostgreSQL with its messages deleted."""
    clock, ids = SystemClock(), IdSource(0, os.urandom)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hub.db"
        shutil.copyfile(template, path)
        db = Database.open(url or f"sqlite:///{path}", clock=clock, ids=ids)
        if url:
            db.migrate()
            with db.write_engine.connect() as connection, connection.begin():
                connection.exec_driver_sql("truncate message")
        yield db
        db.close()


def raw(db: Database, rows: Sequence[Row], size: int) -> None:
    """`sqlite3` itself, same settings."""
    statement = f"insert into message ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"
    values = [tuple(row[name] for name in COLUMNS) for row in rows]
    with closing(sqlite3.connect(db.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        for pragma in ("synchronous = full", "cache_size = -65536", "wal_autocheckpoint = 0"):
            connection.execute(f"pragma {pragma}")
        for start in range(0, len(values), size):
            connection.execute("begin immediate")
            connection.executemany(statement, values[start : start + size])
            connection.execute("commit")


def runner(db: Database, rows: Sequence[Row], size: int) -> None:
    """Batches of a given size through what the writer's thread does, without queue and loop."""
    made = BatchRunner(db.write_engine, db.dialect, SystemClock(), IdSource(0, os.urandom), 10)
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    for start in range(0, len(rows), size):
        made.run([Waiting(store, row, (f"line:{row['line_id']}",), future, 0.0) for row in rows[start : start + size]])
    made.disconnect()
    loop.close()


def writer(db: Database, rows: Sequence[Row], callers: int) -> None:
    """All of it: callers that each wait for their commit before they send the next."""

    async def caller(share: Sequence[Row]) -> None:
        for row in share:
            await db.writer.submit(store, row, f"line:{row['line_id']}")

    async def all_callers() -> None:
        await asyncio.gather(*(caller(rows[n::callers]) for n in range(callers)))

    asyncio.run(all_callers())


def rates(
    url: str | None, rounds: int, count: int, variants: dict[str, Callable[[Database, Sequence[Row]], None]]
) -> dict[str, float]:
    """Median rows a second by variant."""
    found: dict[str, list[float]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as directory:
        template = Path(directory) / "template.db"
        migrate(f"sqlite:///{template}")
        for _ in range(rounds):
            for name, run in variants.items():
                with fresh(url, template) as db:
                    rows = make_rows(IdSource(0, os.urandom), SystemClock(), count)
                    started = time.perf_counter()
                    run(db, rows)
                    found[name].append(count / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--url", help="a PostgreSQL database; its messages are deleted")
    options = parser.parse_args()
    variants: dict[str, Callable[[Database, Sequence[Row]], None]] = {}
    if options.url is None or dialect_of(options.url) == "sqlite":
        variants |= {f"raw sqlite3, {size} a commit": partial(raw, size=size) for size in (40, 256)}
    variants |= {f"batch runner, {size} a commit": partial(runner, size=size) for size in (40, 256)}
    variants |= {f"writer, {callers} callers": partial(writer, callers=callers) for callers in (1, 64, 256, 1024)}
    base: float | None = None
    for name, rate in rates(options.url, options.rounds, options.rows, variants).items():
        base = base or rate
        print(f"{name:32} {rate:10,.0f} rows/s   {rate / base:5.2f}")


if __name__ == "__main__":
    main()
