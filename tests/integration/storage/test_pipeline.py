"""What waits to be sent to PostgreSQL is sent before anything else happens on its connection, and only if its transaction lives."""

import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.exc import DBAPIError

from hub.storage.bulk import BulkInsert
from hub.storage.connect import is_lost, open_engine, require_open_transaction
from hub.storage.direct import ask, change, fetch, has_waiting, run, run_text
from hub.storage.faults import Verdict, verdict_on
from hub.storage.schema import METADATA

pytestmark = pytest.mark.postgresql

FACT = METADATA.tables["hub_fact"]
STORE = BulkInsert(FACT, ["name", "value"])
NAMES = select(FACT.c.name).where(FACT.c.value == bindparam("value")).order_by(FACT.c.name)
RENAME = text("update hub_fact set name = name || '%' where value = :value")
KEEP = text("select cast(:value as text)")
WRONG = text("insert into hub_fact (name, value) values ('a', null)")


@pytest.fixture
def conn(postgresql_url: str) -> Iterator[Connection]:
    engine = open_engine(postgresql_url, "write")
    with engine.connect() as connection:
        yield connection


def _stored(url: str) -> list[str]:
    """The names that another connection sees."""
    with open_engine(url, "read").connect() as connection, connection.begin():
        return [row[0] for row in connection.execute(NAMES, {"value": "1"})]


def test_writes_wait_for_the_commit_and_are_stored_by_it(conn: Connection, postgresql_url: str) -> None:
    with conn.begin():
        STORE.run(conn, [("a", "1"), ("b", "1")])
        run(conn, RENAME, {"value": "1"})
        assert has_waiting(conn)
        require_open_transaction(conn)
    assert not has_waiting(conn)
    assert _stored(postgresql_url) == ["a%", "b%"]


def test_a_statement_that_is_used_often_is_planned_anew(conn: Connection) -> None:
    """Else what was planned for an empty table reads the full one from end to end. The old plan is not kept beside it."""
    known = text(
        "select name from pg_prepared_statements where statement like 'select cast($1 as text)%' order by prepare_time"
    )
    names: list[list[str]] = []
    for _ in range(102):
        with conn.begin():
            fetch(conn, KEEP, {"value": "1"})
            names.append([row[0] for row in conn.execute(known)])
    changes = [place for place in range(1, len(names)) if names[place][-1] != names[place - 1][-1]]
    assert changes == [10, 100]
    assert len(names[9]) == len(names[99]) == len(names[101]) == 1


def test_what_writes_reads_no_table_from_end_to_end(conn: Connection) -> None:
    """Whatever a plan believes of a table's size when it is made."""
    update_one = "update message set state = 'sent' from unnest(array['a', 'b']) given(id) where message.id = given.id"
    plan = "\n".join(row[0] for row in conn.execute(text(f"explain {update_one}")))
    assert "message_pkey" in plan, plan
    assert not re.search("Seq Scan|Hash|Merge", plan), plan


def test_every_way_of_asking_finds_what_was_written_before(conn: Connection) -> None:
    with conn.begin():
        STORE.run(conn, [("a", "1")])
        assert [row[0] for row in fetch(conn, NAMES, {"value": "1"})] == ["a"]
        STORE.run(conn, [("b", "1")])
        assert [row[0] for row in conn.execute(NAMES, {"value": "1"})] == ["a", "b"]
        STORE.run(conn, [("c", "1")])
        assert conn.exec_driver_sql("select count(*) from hub_fact where value = '1'").scalar_one() == 3
        STORE.run(conn, [("d", "1")])
        assert change(conn, RENAME, {"value": "1"}) == 4


def test_every_way_of_writing_finds_what_was_written_before(conn: Connection) -> None:
    touched = update(FACT).where(FACT.c.name == bindparam("named")).values(value="2")
    with conn.begin():
        STORE.run(conn, [("a", "1"), ("b", "1")])
        assert conn.execute(touched, [{"named": "a"}, {"named": "b"}]).rowcount == 2
        STORE.run(conn, [("c", "1")])
        wordless = conn.execution_options(no_parameters=True)
        assert wordless.exec_driver_sql("update hub_fact set value = '2' where name = 'c'").rowcount == 1
        assert [row[0] for row in fetch(conn, NAMES, {"value": "2"})] == ["a", "b", "c"]


def test_without_a_transaction_nothing_waits(conn: Connection, postgresql_url: str) -> None:
    at_once = conn.execution_options(isolation_level="AUTOCOMMIT")
    STORE.run(at_once, [("a", "1")])
    assert _stored(postgresql_url) == ["a"]


def test_a_transaction_begins_as_its_engine_says(postgresql_url: str) -> None:
    level = text("select current_setting('transaction_isolation')")
    with open_engine(postgresql_url, "read").connect() as reader, reader.begin():
        assert fetch(reader, level, {}) == [("repeatable read",)]
    with open_engine(postgresql_url, "write").connect() as writer, writer.begin():
        assert fetch(writer, level, {}) == [("read committed",)]


