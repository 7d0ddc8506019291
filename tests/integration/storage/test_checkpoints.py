"""The write-ahead log is moved by the timer, and begun anew by the writer when it has grown long all the same."""

from pathlib import Path

import pytest

from hub.core.ids import IdSource
from hub.storage import checkpoints
from hub.storage.batch import BatchRunner
from hub.storage.checkpoints import Checkpoints
from hub.storage.connect import open_engine
from hub.storage.database import Database
from tests.fakes import FakeClock


@pytest.fixture
def log_file(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 3600.0)
    return Path(sqlite_url.removeprefix("sqlite:///") + "-wal")


def _grow(db: Database) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("create table if not exists padding (x)")
        connection.exec_driver_sql("insert into padding values (zeroblob(3000000))")


@pytest.fixture
def made(sqlite_url: str, log_file: Path) -> Checkpoints:
    return Checkpoints(open_engine(sqlite_url, "checkpoint"), log_file.with_name("hub.db"))


def test_the_timer_moves_the_log_and_leaves_a_long_one_to_the_writer(
    sqlite_url: str, log_file: Path, clock: FakeClock, ids: IdSource, made: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = Database.open(sqlite_url, clock=clock, ids=ids)
    runner = BatchRunner(db.write_engine, db.dialect, clock, ids, 1)
    database = log_file.with_name("hub.db")
    small = database.stat().st_size
    _grow(db)
    assert log_file.stat().st_size > 3_000_000
    assert database.stat().st_size == small, "no commit moved it"
    with open_engine(sqlite_url, "checkpoint").connect() as connection:
        made.look(connection)
        assert database.stat().st_size > 3_000_000
        made.between_batches(runner)
        assert log_file.stat().st_size > 3_000_000, "a short log is left for the next commits to write over"
        _grow(db)
        monkeypatch.setattr(checkpoints, "LONG_BYTES", 1_000_000)
        made.look(connection)
        length = log_file.stat().st_size
        made.between_batches(runner)
        _grow(db)
        assert log_file.stat().st_size == length, "it is written over from its start"
    runner.disconnect()
    made.close()
    db.close()


def test_closing_leaves_everything_in_the_file_itself(
    sqlite_url: str, log_file: Path, clock: FakeClock, ids: IdSource
) -> None:
    db = Database.open(sqlite_url, clock=clock, ids=ids)
    _grow(db)
    db.close()
    assert not log_file.exists() or log_file.stat().st_size == 0


def test_a_checkpoint_that_cannot_be_taken_stops_nothing(
    sqlite_url: str, log_file: Path, clock: FakeClock, ids: IdSource, made: Checkpoints
) -> None:
    db = Database.open(sqlite_url, clock=clock, ids=ids)
    _grow(db)
    with open_engine(sqlite_url, "checkpoint").connect() as connection, connection.begin():
        connection.exec_driver_sql("select 1 from padding")
        made.look(connection)  # SQLite: database table is locked
    made.close()
    db.close()
