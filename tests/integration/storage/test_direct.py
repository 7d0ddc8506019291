"""A statement given straight to the driver reads and fails as it does through SQLAlchemy."""

import pytest
from sqlalchemy import Boolean, bindparam, cast, func, literal_column, null, select, text, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert
from hub.storage.connect import open_engine
from hub.storage.database import Database
from hub.storage.direct import change, fetch, run_many
from hub.storage.faults import Verdict, verdict_on
from hub.storage.schema import METADATA
from tests.integration.storage.extremes import VARIANTS, extreme_of, indexed

FACT = METADATA.tables["hub_fact"]
NAMED = select(FACT.c.value, func.coalesce(FACT.c.name, "nobody")).where(FACT.c.name == bindparam("name"))
LISTED = select(FACT.c.name).where(one_of(FACT.c.name, texts("names"))).order_by(FACT.c.name)


@pytest.mark.parametrize("name", ["message", "timeline", "wh_event", "idempotency", "line", "device"])
def test_rows_are_those_of_the_usual_way_to_their_types(db: Database, name: str) -> None:
    table = METADATA.tables[name]
    given = [
        tuple(extreme_of(column, extremes, indexed(table)) for column in table.columns)
        for extremes in VARIANTS.values()
    ]
    everything = select(table).order_by(*table.primary_key)
    with db.write_engine.connect() as connection, connection.begin():
        if db.dialect == "sqlite":
            connection.exec_driver_sql("pragma defer_foreign_keys = on")
        else:
            connection.exec_driver_sql("set session_replication_role = replica")
        BulkInsert(table, [column.name for column in table.columns]).run(connection, given)
        usual = [tuple(row) for row in connection.execute(everything)]
        direct = [tuple(row) for row in fetch(connection, everything, {})]
        connection.rollback()
    assert direct == usual
    assert [[type(value) for value in row] for row in direct] == [[type(value) for value in row] for row in usual]


def test_a_truth_that_is_not_known_is_neither(db: Database) -> None:
    truths = select(cast(null(), Boolean), cast(literal_column("1"), Boolean), cast(literal_column("0"), Boolean))
    with db.write_engine.connect() as connection, connection.begin():
        ((unknown, true, false),) = fetch(connection, truths, {})
    assert unknown is None
    assert true is True
    assert false is False


def test_a_parameter_that_stands_twice_is_given_once(db: Database) -> None:
    twice = text("select value from hub_fact where name = :name or value = :value or name = :name")
    with db.write_engine.connect() as connection, connection.begin():
        BulkInsert(FACT, ["name", "value"]).run(connection, [("a", "1"), ("1", "b")])
        assert [tuple(row) for row in fetch(connection, twice, {"name": "a", "value": "a"})] == [("1",)]
        connection.rollback()


def test_a_parameter_that_is_not_given_is_missed(db: Database) -> None:
    with db.write_engine.connect() as connection, connection.begin(), pytest.raises(KeyError):
        fetch(connection, NAMED, {})


def test_parameters_and_lists_are_written_as_usual(db: Database) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        BulkInsert(FACT, ["name", "value"]).run(connection, [("a", "1"), ('b"', "2"), ("c", "3")])
        assert [tuple(row) for row in fetch(connection, NAMED, {"name": "a"})] == [("1", "a")]
        assert [row[0] for row in fetch(connection, LISTED, {"names": ["c", 'b"', "d"]})] == ['b"', "c"]
        assert not fetch(connection, LISTED, {"names": []})


def test_a_change_tells_how_many_rows_it_wrote(db: Database) -> None:
    renamed = update(FACT).where(one_of(FACT.c.name, texts("names"))).values(value="9")
    with db.write_engine.connect() as connection, connection.begin():
        BulkInsert(FACT, ["name", "value"]).run(connection, [("a", "1"), ("b", "2"), ("c", "3")])
        assert change(connection, renamed, {"names": ["a", "c", "d"]}) == 2
        assert change(connection, renamed, {"names": ["d"]}) == 0
        assert [fetch(connection, NAMED, {"name": name})[0][0] for name in "abc"] == ["9", "2", "9"]
        connection.rollback()


def test_one_statement_for_many_rows_counts_those_of_all(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, "write")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("create table t (a integer)")
        assert run_many(connection, "insert into t values (?)", [(1,), (2,), (2,)]) == 3
        assert run_many(connection, "update t set a = a where a = ?", [(2,), (7,)]) == 2


def test_an_error_means_what_it_means_elsewhere(db: Database) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        with pytest.raises(DBAPIError, match="no_such_table") as caught:
            fetch(connection, text("select 1 from no_such_table"), {})
        assert verdict_on(caught.value) is Verdict.BLAME


def test_two_rows_with_one_key_are_said_to_be_that(db: Database) -> None:
    again = text("insert into hub_fact (name, value) values ('a', '2')")
    with db.write_engine.connect() as connection, connection.begin():
        BulkInsert(FACT, ["name", "value"]).run(connection, [("a", "1")])
        with pytest.raises(IntegrityError) as caught:
            change(connection, again, {})
        assert verdict_on(caught.value) is Verdict.BLAME
        connection.rollback()


def test_a_database_that_is_locked_is_tried_again(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, "write")
    writer, late = engine.connect(), engine.connect()
    with writer, writer.begin(), late:
        driver = late.connection.driver_connection
        assert driver is not None
        driver.execute("pragma busy_timeout = 0")
        with pytest.raises(OperationalError) as caught:
            fetch(late, text("begin immediate"), {})
        assert verdict_on(caught.value) is Verdict.TRY_AGAIN


def test_nul_is_refused_in_tests_here_too(db: Database) -> None:
    with (
        db.write_engine.connect() as connection,
        connection.begin(),
        pytest.raises((ValueError, DataError), match="NUL"),
    ):
        fetch(connection, NAMED, {"name": "a\0"})