def test_a_large_piece_with_large_answers_goes_through(conn: Connection) -> None:
    """Neither side reads all before it writes: more than what fits between them must not stop both."""
    echo = text("select cast(:value as text) || cast(:value as text)")
    large = "x" * 4_000_000
    with conn.begin():
        for _ in range(4):
            run(conn, echo, {"value": large})
        assert [row[0] for row in fetch(conn, echo, {"value": "a"})] == ["aa"]


def test_a_rollback_forgets_what_waits(conn: Connection, postgresql_url: str) -> None:
    with conn.begin() as transaction:
        STORE.run(conn, [("a", "1")])
        transaction.rollback()
    with conn.begin():
        STORE.run(conn, [("b", "1")])
    assert _stored(postgresql_url) == ["b"]


def test_the_server_works_on_a_write_while_the_next_one_is_made(conn: Connection, postgresql_url: str) -> None:
    locks = text("select count(*) from pg_locks where relation = 'hub_fact'::regclass and mode = 'RowExclusiveLock'")
    with conn.begin():
        assert fetch(conn, NAMES, {"value": "1"}) == []
        STORE.run(conn, [("a", "1")])
        assert has_waiting(conn)
        require_open_transaction(conn)
        with open_engine(postgresql_url, "read").connect() as other:
            give_up_at = time.monotonic() + 60
            while other.execute(locks).scalar_one() == 0:
                assert time.monotonic() < give_up_at, "the write has not reached the server"
                other.rollback()
    assert not has_waiting(conn)
    assert _stored(postgresql_url) == ["a"]


def test_a_rollback_forgets_what_the_server_works_on(conn: Connection, postgresql_url: str) -> None:
    for wrong in (False, True):
        with conn.begin() as transaction:
            fetch(conn, NAMES, {"value": "1"})
            STORE.run(conn, [("a", "1")])
            if wrong:
                run(conn, WRONG, {})
            assert has_waiting(conn)
            transaction.rollback()
        assert not has_waiting(conn)
        with conn.begin():
            STORE.run(conn, [(f"b{wrong}", "1")])
    assert _stored(postgresql_url) == ["bFalse", "bTrue"]


def test_several_look_ups_are_answered_together_and_each_with_its_own_rows(conn: Connection) -> None:
    with conn.begin():
        STORE.run(conn, [("a", "1"), ("b", "2")])
        first, second = ask(conn, NAMES, {"value": "1"}), ask(conn, KEEP, {"value": "x"})
        STORE.run(conn, [("c", "1")])
        third = ask(conn, NAMES, {"value": "1"})
        assert fetch(conn, NAMES, {"value": "2"}) == [("b",)]
        assert (first(), second(), third()) == ([("a",)], [("x",)], [("a",), ("c",)])
        assert first() == [("a",)]
    with conn.begin() as transaction:
        lost = ask(conn, NAMES, {"value": "1"})
        transaction.rollback()
    with pytest.raises(DBAPIError, match="rolled back"):
        lost()


def test_a_large_write_that_is_sent_at_once_goes_through(conn: Connection) -> None:
    echo = text("select cast(:value as text) || cast(:value as text)")
    with conn.begin():
        fetch(conn, NAMES, {"value": "1"})
        for _ in range(4):
            run(conn, echo, {"value": "x" * 4_000_000})
        assert [row[0] for row in fetch(conn, echo, {"value": "a"})] == ["aa"]


@pytest.mark.parametrize("is_under_way", [False, True], ids=["all-in-one-piece", "sent-before-the-commit"])
def test_nothing_is_committed_with_a_statement_that_fails(
    conn: Connection, postgresql_url: str, is_under_way: bool
) -> None:
    transaction = conn.begin()
    if is_under_way:
        fetch(conn, NAMES, {"value": "1"})  # from here on the server is sent each write as it comes
    STORE.run(conn, [("a", "1")])
    run(conn, WRONG, {})
    STORE.run(conn, [("b", "1")])
    with pytest.raises(DBAPIError) as caught:
        transaction.commit()
    assert verdict_on(caught.value) is Verdict.BLAME
    transaction.rollback()
    assert _stored(postgresql_url) == []
    with conn.begin():  # the connection serves on, and knows which statements the server has prepared
        STORE.run(conn, [("c", "1")])
    assert _stored(postgresql_url) == ["c"]


def test_what_was_not_prepared_behind_a_failure_is_prepared_when_it_comes_again(conn: Connection) -> None:
    transaction = conn.begin()
    run(conn, WRONG, {})
    run(conn, RENAME, {"value": "1"})
    with pytest.raises(DBAPIError):
        transaction.commit()
    transaction.rollback()
    with conn.begin():
        assert change(conn, RENAME, {"value": "1"}) == 0


