"""A COMMIT whose answer is lost neither loses a command nor applies it twice; a database that is away is said to be away."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from hub.core.errors import HubError
from hub.core.ids import IdSource
from hub.storage.database import Database
from hub.storage.transaction import Done, Refused, Tx
from tests.fakes import FakeClock
from tests.integration.storage import counters
from tests.integration.storage.counters import Add, add
from tests.integration.storage.postgresql_proxy import Link, PostgresqlProxy, Rule, is_commit

pytestmark = [pytest.mark.anyio, pytest.mark.postgresql]

Made = tuple[PostgresqlProxy, Database]
KEY = "counter:a"


@pytest.fixture
def behind_proxy(
    postgresql_url: str, tmp_path: Path, clock: FakeClock, ids: IdSource
) -> Iterator[Callable[[Rule], Made]]:
    made: list[Made] = []

    def make(rule: Rule) -> Made:
        proxy = PostgresqlProxy(postgresql_url, tmp_path, lambda _link, _data: True)
        database = Database.open(proxy.url, clock=clock, ids=ids, patience_seconds=5)
        counters.create(database.write_engine)
        proxy.rule = rule
        made.append((proxy, database))
        return proxy, database

    yield make
    for proxy, database in made:
        database.close()
        proxy.close()


class AtFirstCommit:
    """Does something once, when the first COMMIT passes by."""

    def __init__(self, act: Callable[[Link], bool]) -> None:
        self._act = act
        self.acted = 0

    def __call__(self, link: Link, data: bytes) -> bool:
        if is_commit(data) and not self.acted:
            self.acted += 1
            return self._act(link)
        return True


def _cut_before(link: Link) -> bool:
    link.cut()
    return False


def _cut_after(link: Link) -> bool:
    link.cut_client()
    return True


@pytest.mark.parametrize("fault", [_cut_before, _cut_after])
async def test_a_connection_cut_at_commit_applies_the_batch_exactly_once(
    behind_proxy: Callable[[Rule], Made], fault: Callable[[Link], bool]
) -> None:
    rule = AtFirstCommit(fault)
    _, db = behind_proxy(rule)
    assert await db.writer.submit(add, Add("a", 2), KEY) == 2
    assert rule.acted == 1
    assert await db.read(counters.values) == {"a": (2, "+")}
    assert await db.writer.submit(add, Add("a", 3), KEY) == 5


async def test_a_backend_killed_at_commit_applies_the_batch_exactly_once(
    behind_proxy: Callable[[Rule], Made], postgresql_url: str
) -> None:
    def kill(_link: Link) -> bool:
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'handset-hub write'"
            )
        return True

    rule = AtFirstCommit(kill)
    _, db = behind_proxy(rule)
    assert await db.writer.submit(add, Add("a", 2), KEY) == 2
    assert rule.acted == 1
    assert await db.read(counters.values) == {"a": (2, "+")}


async def test_a_commit_that_is_still_on_its_way_is_waited_for(
    behind_proxy: Callable[[Rule], Made], postgresql_url: str
) -> None:
    """The worst case: the hub's connection is gone, the old backend has not yet seen the COMMIT, and will obey it."""
    late: list[tuple[Link, bytes]] = []
    waited = threading.Event()

    def rule(link: Link, data: bytes) -> bool:
        if is_commit(data) and not late:
            late.append((link, data))
            link.cut_client()
            return False
        if b"insert into write_batch" in data and late and not waited.is_set():
            waited.set()
            threading.Thread(target=_obey_when_blocked, args=(postgresql_url, *late[0])).start()
        return True

    _, db = behind_proxy(rule)
    assert await db.writer.submit(add, Add("a", 2), KEY) == 2
    assert waited.is_set()
    assert await db.read(counters.values) == {"a": (2, "+")}


def _obey_when_blocked(url: str, link: Link, commit: bytes) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        blocked = "select count(*) from pg_locks where not granted"
        while other.execute(blocked).fetchone() == (0,):
            pass
    link.server.sendall(commit)


