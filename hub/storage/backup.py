"""A copy of the database as it is at one instant, and the way back.

A restored database begins a new life: a new `hub_epoch`, so that cursors of before are recognised; every sequence a million
higher, so that no number that was given out after the backup is ever given again; and the fact `hold`, because texts
that wait in the backup may have been sent since (`hub.devices.hold` says when it ends).
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from hub.config import ConfigurationError
from hub.core.clock import UtcMs
from hub.core.ids import is_id
from hub.core.progress import Step, Tell, unheard
from hub.storage.connect import dialect_of, open_engine, sqlite_path
from hub.storage.facts import FactName, put_facts
from hub.storage.lock import FileLock
from hub.storage.migrate import is_known, known_revisions

SEQUENCE_STEP = 1_000_000
NEWER = "The backup was made by a newer version of the hub: restore it with that version."
SQLITE_MAGIC = b"SQLite format 3\x00"
PAGES_AT_ONCE = 4096
BYTES_AT_ONCE = 16 << 20
LOOK_EVERY_SECONDS = 0.5
COPYING = "Copying the database"
CHECKING = "Checking the copy"
READING = "Reading the backup"
TO_DISK = "Writing it to disk"
INTO_DATABASE = "Putting it into the database"


def back_up(url: str, target: Path, tell: Tell = unheard) -> None:
    """Copy the database into the new file `target`, while hubs run. Raises ConfigurationError when it cannot.

    The file appears under its name when it is whole and on disk. It holds every text and number: mode 0600.
    """
    if target.exists():
        raise ConfigurationError(f"{target} exists already: a backup overwrites nothing. Name another file.")
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        if dialect_of(url) == "sqlite":
            _copy_sqlite(sqlite_path(url), part, tell)
        else:
            written = _growing(COPYING, part, tell)
            _run_tool("pg_dump", ["--format=custom", f"--file={part}"], url, meanwhile=written)
        tell(Step(TO_DISK))
        _sync(part)
        part.rename(target)
        _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, source: Path, *, epoch: str, now: UtcMs, tell: Tell = unheard) -> Path | None:
    """Put a backup in place of the database, as a new life of the data named `epoch`, with sending held.

    No hub may run. Returns where the SQLite file of before is kept; a PostgreSQL database is overwritten. Raises
    ConfigurationError with nothing changed when the backup is not one, is of a newer program, or a hub runs.
    """
    if dialect_of(url) == "sqlite":
        return _restore_sqlite(sqlite_path(url), source, epoch, now, tell)
    _restore_postgresql(url, source, epoch, now, tell)
    return None


def _facts(epoch: str, now: UtcMs) -> dict[FactName, str]:
    if not is_id(epoch):
        raise ValueError(f"{epoch!r} is no id")
    return {"hub_epoch": epoch, "hold": "restored", "restored_at": str(now)}


# --- SQLite --------------------------------------------------------------------------------------------------------------


def _copy_sqlite(source: Path, target: Path, tell: Tell) -> None:
    """SQLite's online backup, beside the writer. https://www.sqlite.org/backup.html

    One snapshot is held over all its steps: without it, whatever is written between two of them would begin the copy anew.
    """
    if not source.exists():
        raise ConfigurationError(f"There is no database at {source}.")
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        (page_bytes,) = live.execute("pragma page_size").fetchone()
        live.execute("begin")
        live.execute("select count(*) from sqlite_master").fetchone()  # the first look is what takes the snapshot

        def copied(_status: int, remaining: int, total: int) -> None:
            tell(Step(COPYING, (total - remaining) * page_bytes, total * page_bytes, "bytes"))

        live.backup(copy, pages=PAGES_AT_ONCE, progress=copied)
        live.rollback()
        tell(Step(CHECKING))
        copy.execute("pragma journal_mode = delete")
        (verdict,) = copy.execute("pragma quick_check(1)").fetchone()
    if verdict != "ok":
        raise ConfigurationError(f"The copy is damaged, so the database may be: {verdict}")


def _restore_sqlite(database: Path, source: Path, epoch: str, now: UtcMs, tell: Tell) -> Path | None:
    _require_sqlite_file(source)
    lock = FileLock(database)
    lock.acquire()
    try:
        fresh = database.with_name(database.name + ".restoring")
        fresh.unlink(missing_ok=True)
        try:
            _copy_file(source, fresh, tell)
            tell(Step(TO_DISK))
            _begin_in_file(fresh, epoch, now)
            return _swap(database, fresh, now)
        finally:
            for path in (fresh, *_side_files(fresh)):
                path.unlink(missing_ok=True)
    finally:
        lock.release()


def _require_sqlite_file(source: Path) -> None:
    try:
        with source.open("rb") as file:
            is_database = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror}.") from error
    if not is_database:
        raise ConfigurationError(f"{source} is no backup of a hub on SQLite.")


def _copy_file(source: Path, target: Path, tell: Tell) -> None:
    """Into a new file that only its owner reads."""
    total = source.stat().st_size
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with source.open("rb") as there, open(descriptor, "wb") as here:
        while piece := there.read(BYTES_AT_ONCE):
            here.write(piece)
            tell(Step(READING, here.tell(), total, "bytes"))


def _begin_in_file(path: Path, epoch: str, now: UtcMs) -> None:
    engine = open_engine(f"sqlite:///{path}", "write")
    with engine.connect() as connection, connection.begin():
        if not is_known(connection):
            raise ConfigurationError(NEWER)
        put_facts(connection, _facts(epoch, now))
        _raise_sqlite_sequences(connection)
    engine.dispose()
    with closing(sqlite3.connect(path)) as file:  # all of it in the file itself, before it gets its name
        file.execute("pragma journal_mode = delete")
    _sync(path)


def _swap(database: Path, fresh: Path, now: UtcMs) -> Path | None:
    """Move the old file and its log aside and the new one into its place; a crash between the two leaves both on disk."""
    kept = database.with_name(f"{database.name}.before-restore-{now}")
    was_there = database.exists()
    for old, aside in zip((database, *_side_files(database)), (kept, *_side_files(kept)), strict=True):
        if old.exists():
            old.rename(aside)
    fresh.rename(database)
    _sync(database.parent)
    return kept if was_there else None


def _side_files(database: Path) -> tuple[Path, Path]:
    return database.with_name(database.name + "-wal"), database.with_name(database.name + "-shm")


def _raise_sqlite_sequences(connection: Connection) -> None:
    numbered = connection.exec_driver_sql("select name from sqlite_master where sql like '%autoincrement%'").scalars()
    for table in list(numbered):
        changed = connection.exec_driver_sql(
            "update sqlite_sequence set seq = seq + ? where name = ?", (SEQUENCE_STEP, table)
        )
        if not changed.rowcount:
            connection.exec_driver_sql("insert into sqlite_sequence (name, seq) values (?, ?)", (table, SEQUENCE_STEP))


# --- PostgreSQL ----------------------------------------------------------------------------------------------------------


# The dump empties the search path for its session. Transaction numbers of the old server mean nothing on this one, and may
# be higher than any it has seen.
_NEW_LIFE = """reset search_path;
do $$ begin
  if not exists (select from alembic_version where version_num in ({known})) then raise exception '{newer}'; end if;
