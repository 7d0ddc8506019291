"""Processes that the checks share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import PostgresqlDatabases
from tests.integration.webhooks.processes import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks hub processes that can be killed."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def second_database_url(
    request: pytest.FixtureRequest, database_url: str, sqlite_template: Path, tmp_path: Path
) -> Iterator[str]:
    """Another migrated database of the same kind."""
    if database_url.startswith("sqlite"):
        shutil.copyfile(sqlite_template, tmp_path / "second.db")
        yield f"sqlite:///{tmp_path / 'second.db'}"
        return
    databases: PostgresqlDatabases = request.getfixturevalue("postgresql_databases")
    url = databases.create()
    yield url
    databases.drop(url)
