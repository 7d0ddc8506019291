"""Opening and closing: one server per SQLite file, ids that go on above the stored ones, errors in sentences."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Text

from hub.config import ConfigurationError
from hub.core.ids import IdSource, new_id, time_of
from hub.storage.database import Database
from hub.storage.high_water import MADE_FROM_TIME, NOT_MADE_FROM_TIME
from hub.storage.schema import METADATA
from hub.storage.schema.messages import Batch
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.types import table_of
from tests.fakes import START_MS, FakeClock, seeded_bytes


def test_a_second_server_on_one_file_is_refused_in_a_sentence(sqlite_url: str, clock: FakeClock, ids: IdSource) -> None:
    first = Database.open(sqlite_url, clock=clock, ids=ids)
    with pytest.raises(
        ConfigurationError, match=rf"already in use by process {os.getpid()}\. One SQLite file serves one hub"
    ):
        Database.open(sqlite_url, clock=clock, ids=ids)
    first.close()
    Database.open(sqlite_url, clock=clock, ids=ids).close()


def test_the_lock_of_a_killed_server_is_free(sqlite_url: str, clock: FakeClock, ids: IdSource) -> None:
    code = (
        "import os, signal\n"
        "from hub.clock import SystemClock\nfrom hub.core.ids import IdSource\nfrom hub.storage.database import Database\n"
        f"Database.open({sqlite_url!r}, clock=SystemClock(), ids=IdSource(0, os.urandom))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3])
    assert killed.returncode == -9
    Database.open(sqlite_url, clock=clock, ids=ids).close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/hub", "postgres"])
def test_a_url_of_no_database_is_refused(url: str, clock: FakeClock, ids: IdSource) -> None:
    with pytest.raises(ConfigurationError, match="database URL"):
        Database.open(url, clock=clock, ids=ids)


def test_ids_go_on_above_the_stored_ones_when_the_clock_was_set_back(db: Database, database_url: str) -> None:
    stored = new_id(START_MS + 10_000, b"\xff" * 9)
    row = {"id": stored, "account_id": "a", "total": 1, "refused": 0, "created_at": 0}
    with db.write_engine.connect() as connection, connection.begin():
        connection.execute(table_of(Batch).insert(), row)
    db.close()
    ids = IdSource(0, seeded_bytes(5).randbytes)
    again = Database.open(database_url, clock=FakeClock(START_MS - 3_600_000), ids=ids)
    again.migrate()
    assert ids.next(START_MS) > stored
    assert time_of(ids.next(START_MS)) > START_MS + 10_000
    again.close()


def test_migrate_makes_an_empty_database_ready(tmp_path: Path, clock: FakeClock, ids: IdSource) -> None:
    db = Database.open(f"sqlite:///{tmp_path / 'new' / 'hub.db'}", clock=clock, ids=ids)
    assert db.migrate() == "0001"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert set(modes.values()) == {0o600}, "texts and numbers are nobody else's business"
    with db.write_engine.connect() as connection:
        found = {row[0] for row in connection.exec_driver_sql("select name from sqlite_master where type = 'table'")}
    assert set(METADATA.tables) <= found
    db.close()


def test_sqlite_is_durable_and_keeps_its_checkpoints_out_of_commits(
    sqlite_url: str, clock: FakeClock, ids: IdSource
) -> None:
    db = Database.open(sqlite_url, clock=clock, ids=ids)
    with db.write_engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"pragma {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "busy_timeout")
        }
    db.close()
    full = 2
    assert values == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "wal_autocheckpoint": 0,
        "busy_timeout": 10_000,
    }


def test_sqlite_binds_what_most_columns_hold_without_asking_it_how(
    sqlite_url: str, clock: FakeClock, ids: IdSource
) -> None:
    db = Database.open(sqlite_url, clock=clock, ids=ids)
    adapted = {kind for kind, protocol in sqlite3.adapters if protocol is sqlite3.PrepareProtocol}
    with db.write_engine.connect() as connection:
        given = (None, True, False, b"\x00\xff", 7, "seven")
        (bound,) = connection.exec_driver_sql("select ?, ?, ?, ?, ?, ?", given)
    db.close()
    assert {type(None), bool, bytes} <= adapted
    assert [(type(value), value) for value in bound] == [
        (type(None), None),
        (int, 1),
        (int, 0),
        (bytes, b"\x00\xff"),
        (int, 7),
        (str, "seven"),
    ]


def test_every_text_id_is_known_to_be_made_from_time_or_not() -> None:
    named = {
        table.name for table in METADATA.sorted_tables if isinstance(getattr(table.c.get("id"), "type", None), Text)
    }
    assert named == set(MADE_FROM_TIME) | set(NOT_MADE_FROM_TIME)


@pytest.mark.parametrize(
    ("content", "advice"),
    [(b"no database at all", "It is no database of a hub"), (b"SQLite format 3\0" + bytes(4000), "restore")],
)
def test_a_file_that_is_no_database_is_named_and_left_alone(
    tmp_path: Path, clock: FakeClock, ids: IdSource, content: bytes, advice: str
) -> None:
    file = tmp_path / "hub.db"
    file.write_bytes(content)
    db = Database.open(f"sqlite:///{file}", clock=clock, ids=ids)
    with pytest.raises(ConfigurationError, match=rf"hub\.db cannot be used: .*{advice}"):
        db.migrate()
    assert file.read_bytes() == content


def test_a_database_server_that_is_not_there_is_named_without_its_password(clock: FakeClock, ids: IdSource) -> None:
    db = Database.open("postgresql://hub:hunter2@127.0.0.1:1/hub", clock=clock, ids=ids)
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:1/hub cannot be used: .*Check that it runs") as refused:
        db.migrate()
    assert "hunter2" not in str(refused.value)


def test_a_first_write_that_fails_is_a_sentence(db: Database) -> None:
    def fails(tx: Tx, commands: Sequence[str]) -> list[Done[None] | Refused]:
        tx.conn.exec_driver_sql(commands[0])
        return [Done(None)]

    with pytest.raises(ConfigurationError, match=r"The database .* cannot be used: .*Check that "):
        db.write_now(fails, "insert into hub_fact (name) values (null)")
