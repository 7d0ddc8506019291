"""What every test may ask for: a database of each kind, a clock that stands still, ids that repeat."""

import logging
import os
import shutil
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing
from hypothesis import HealthCheck, settings

from hub.core.ids import IdSource
from hub.storage.database import Database
from hub.storage.migrate import migrate
from tests.databases import PostgresqlDatabases, missing, refuse_nul, server_binaries, throw_away_cluster
from tests.fakes import FakeClock, seeded_bytes

for _name in [name for name in os.environ if name.startswith("HUB_") and not name.startswith("HUB_TEST_")]:
    del os.environ[_name]


# How long an example takes says how busy the machine is. Where CI is set, hypothesis' own profile for it finds the same examples each time.
settings.register_profile(
    "steady",
    settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

# One line a message, and only warnings: structlog's default draws in colour, for a console nobody reads, every traceback with all
# its variables, which costs more than what is tested.
structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the hub does."""
    return "asyncio"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "hub.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_databases() -> Iterator[PostgresqlDatabases]:
    """The PostgreSQL server of this test run."""
    url = os.environ.get("HUB_TEST_POSTGRESQL_URL")
    binaries = server_binaries()
    if url:
        databases = PostgresqlDatabases(url)
        yield databases
        databases.close()
    elif binaries:
        with throw_away_cluster(binaries) as own_url:
            yield PostgresqlDatabases(own_url)
    else:
        missing("postgresql", "set HUB_TEST_POSTGRESQL_URL, or install the postgresql package")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    path = tmp_path / "hub.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_databases: PostgresqlDatabases) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own."""
    url = postgresql_databases.create()
    yield url
    postgresql_databases.drop(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test on both databases."""
    url = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when the test says so."""
    return FakeClock()


@pytest.fixture
def ids() -> IdSource:
    """Ids that are the same in every run."""
    return IdSource(0, seeded_bytes(1).randbytes)


@pytest.fixture
def db(database_url: str, clock: FakeClock, ids: IdSource) -> Iterator[Database]:
    """An open, migrated database; on SQLite it refuses NUL in text as PostgreSQL does."""
    database = Database.open(database_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    refuse_nul(database)
    yield database
    database.close()


@pytest.fixture
def every_log_line() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged while the test runs, down to the finest level."""
    quiet = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    try:
        with structlog.testing.capture_logs() as lines:
            yield lines
    finally:
        structlog.configure(wrapper_class=quiet)
