"""In this folder PostgreSQL is waited for with a limit: who waits for an answer that never comes fails, and holds up nobody."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

LIMIT_SECONDS = 30.0
"""The slowest of these tests takes one."""
BETWEEN_CUTS_SECONDS = 1.0
"""Who is cut may try again and wait again."""


@pytest.fixture
def postgresql_url(postgresql_url: str) -> Iterator[str]:
    """This test's own database. All its connections are cut when the test has not ended within the limit."""
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(postgresql_url, ended), daemon=True)
    watch.start()
    yield postgresql_url
    ended.set()
    watch.join()


def _watch(url: str, ended: threading.Event) -> None:
    if ended.wait(LIMIT_SECONDS):
        return
    with psycopg.connect(url, autocommit=True) as own:
        while not ended.wait(BETWEEN_CUTS_SECONDS):
            own.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