async def test_a_batch_that_only_writes_leaves_in_one_piece(
    behind_proxy: Callable[[Rule], Made], postgresql_url: str
) -> None:
    """Half of it, left open on the server by a line that breaks, would hold up its own second attempt."""
    pieces: list[bytes] = []

    def rule(_link: Link, data: bytes) -> bool:
        pieces.append(data)
        return True

    def write_slowly(tx: Tx, commands: Sequence[Add]) -> list[Done[int] | Refused]:
        done = counters.write_only(tx, commands)
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            for _ in range(50):  # by then the proxy has what was sent
                other.execute("select 1")
        assert not pieces
        return done

    proxy, db = behind_proxy(lambda _link, _data: True)
    await db.writer.submit(counters.write_only, Add("a", 1), KEY)
    proxy.rule = rule
    await db.writer.submit(write_slowly, Add("a", 2), KEY)
    (piece,) = pieces
    assert is_commit(piece)
    assert await db.read(counters.values) == {"a": (3, "++")}


async def test_a_whole_batch_that_arrives_after_it_was_run_again_is_not_applied(
    behind_proxy: Callable[[Rule], Made], postgresql_url: str
) -> None:
    """A batch that only writes goes to the server in one piece, its COMMIT included; here it comes when the second attempt is done."""
    late: list[tuple[Link, bytes]] = []

    def rule(link: Link, data: bytes) -> bool:
        if is_commit(data) and not late:
            late.append((link, data))
            link.cut_client()
            return False
        return True

    _, db = behind_proxy(rule)
    assert await db.writer.submit(counters.write_only, Add("a", 2), KEY) == 2
    ((link, piece),) = late
    assert b"insert into write_batch" in piece
    link.server.sendall(piece)
    link.server.shutdown(socket.SHUT_WR)
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        writers = "select count(*) from pg_stat_activity where application_name = 'handset-hub write'"
        while other.execute(writers).fetchone() != (1,):
            pass  # the server has not read it all
    assert await db.read(counters.values) == {"a": (2, "+")}


async def test_a_database_that_stays_away_is_said_to_be_away_and_found_again(
    behind_proxy: Callable[[Rule], Made], clock: FakeClock, ids: IdSource, postgresql_url: str, tmp_path: Path
) -> None:
    proxy, db = behind_proxy(lambda _link, _data: True)
    await db.writer.submit(add, Add("a", 1), KEY)
    db.close()
    impatient = Database.open(proxy.url, clock=clock, ids=ids, patience_seconds=0.1)
    await impatient.writer.submit(add, Add("a", 1), KEY)
    await impatient.read(counters.values)
    proxy.refuse_new = True
    for link in proxy.links:
        link.cut()
    with pytest.raises(HubError) as away:
        await impatient.writer.submit(add, Add("a", 1), KEY)
    assert (away.value.code, away.value.status) == ("storage_unavailable", 503)
    assert away.value.retry_after_seconds
    with pytest.raises(HubError) as away:
        await impatient.read(counters.values)
    assert away.value.code == "storage_unavailable"
    proxy.refuse_new = False
    assert await impatient.writer.submit(add, Add("a", 1), KEY) == 3
    assert await impatient.read(counters.values) == {"a": (3, "+++")}
    impatient.close()


async def test_an_answer_that_never_comes_is_said_to_be_unknown(
    behind_proxy: Callable[[Rule], Made], clock: FakeClock, ids: IdSource
) -> None:
    proxy, db = behind_proxy(lambda _link, _data: True)
    db.close()
    impatient = Database.open(proxy.url, clock=clock, ids=ids, patience_seconds=0.1)

    def cut_and_refuse(link: Link) -> bool:
        proxy.refuse_new = True
        return _cut_after(link)

    proxy.rule = AtFirstCommit(cut_and_refuse)
    with pytest.raises(HubError, match="cannot say whether it was stored"):
        await impatient.writer.submit(add, Add("a", 1), KEY)
    impatient.close()
