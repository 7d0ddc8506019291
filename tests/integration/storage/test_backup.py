"""A backup is one instant of a living database; a restored one is a new life with sending held."""

import asyncio
import re
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from hub.config import ConfigurationError
from hub.core.ids import IdSource, first_id_at
from hub.core.progress import Step
from hub.storage.backup import SEQUENCE_STEP, back_up, restore
from hub.storage.connect import dialect_of, open_engine
from hub.storage.database import Database
from hub.storage.facts import find_fact, put_facts
from hub.storage.schema import METADATA
from hub.storage.transaction import Done, Refused, Tx
from tests.databases import PostgresqlDatabases
from tests.fakes import START_MS, FakeClock
from tests.integration.storage import counters
from tests.integration.storage.counters import Add, add
from tests.integration.storage.rows import insert, row_at

pytestmark = pytest.mark.anyio

EPOCH = first_id_at(START_MS)


@pytest.fixture
def new_home(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the same kind."""
    if dialect_of(database_url) == "sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere' / 'hub.db'}"
        return
    databases: PostgresqlDatabases = request.getfixturevalue("postgresql_databases")
    url = databases.create(migrated=False)
    yield url
    databases.drop(url)


def _insert_event(conn: Connection, id_: str) -> int:
    event = METADATA.tables["wh_event"]
    row = {name: value for name, value in row_at(event, START_MS, 1, id=id_).items() if name not in ("seq", "txid")}
    conn.execute(event.insert(), [row])
    return int(conn.execute(text("select seq from wh_event where id = :id"), {"id": id_}).scalar_one())


async def test_a_backup_of_a_busy_database_is_one_instant_of_it(
    db: Database, database_url: str, new_home: str, tmp_path: Path, clock: FakeClock, ids: IdSource
) -> None:
    counters.create(db.write_engine)
    stop = asyncio.Event()

    async def transfer() -> None:
        while not stop.is_set():
            await asyncio.gather(db.writer.submit(_both, 1, "both"), db.writer.submit(_both, 2, "both"))

    busy = asyncio.create_task(transfer())
    await db.writer.submit(_both, 1, "both")
    target = tmp_path / "safe" / "hub.backup"
    await asyncio.to_thread(back_up, database_url, target)
    stop.set()
    await busy
    db.close()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    restore(new_home, target, epoch=EPOCH, now=START_MS)
    copy = Database.open(new_home, clock=clock, ids=ids)
    copy.migrate()
    values = copy.read_now(counters.values)
    copy.close()
    assert values["left"][0] == values["right"][0] > 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_in_many_steps_is_one_instant_and_tells_how_far_it_is(
    db: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.storage.backup.PAGES_AT_ONCE", 1)
    counters.create(db.write_engine)
    told: list[Step] = []

    def write_meanwhile(step: Step) -> None:
        told.append(step)
        if step.what == "Copying the database" and len(told) <= 20:
            with db.write_engine.connect() as connection, connection.begin():
                insert(connection, "hub_fact", {"name": f"written {len(told)}", "value": "x" * 5000})

    target = tmp_path / "hub.backup"
    back_up(database_url, target, write_meanwhile)
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("select count(*) from hub_fact where name like 'written%'").fetchone() == (0,)
    size = target.stat().st_size
    copying = [step for step in told if step.what == "Copying the database"]
    assert [step.done for step in copying] == list(range(4096, size + 1, 4096)), "each page once, to the last"
    assert {(step.total, step.unit) for step in copying} == {(size, "bytes")}
    assert [step.what for step in told[len(copying) :]] == ["Checking the copy", "Writing it to disk"]


def test_a_backup_and_a_restore_tell_their_steps(
    db: Database, database_url: str, new_home: str, tmp_path: Path
) -> None:
    told: list[Step] = []
    back_up(database_url, tmp_path / "hub.backup", told.append)
    db.close()
    restore(new_home, tmp_path / "hub.backup", epoch=EPOCH, now=START_MS, tell=told.append)
    steps = list(dict.fromkeys(step.what for step in told))
    if dialect_of(database_url) == "sqlite":
        assert steps == ["Copying the database", "Checking the copy", "Writing it to disk", "Reading the backup"]
        (read,) = [step for step in told if step.what == "Reading the backup"]
        assert read.done == read.total == (tmp_path / "hub.backup").stat().st_size
    else:
        assert steps == [
            "Copying the database",
            "Writing it to disk",
            "Reading the backup",
            "Putting it into the database",
        ]


def test_a_backup_that_is_stopped_leaves_nothing(db: Database, database_url: str, tmp_path: Path) -> None:
    def stop(step: Step) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        back_up(database_url, tmp_path / "safe" / "hub.backup", stop)
    assert list((tmp_path / "safe").iterdir()) == []


def _both(tx: Tx, commands: Sequence[int]) -> list[Done[int] | Refused]:
    """Moves two counters in one transaction, in two statements."""
    return [add(tx, [Add(name, amount) for amount in commands]) for name in ("left", "right")][1]


async def test_a_restored_database_is_a_new_life_with_sending_held(
    db: Database, database_url: str, new_home: str, tmp_path: Path, clock: FakeClock, ids: IdSource
) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        put_facts(connection, {"hub_epoch": first_id_at(1)})
        last_seq = _insert_event(connection, "before")
    back_up(database_url, tmp_path / "hub.backup")
    db.close()
    assert restore(new_home, tmp_path / "hub.backup", epoch=EPOCH, now=START_MS) is None
    again = Database.open(new_home, clock=clock, ids=ids)
    again.migrate()
    assert again.read_now(find_fact, "hub_epoch") == EPOCH
    assert again.read_now(find_fact, "hold")
    assert again.read_now(find_fact, "restored_at") == str(START_MS)
    with again.write_engine.connect() as connection, connection.begin():
        assert _insert_event(connection, "after") > last_seq + SEQUENCE_STEP
        txids = {row.id: row.txid for row in connection.execute(text("select id, txid from wh_event"))}
    again.close()
    if dialect_of(new_home) == "postgresql":
        assert txids["before"] == 0, "a number of another server would hide it from feeds"
        assert txids["after"] > 0


async def test_numbers_never_given_out_are_raised_too(
    db: Database, database_url: str, new_home: str, tmp_path: Path, clock: FakeClock, ids: IdSource
) -> None:
    back_up(database_url, tmp_path / "hub.backup")
    db.close()
    restore(new_home, tmp_path / "hub.backup", epoch=EPOCH, now=START_MS)
    again = Database.open(new_home, clock=clock, ids=ids)
    with again.write_engine.connect() as connection, connection.begin():
        assert _insert_event(connection, "first") > SEQUENCE_STEP
    again.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_restoring_keeps_the_file_of_before(db: Database, database_url: str, tmp_path: Path) -> None:
    back_up(database_url, tmp_path / "hub.backup")
    with db.write_engine.connect() as connection, connection.begin():
        insert(connection, "hub_fact", {"name": "only in the old one", "value": "x"})
    db.close()
    kept = restore(database_url, tmp_path / "hub.backup", epoch=EPOCH, now=START_MS)
    assert kept is not None
    with closing(sqlite3.connect(kept)) as old:
        assert old.execute("select count(*) from hub_fact where name like 'only%'").fetchone() == (1,)


def test_nothing_is_restored_under_a_running_hub(db: Database, database_url: str, tmp_path: Path) -> None:
    back_up(database_url, tmp_path / "hub.backup")
    db.read_now(find_fact, "hold")
    with pytest.raises(ConfigurationError, match=r"in use|is using this database"):
        restore(database_url, tmp_path / "hub.backup", epoch=EPOCH, now=START_MS)
    assert db.read_now(find_fact, "hold") is None


def test_what_is_no_backup_changes_nothing(db: Database, database_url: str, tmp_path: Path) -> None:
    db.close()
    (tmp_path / "letter.txt").write_text("Dear hub")
    for source in (tmp_path / "letter.txt", tmp_path / "missing"):
        with pytest.raises(ConfigurationError):
            restore(database_url, source, epoch=EPOCH, now=START_MS)
    with open_engine(database_url, "read").connect() as connection:
        assert find_fact(connection, "hold") is None


def test_a_backup_of_a_newer_program_changes_nothing(db: Database, database_url: str, tmp_path: Path) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        connection.execute(text("update alembic_version set version_num = '9999'"))
    back_up(database_url, tmp_path / "hub.backup")
    with db.write_engine.connect() as connection, connection.begin():
        connection.execute(text("update alembic_version set version_num = '0001'"))
    db.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        restore(database_url, tmp_path / "hub.backup", epoch=EPOCH, now=START_MS)
    with open_engine(database_url, "read").connect() as connection:
        assert find_fact(connection, "hold") is None
        assert connection.execute(text("select version_num from alembic_version")).scalar_one() == "0001"
    assert not list(tmp_path.glob("*.restoring*"))


def test_a_backup_overwrites_nothing(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "hub.backup").write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        back_up(sqlite_url, tmp_path / "hub.backup")
    assert (tmp_path / "hub.backup").read_text() == "mine"


@pytest.mark.postgresql
def test_a_missing_tool_is_named(postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    with pytest.raises(ConfigurationError, match=re.escape("pg_dump is not installed")):
        back_up(postgresql_url, tmp_path / "hub.backup")
    assert not list(tmp_path.iterdir())
