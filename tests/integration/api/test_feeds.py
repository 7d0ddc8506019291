"""The event feed on real databases: complete, in order, and blind to no commit that comes late."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from hub.core.events import EventType
from hub.core.ids import IdSource
from hub.storage.database import Database
from hub.storage.feeds import FeedPage, Position, latest_position, read_events, read_events_back
from hub.storage.transaction import Tx
from hub.storage.webhooks_outbox import insert_events
from tests.fakes import FakeClock

START = Position(0, 0)


class Feed:
    """Writes events in transactions of its own, and reads them."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource) -> None:
        self._db, self._clock, self._ids = db, clock, ids

    def row(self, account_id: str, name: str) -> tuple[object, ...]:
        now = self._clock.now()
        return (self._ids.next(now), account_id, name, now, now, None, None, None, None, None, None, "{}")

    def write(self, account_id: str, *names: str) -> None:
        with self._db.write_engine.connect() as conn, conn.begin():
            self.insert(conn, account_id, *names)

    def insert(self, conn: Connection, account_id: str, *names: str) -> None:
        tx: Tx = self._db.transaction(conn)
        insert_events(tx, [self.row(account_id, name) for name in names])

    def read(
        self, after: Position = START, limit: int = 100, types: tuple[str, ...] = (), account: str = "a"
    ) -> FeedPage:
        return self._db.read_now(read_events, account, after, types=types, limit=limit)

    def back(self, before: Position | None = None, limit: int = 100) -> FeedPage:
        return self._db.read_now(read_events_back, "a", before, limit=limit)

    def latest(self, account: str = "a") -> Position:
        return self._db.read_now(latest_position, account)


@pytest.fixture
def feed(db: Database, clock: FakeClock, ids: IdSource) -> Feed:
    return Feed(db, clock, ids)


def names(page: FeedPage) -> list[str]:
    return [event.type for event in page.events]


def test_a_feed_is_read_in_pages_without_a_gap_or_a_double(feed: Feed) -> None:
    for number in range(7):
        feed.write("a", f"one:{number}", f"two:{number}")
        feed.write("b", "not mine")
    seen: list[str] = []
    place, has_more = START, True
    while has_more:
        page = feed.read(place, limit=3)
        seen += names(page)
        place, has_more = page.next, page.has_more
    assert seen == [f"{word}:{number}" for number in range(7) for word in ("one", "two")]
    assert feed.read(place).events == ()
    feed.write("a", "late")
    assert names(feed.read(place)) == ["late"]


def test_a_filtered_reader_moves_on_past_what_it_leaves_out(feed: Feed) -> None:
    feed.write("a", EventType.SMS_SENT, EventType.SMS_RECEIVED, EventType.SMS_SENT)
    page = feed.read(types=(EventType.SMS_RECEIVED,))
    assert names(page) == [EventType.SMS_RECEIVED]
    assert page.next == feed.latest()


def test_backwards_is_the_same_list_turned_round(feed: Feed) -> None:
    for number in range(5):
        feed.write("a", str(number))
    first = feed.back(limit=2)
    rest = feed.back(first.next, limit=10)
    assert [*names(first), *names(rest)] == ["4", "3", "2", "1", "0"]
    assert (first.has_more, rest.has_more) == (True, False)


def test_an_account_without_events_begins_at_the_start(feed: Feed) -> None:
    feed.write("b", "x")
    assert feed.latest() == START
    assert feed.read() == FeedPage((), START, False)


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("read", [Feed.read, Feed.latest, Feed.back])
def test_a_commit_that_comes_late_is_not_skipped(feed: Feed, db: Database, read: Callable[[Feed], object]) -> None:
    """An older transaction takes its number later, or commits later: neither may be jumped over."""
    with db.write_engine.connect() as early, early.begin():
        feed.insert(early, "a", "early 1")
        feed.write("a", "quick")
        before = feed.latest()
        assert names(feed.read()) == [], "the older transaction is open: nothing after it is settled"
        assert read(feed) in (START, FeedPage((), START, False), FeedPage((), Position(1 << 62, 1 << 62), False))
        feed.insert(early, "a", "early 2")
    assert sorted(names(feed.read(before))) == ["early 1", "early 2", "quick"]


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_number_taken_late_by_an_old_transaction_is_not_skipped(feed: Feed, db: Database) -> None:
    """The younger transaction has the lower number and is still open when the older one commits."""
    older, younger = db.write_engine.connect(), db.write_engine.connect()
    with older, younger:
        first, second = older.begin(), younger.begin()
        older.exec_driver_sql("select pg_current_xact_id()")
        feed.insert(younger, "a", "younger, lower number")
        feed.insert(older, "a", "older, higher number")
        first.commit()
        page = feed.read()
        assert names(page) == ["older, higher number"]
        second.commit()
    assert names(feed.read(page.next)) == ["younger, lower number"]
