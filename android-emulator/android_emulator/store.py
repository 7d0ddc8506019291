"""The phone's durable memory: jobs, numbered events and counters in SQLite; its secret apart, in what stands for the keystore.

    phone.db            jobs, events, counters, settings     a backup, or a careless copy, takes this file
    phone.db.keystore   the key the file is bound to, the secret, the token nonce     never leaves the phone

A step of the protocol is one transaction with full sync: after `commit` returns, `kill -9` loses nothing. Reads are answered from memory,
loaded when the store is opened. `VolatileStore` keeps all of it in memory, for thousands of phones in one process.
"""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from device_protocol.phone_store import (
    DeleteJob,
    MemoryPhoneStore,
    PhoneFacts,
    PhoneJob,
    PhoneStore,
    PutEvent,
    PutFacts,
    PutJob,
    StoredEvent,
    Write,
)

_T = TypeVar("_T")


class Enrolment(msgspec.Struct, frozen=True):
    """What proves this phone to its hub. Without `device_id` it is under way: the same token and secret are tried again."""

    hub_url: str
    pins: tuple[str, ...]
    secret: str
    token: str
    device_id: str | None = None
    nonce: str | None = None
    previous_secret: str | None = None


class Settings(msgspec.Struct, frozen=True):
    """What the phone keeps besides the protocol's own rows."""

    hub_ahead_ms: int = 0
    """The hub's clock minus the phone's wall clock, when it was last heard."""
    segments_per_minute: int | None = None
    is_paused: bool = False
    reports_missed_calls: bool = True
    status_seconds: int = 900


class Store(PhoneStore, Protocol):
    """What the emulated phone asks of its memory."""

    @property
    def is_own(self) -> bool:
        """Whether the keystore key this memory is bound to is in this phone."""
        ...

    def commit(self, writes: Iterable[Write]) -> None:
        """Carry out one step's writes, durably, before returning."""
        ...

    def bind(self) -> None:
        """Bind this memory to the key of this phone: what it held of another one has been dealt with."""
        ...

    def enrolment(self) -> Enrolment | None: ...

    def keep_enrolment(self, enrolment: Enrolment) -> None: ...

    def settings(self) -> Settings: ...

    def keep_settings(self, settings: Settings) -> None: ...

    def close(self) -> None: ...