end $$;
insert into hub_fact (name, value) values {facts} on conflict (name) do update set value = excluded.value;
select setval(format('%I.%I', schemaname, sequencename)::regclass, coalesce(last_value, 0) + {step})
  from pg_sequences where schemaname = current_schema();
update wh_event set txid = 0;
"""


def _restore_postgresql(url: str, source: Path, epoch: str, now: UtcMs, tell: Tell) -> None:
    """One transaction: nobody ever finds the restored data without its hold."""
    _require_no_hub(url)
    facts = ", ".join(f"('{name}', '{value}')" for name, value in _facts(epoch, now).items())
    known = ", ".join(f"'{revision}'" for revision in sorted(known_revisions()))
    with tempfile.TemporaryDirectory() as directory:
        dump, new_life = Path(directory) / "dump.sql", Path(directory) / "new_life.sql"
        unpack = ["--clean", "--if-exists", "--no-owner", f"--file={dump}", str(source)]
        _run_tool("pg_restore", unpack, meanwhile=_growing(READING, dump, tell))
        new_life.write_text(_NEW_LIFE.format(known=known, newer=NEWER, facts=facts, step=SEQUENCE_STEP))
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]
        tell(Step(INTO_DATABASE))
        _run_tool("psql", [*options, f"--file={dump}", f"--file={new_life}"], url)


def _require_no_hub(url: str) -> None:
    running = text(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and application_name like 'handset-hub %'"
    )
    engine = open_engine(url, "read")
    with engine.connect() as connection:
        connections = connection.execute(running).scalar_one()
    engine.dispose()
    if connections:
        raise ConfigurationError(f"A hub is using this database ({connections} connections): stop every hub first.")


def _growing(what: str, file: Path, tell: Tell) -> Callable[[], None]:
    """Tells how large a file is by now; PostgreSQL's programs do not say how far they are."""

    def look() -> None:
        tell(Step(what, file.stat().st_size if file.exists() else 0, unit="bytes"))

    look()
    return look


def _run_tool(
    program: str, options: Sequence[str], url: str | None = None, *, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Run one of PostgreSQL's own programs; the password goes by its environment, where `ps` does not show it."""
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(f"{program} is not installed: it comes with PostgreSQL's client programs.")
    target = make_url(url).set(drivername="postgresql") if url else None
    address = [f"--dbname={target.set(password=None).render_as_string()}"] if target is not None else []
    password = {"PGPASSWORD": str(target.password)} if target is not None and target.password else {}
    command = [found, *address, *options]
    with subprocess.Popen(
        command, env=os.environ | password, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            complaint = _wait(running, meanwhile)
        except BaseException:
            running.kill()
            raise
    if running.returncode:
        raise ConfigurationError(f"{program} failed: {complaint.strip() or running.returncode}")


def _wait(running: subprocess.Popen[str], meanwhile: Callable[[], None]) -> str:
    """Until the program has ended; returns what it said on standard error."""
    while True:
        try:
            return running.communicate(timeout=LOOK_EVERY_SECONDS)[1]
        except subprocess.TimeoutExpired:
            meanwhile()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
