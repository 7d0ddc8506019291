"""Databases for tests: a SQLite file copied from a template, or a PostgreSQL database cloned from one.

PostgreSQL is the server of HUB_TEST_POSTGRESQL_URL, or a throw-away cluster made with the binaries of the Debian packages,
on a unix socket in a temporary directory, without fsync. `HUB_TEST_REQUIRE=postgresql` turns "skipped, because there is
none" into a failure.
"""

import ctypes
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.engine import make_url

from hub.storage.database import Database
from hub.storage.migrate import migrate

SERVER_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "listen_addresses": "",
    "log_min_messages": "fatal",
}


def missing(what: str, why: str) -> None:
    """Skip the test, or fail it where `HUB_TEST_REQUIRE` names `what`."""
    if what in os.environ.get("HUB_TEST_REQUIRE", "").split(","):
        pytest.fail(f"HUB_TEST_REQUIRE asks for {what}: {why}", pytrace=False)
    pytest.skip(f"{what}: {why}")


def server_binaries() -> Path | None:
    """The newest directory of PostgreSQL server binaries, if there is one."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    return Path(found[-1]).parent if found else None


@contextmanager
def throw_away_cluster(binaries: Path, settings: Mapping[str, str] = SERVER_SETTINGS) -> Iterator[str]:
    """Start a PostgreSQL server of our own; yields the URL of its `postgres` database."""
    user = "postgres" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    if user is not None:
        owner = pwd.getpwnam(user)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    data = directory / "data"
    run_as: dict[str, Any] = {"cwd": directory}
    if user is not None:
        run_as |= {"user": user, "group": owner.pw_gid, "extra_groups": []}
    try:
        initdb = [str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        initdb += ["--no-locale", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, **run_as)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", directory, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
            **run_as,
        )
        try:
            url = f"postgresql://postgres@/postgres?host={directory}"
            _wait_until_up(url, server)
            yield url
        finally:
            server.send_signal(signal.SIGQUIT)  # PostgreSQL's immediate shutdown
            server.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _end_with_parent() -> None:
    """In the child, before it becomes the server: a test run that is killed leaves no server behind (prctl(2), Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _wait_until_up(url: str, server: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)


class PostgresqlDatabases:
    """Clones of a migrated template on one server."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._made = 0
        self._prefix = f"hub_test_{os.getpid()}"
        self._template = f"{self._prefix}_template"
        self._admin("drop database if exists {} with (force)", self._template)
        self._admin("create database {}", self._template)
        migrate(self._url(self._template))

    def create(self, *, migrated: bool = True) -> str:
        """A new database's URL; empty unless `migrated`."""
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        if migrated:
            self._admin("create database {} template {}", name, self._template)
        else:
            self._admin("create database {}", name)
        return self._url(name)

    def drop(self, url: str) -> None:
        name = make_url(url).database
        assert name is not None
        self._admin("drop database if exists {} with (force)", name)

    def close(self) -> None:
        self._admin("drop database if exists {} with (force)", self._template)

    def _url(self, database: str) -> str:
        return make_url(self._server_url).set(database=database).render_as_string(hide_password=False)

    def _admin(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


def refuse_nul(database: Database) -> None:
    """Make SQLite refuse NUL in text as PostgreSQL does, so that a forgotten `sanitise` fails on both."""
    if database.dialect == "sqlite":
        event.listen(database.write_engine, "before_cursor_execute", _look_for_nul)


def _look_for_nul(_conn: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, executemany: bool) -> None:
    rows: Sequence[Any] = parameters if executemany else [parameters]
    for row in rows:
        for value in row.values() if isinstance(row, dict) else row:
            if isinstance(value, str) and "\x00" in value:
                raise ValueError("text holds NUL: sanitise it where it enters the hub")