class VolatileStore(MemoryPhoneStore):
    """A phone's memory that ends with the process; `copy` plays backups and clones."""

    def __init__(self, facts: PhoneFacts | None = None) -> None:
        super().__init__(facts or new_facts())
        self._enrolment: Enrolment | None = None
        self._settings = Settings()
        self.is_own = True

    def commit(self, writes: Iterable[Write]) -> None:
        self.apply(writes)

    def bind(self) -> None:
        self.is_own = True

    def enrolment(self) -> Enrolment | None:
        return self._enrolment

    def keep_enrolment(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment

    def settings(self) -> Settings:
        return self._settings

    def keep_settings(self, settings: Settings) -> None:
        self._settings = settings

    def close(self) -> None:
        """Nothing to close."""

    def copy(self, *, with_keystore: bool) -> "VolatileStore":
        """The memory as it is now; without the keystore, the copy is bound to a key its phone does not have."""
        copy = VolatileStore(self.facts())
        copy.apply(PutJob(job) for job in self._jobs.values())
        copy.apply(PutEvent(event) for event in self._events)
        copy._settings = self._settings
        copy._enrolment = self._enrolment if with_keystore else None
        copy.is_own = with_keystore
        return copy


class DurableStore(MemoryPhoneStore):
    """A phone's memory in one SQLite file, with its keystore beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = _open(path)
        facts = self._load_facts()
        super().__init__(facts)
        self.apply(PutEvent(event) for event in self._load_events())
        self.apply(PutJob(job) for job in self._load_jobs())
        self._keystore = _Keystore(keystore_path(path))

    def commit(self, writes: Iterable[Write]) -> None:
        writes = tuple(writes)
        self._db.execute("BEGIN IMMEDIATE")
        for write in writes:
            self._execute(write)
        self._db.execute("COMMIT")
        self.apply(writes)

    @property
    def is_own(self) -> bool:
        return self._note("bound_to", str) in (None, self._keystore.key)

    def bind(self) -> None:
        self._put_note("bound_to", self._keystore.key)

    def enrolment(self) -> Enrolment | None:
        return self._keystore.enrolment

    def keep_enrolment(self, enrolment: Enrolment) -> None:
        self._keystore.keep(enrolment)

    def settings(self) -> Settings:
        return self._note("settings", Settings) or Settings()

    def keep_settings(self, settings: Settings) -> None:
        self._put_note("settings", settings)

    def close(self) -> None:
        self._db.close()

    def copy_to(self, target: Path, *, with_keystore: bool) -> None:
        """Copy the memory as it is now into another file, replacing what is there: a backup, or a clone with the keystore too."""
        copy_phone(self.path, target, with_keystore=with_keystore)

    # --- rows

    def _load_facts(self) -> PhoneFacts:
        row = self._db.execute("SELECT record FROM facts").fetchone()
        if row is not None:
            return msgspec.json.decode(row[0], type=PhoneFacts)
        facts = new_facts()
        self._db.execute("INSERT INTO facts (one, record) VALUES (1, ?)", (msgspec.json.encode(facts),))
        return facts

    def _load_jobs(self) -> list[PhoneJob]:
        rows = self._db.execute("SELECT record FROM job ORDER BY position")
        return [msgspec.json.decode(record, type=PhoneJob) for (record,) in rows]

    def _load_events(self) -> list[StoredEvent]:
        return [StoredEvent(*row) for row in self._db.execute("SELECT * FROM event ORDER BY number")]

    def _execute(self, write: Write) -> None:
        if isinstance(write, PutFacts):
            self._db.execute("UPDATE facts SET record = ?", (msgspec.json.encode(write.facts),))
        elif isinstance(write, PutJob):
            self._db.execute(_PUT_JOB, (write.job.id, msgspec.json.encode(write.job)))
        elif isinstance(write, DeleteJob):
            self._db.execute("DELETE FROM job WHERE id = ?", (write.id,))
        elif isinstance(write, PutEvent):
            event = write.event
            row = (event.number, event.uuid, event.event_type, event.at, event.payload)
            self._db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", row)
        else:
            self._db.execute("DELETE FROM event WHERE number < ?", (write.number,))

    def _note(self, name: str, kind: type[_T]) -> _T | None:
        row = self._db.execute("SELECT record FROM note WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=kind)

    def _put_note(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, msgspec.json.encode(value)))


class _Keystore:
    """The file that stands for Android's keystore; replaced whole, so that a kill leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            self._write(_Sealed(secrets.token_hex(16)))
        self._sealed = msgspec.json.decode(path.read_bytes(), type=_Sealed)

    @property
    def key(self) -> str:
        return self._sealed.key

    @property
    def enrolment(self) -> Enrolment | None:
        return self._sealed.enrolment

    def keep(self, enrolment: Enrolment) -> None:
        self._sealed = _Sealed(self._sealed.key, enrolment)
        self._write(self._sealed)

    def _write(self, sealed: "_Sealed") -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(sealed))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


class _Sealed(msgspec.Struct, frozen=True):
    key: str
    enrolment: Enrolment | None = None


def new_facts() -> PhoneFacts:
    """The single row of a memory that begins: a random stream id, nothing said yet."""
    return PhoneFacts(stream=new_id())


def new_id() -> str:
    """An opaque id of 128 random bits."""
    return secrets.token_hex(16)


def keystore_path(path: Path) -> Path:
    return path.with_name(path.name + ".keystore")


def copy_phone(source: Path, target: Path, *, with_keystore: bool) -> None:
    """Copy a phone's memory into another file, replacing what is there. The source may be in use, the target may not.

    Without the keystore it is a backup put into a phone (its own, or another one); with it, two phones are the same phone.
    """
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    reading.backup(writing)
    writing.close()
    reading.close()
    if with_keystore:
        shutil.copyfile(keystore_path(source), keystore_path(target))


def jump_numbers(store: Store, by: int) -> None:
    """Skip event numbers, as a phone whose log lost rows would: the hub has to ask for them and be told they are gone."""
    facts = store.facts()
    store.commit([PutFacts(replace(facts, next_number=facts.next_number + by))])


_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (one INTEGER PRIMARY KEY CHECK (one = 1), record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS job (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, uuid TEXT NOT NULL, event_type TEXT NOT NULL, at INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, record BLOB NOT NULL);
"""

_PUT_JOB: Final = "INSERT INTO job (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record"


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.executescript(_SCHEMA)
    return db