def test_a_commit_that_failed_leaves_no_transaction_open(conn: Connection) -> None:
    """SQLAlchemy asks for no rollback behind it, and a row lock would stay for as long as the connection is idle."""
    transaction = conn.begin()
    STORE.run(conn, [("a", "1")])
    run(conn, WRONG, {})
    with pytest.raises(DBAPIError):
        transaction.commit()
    driver = conn.connection.driver_connection
    assert driver is not None
    assert driver.info.transaction_status == TransactionStatus.IDLE
    transaction.rollback()


def test_an_error_comes_with_the_next_answer_and_spoils_the_transaction(conn: Connection) -> None:
    with conn.begin() as transaction:
        run(conn, WRONG, {})
        with pytest.raises(DBAPIError) as caught:
            fetch(conn, NAMES, {"value": "1"})
        assert verdict_on(caught.value) is Verdict.BLAME
        with pytest.raises(RuntimeError):
            require_open_transaction(conn)
        transaction.rollback()


def test_a_transaction_that_somebody_ended_is_not_taken_for_an_open_one(conn: Connection) -> None:
    """A COMMIT would then say yes to nothing."""
    with conn.begin() as transaction:
        STORE.run(conn, [("a", "1")])
        conn.exec_driver_sql("rollback")
        with pytest.raises(RuntimeError):
            require_open_transaction(conn)
        transaction.rollback()


def test_a_connection_that_is_cut_is_said_to_be_lost(conn: Connection, postgresql_url: str) -> None:
    with conn.begin() as transaction:
        (pid,) = fetch(conn, text("select pg_backend_pid()"), {})[0]
        with open_engine(postgresql_url, "write").connect() as other, other.begin():
            other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError) as caught:
            _ask_for_ever(conn)
        assert is_lost(caught.value)
        assert verdict_on(caught.value) is Verdict.TRY_AGAIN
        transaction.rollback()
    with conn.begin():  # on a connection of its own
        assert not fetch(conn, NAMES, {"value": "1"})


def test_a_piece_that_was_sent_by_half_costs_the_connection(conn: Connection, postgresql_url: str) -> None:
    """Nobody could tell which answer belongs to what; libpq refuses to send more than 65,535 parameters."""
    with conn.begin() as transaction:
        STORE.run(conn, [("a", "1")])
        run_text(conn, "select $1", [None] * 70_000)
        with pytest.raises(DBAPIError) as caught:
            fetch(conn, NAMES, {"value": "1"})
        assert is_lost(caught.value)
        transaction.rollback()
    with conn.begin():
        STORE.run(conn, [("b", "1")])
    assert _stored(postgresql_url) == ["b"]


def _ask_for_ever(conn: Connection) -> None:
    while True:
        fetch(conn, NAMES, {"value": "1"})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text[]", ["a", 'b"', "c\\", "{d,e}", "", "NULL", None, "ä\n"]),
        ("bigint[]", [1, -(2**63), None]),
        ("boolean[]", [True, False, None]),
        ("bytea[]", [b"\x00\\\"'", b"", None]),
        ("text[]", []),
        ("bytea", b"\x00\xff"),
        ("float8", 0.1),
        ("text", None),
    ],
)
def test_values_arrive_as_they_were_given(conn: Connection, kind: str, value: object) -> None:
    with conn.begin():
        assert fetch(conn, text(f"select cast(:value as {kind})"), {"value": value}) == [(value,)]


# What arrays are written with, besides any other text; a NUL is refused, and half a surrogate pair is no text.
_WORDS = st.lists(st.sampled_from(['"', "\\", "{", "}", ",", "NULL", "null", " ", "\n", "\t", "ä", "𝄞", "x"])).map(
    "".join
)
_TEXT = st.one_of(
    st.sampled_from(["", "NULL", "null"]),
    _WORDS,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | _TEXT, max_size=5), st.lists(st.none() | st.binary(max_size=6), max_size=3))
def test_lists_arrive_element_by_element(conn: Connection, words: list[str | None], octets: list[bytes | None]) -> None:
    with conn.begin():
        for kind, value in (("text", words), ("bytea", octets)):
            each = text(f"select * from unnest(cast(:value as {kind}[]))")
            assert [row[0] for row in fetch(conn, each, {"value": value})] == value


@pytest.mark.parametrize("value", ["a\0b", ["a", "\0"]], ids=["text", "list"])
def test_text_that_postgresql_cannot_hold_is_refused_and_not_cut_off(
    conn: Connection, value: object, postgresql_url: str
) -> None:
    with conn.begin():
        STORE.run(conn, [("a", "1")])
        with pytest.raises(DBAPIError) as caught:
            run(conn, KEEP, {"value": value})
        assert verdict_on(caught.value) is Verdict.BLAME
    assert _stored(postgresql_url) == ["a"], "nothing of it was sent"
