"""Nothing grows without bound, and nothing that is still needed goes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.config import Config
from hub.core.commands import CallbackTarget
from hub.core.events import DeviceData, EventType
from hub.core.ids import IdSource, first_id_at
from hub.storage import retention
from hub.storage.account_retention import ACCOUNT_SWEEPS
from hub.storage.connect import open_engine
from hub.storage.database import Database
from hub.storage.retention import ADVISORY_LOCK, Retention, SweepSome, Swept, sweep
from hub.storage.retention_rules import DAY_SECONDS, RULES, Kept, Sweep, as_markdown
from hub.storage.schema import METADATA
from hub.storage.transaction import Tx
from hub.webhooks.outbox import NewEvent, implicit_endpoint_id, origin_of, publish
from tests.fakes import START_MS
from tests.integration.storage import rows
from tests.integration.storage.rows import all_of, insert, row_at

pytestmark = pytest.mark.anyio

OLD = START_MS - 400 * DAY_SECONDS * 1000
SMALL = {"wh_node", "wh_endpoint"}
"""Tables of a few rows for each thing an operator made: reading them whole is fine."""


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.storage.retention.SHORTEST_REST_SECONDS", 0.0)
    monkeypatch.setattr("hub.storage.retention.REST_PER_WORK", 0.0)


def _store(db: Database, table: str, *wanted: dict[str, Any]) -> None:
    with db.write_engine.connect() as connection, connection.begin():
        insert(connection, table, *wanted)


def test_every_table_has_a_rule() -> None:
    assert set(RULES) == {table.name for table in METADATA.sorted_tables}
    for name, rule in RULES.items():
        assert isinstance(rule, Sweep) or (rule.because if isinstance(rule, Kept) else rule.by), name


async def test_old_rows_of_every_table_go_and_young_ones_stay(db: Database) -> None:
    for table in METADATA.sorted_tables:
        ended = {"wh_delivery": {"state": 2}, "account": {"settings": "{}"}}.get(table.name, {})
        _store(db, table.name, row_at(table, OLD, 1, **ended), row_at(table, START_MS, 2, **ended))
    await Retention(db, Config()).sweep_all()
    kept = db.read_now(rows.count)
    for name, rule in RULES.items():
        if name == "write_batch":
            continue  # the sweep's own commits are in it
        gone = isinstance(rule, Sweep) or name in (
            "wh_lane",
            "wh_delivery",
            "conversation",
            "batch_row",
            "smsgate_recipient",
            "media_piece",
        )
        assert kept[name] == (1 if gone else 2), name
    assert not isinstance(RULES["idempotency"], Sweep)


async def test_texts_that_have_not_ended_stay_with_their_thread(db: Database) -> None:
    table = METADATA.tables["message"]

    def message(n: int, **given: Any) -> dict[str, Any]:
        return row_at(table, OLD + n, n, batch_id=None, **given)

    _store(
        db,
        "message",
        message(1, final_at=None, direction="mt", conversation_id="open"),
        message(2, final_at=OLD, direction="mt", conversation_id="open"),
        message(3, final_at=OLD, direction="mt", conversation_id="closed"),
        message(4, final_at=None, direction="mo", conversation_id="closed"),
        message(5, final_at=None, direction="mo", conversation_id="lively"),
    )
    thread = METADATA.tables["conversation"]
    _store(
        db,
        "conversation",
        row_at(thread, OLD, 1, id="open"),
        row_at(thread, OLD, 1, id="closed"),
        row_at(thread, OLD, 1, id="lively", last_at=START_MS),
    )
    await Retention(db, Config()).sweep_all()
    assert db.read_now(all_of, "message", "id") == [first_id_at(OLD + 1)]
    assert db.read_now(all_of, "conversation", "id") == ["lively", "open"]


async def test_an_event_whose_delivery_has_not_ended_stays_and_stops_nobody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.storage.retention.ROWS_AT_ONCE", 3)
    events, deliveries = METADATA.tables["wh_event"], METADATA.tables["wh_delivery"]
    held = range(1, 9)
    _store(db, "wh_event", *(row_at(events, OLD, n, id=f"e{n:02}") for n in range(1, 21)))
    _store(
        db,
        "wh_delivery",
        *(row_at(deliveries, OLD, n, event_seq=n, state=1 if n in held else 2) for n in range(1, 21)),
    )
    await Retention(db, Config()).sweep_all()
    assert db.read_now(all_of, "wh_event", "seq") == list(held)
    assert db.read_now(all_of, "wh_delivery", "event_seq") == list(held)


async def test_endpoints_stay_until_they_are_deleted_and_have_nothing_left(db: Database) -> None:
    endpoints, deliveries = METADATA.tables["wh_endpoint"], METADATA.tables["wh_delivery"]
    _store(db, "account", row_at(METADATA.tables["account"], OLD, 1, id="a", settings="{}"))
    _store(
        db,
        "wh_endpoint",
        row_at(endpoints, OLD, 1, account_id="a", id="deleted"),
        row_at(endpoints, OLD, 1, account_id="a", id="deleted, with deliveries"),
        row_at(endpoints, OLD, 1, account_id="a", id="in use", deleted_at=None, is_implicit=False),
    )
    _store(db, "wh_delivery", row_at(deliveries, OLD, 2, endpoint_id="deleted, with deliveries"))
    await Retention(db, Config()).sweep_all()
    assert db.read_now(all_of, "wh_endpoint", "id") == ["deleted, with deliveries", "in use"]


UNUSED = {
    "is_implicit": True,
    "deleted_at": None,
    "gateway_id": None,
    "forwards_line_id": None,
    "version": 1,
    "state": "active",
}
"""The endpoint behind texts' own targets, as the hub makes it."""


async def test_endpoints_of_texts_own_targets_go_when_nobody_uses_or_knows_them(db: Database) -> None:
    endpoints, lanes = METADATA.tables["wh_endpoint"], METADATA.tables["wh_lane"]
    goes = {
        "never used": {},
        "switched off by the hub": {"version": 2, "state": "disabled"},
        "signed by its gateway": {"version": 7, "gateway_id": "g"},
    }
    stays = {
        "a delivery": {},
        "a success": {},
        "failing since": {},
        "made now": {"updated_at": START_MS},
        "secret rotated": {"version": 2},
        "secret rotated, then off": {"version": 3, "state": "disabled"},
        "somebody's own": {"is_implicit": False},
    }
    lately = {"a success": {"last_ok_at": START_MS}, "failing since": {"failing_since": START_MS}}
    _store(db, "account", row_at(METADATA.tables["account"], OLD, 1, id="a", settings="{}"))
    for id_, given in (goes | stays).items():
        _store(db, "wh_endpoint", row_at(endpoints, OLD, 1, account_id="a", id=id_, **{**UNUSED, **given}))
        _store(db, "wh_lane", row_at(lanes, OLD, 1, account_id="a", endpoint_id=id_, **lately.get(id_, {})))
    _store(db, "wh_delivery", row_at(METADATA.tables["wh_delivery"], OLD, 1, endpoint_id="a delivery", state=0))
    await Retention(db, Config()).sweep_all()
    assert db.read_now(all_of, "wh_endpoint", "id") == sorted(stays)
    assert db.read_now(all_of, "wh_lane", "endpoint_id") == sorted(stays)


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("is_committed", [False, True], ids=["about to commit", "committed a moment ago"])
async def test_an_endpoint_that_comes_into_use_while_it_is_swept_stays(
    db: Database, database_url: str, ids: IdSource, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    """Another process stores a delivery for an endpoint that looks unused."""
    account_id, url = ids.next(START_MS), "https://receiver.example/status"
    endpoint_id = implicit_endpoint_id(account_id, "standard", origin_of(url))
    tables = METADATA.tables
    _store(db, "account", row_at(tables["account"], OLD, 1, id=account_id, settings="{}"))
    used = {**UNUSED, "account_id": account_id, "order_mode": "none"}
    _store(db, "wh_endpoint", row_at(tables["wh_endpoint"], OLD, 1, id=endpoint_id, **used))
    _store(db, "wh_lane", row_at(tables["wh_lane"], OLD, 1, account_id=account_id, endpoint_id=endpoint_id))
    command = SweepSome("wh_endpoint", 90 * DAY_SECONDS, 0, 10)
    if is_committed:
        # Between the look for what is unused and its end.
        delete = retention._delete

        def store_and_delete(*given: Any) -> None:
            _store(db, "wh_delivery", row_at(tables["wh_delivery"], START_MS, 1, endpoint_id=endpoint_id, state=0))
            delete(*given)

        monkeypatch.setattr(retention, "_delete", store_and_delete)
        await db.writer.submit(sweep, command)
    else:
        data, target = DeviceData(device_id="dev_1", name="phone"), CallbackTarget("standard", url)
        event = NewEvent(ids.next(START_MS), account_id, EventType.SYSTEM_PING, START_MS, data, callback=target)
        with open_engine(database_url, "write").connect() as other, other.begin():
            publish(Tx(other, START_MS, "postgresql", lambda: ids.next(START_MS)), [event])
            await db.writer.submit(sweep, command)
    assert db.read_now(all_of, "wh_delivery", "endpoint_id") == [endpoint_id]
    assert db.read_now(all_of, "wh_endpoint", "id") == [endpoint_id]
    assert db.read_now(all_of, "wh_lane", "endpoint_id") == [endpoint_id]


async def test_more_rows_than_one_delete_takes_all_go(db: Database) -> None:
    table = METADATA.tables["timeline"]
    _store(db, "timeline", *(row_at(table, OLD if n <= 1200 else START_MS, n) for n in range(1, 1301)))
    assert await Retention(db, Config()).sweep_all() == 1200
    assert len(db.read_now(all_of, "timeline", "id")) == 100


async def test_a_phones_events_are_known_for_as_long_as_it_may_repeat_them(db: Database) -> None:
    table = METADATA.tables["device_event"]
    ages = (6, 7.9, 8.1)
    _store(db, "device_event", *(row_at(table, START_MS - round(days * DAY_SECONDS * 1000), 1) for days in ages))
    await Retention(db, replace(Config(), keep_device_events_days=1)).sweep_all()
    assert len(db.read_now(all_of, "device_event", "uuid")) == 2


async def test_zero_days_keeps_for_ever(db: Database) -> None:
    _store(db, "message", row_at(METADATA.tables["message"], OLD, 1))
    await Retention(db, replace(Config(), keep_messages_days=0)).sweep_all()
    assert len(db.read_now(all_of, "message", "id")) == 1


async def test_an_accounts_own_time_ends_its_texts_earlier_and_nobody_elses(db: Database) -> None:
    tables, young = METADATA.tables, START_MS - 10 * DAY_SECONDS * 1000
    for account, days in (("short", 7), ("long", None), ("longer than the hub", 800)):
        settings = f'{{"keep_messages_days": {days}}}' if days else "{}"
        _store(db, "account", row_at(tables["account"], OLD, 1, id=account, settings=settings, sandbox_of=None))
        if account == "longer than the hub":
            continue
        kept = {"account_id": account, "batch_id": None, "conversation_id": account}
        old = {f"old of {account}": young, f"open of {account}": young, f"new of {account}": START_MS}
        for n, (name, at) in enumerate(old.items(), start=1):
            id_ = first_id_at(at + n + (10 if account == "long" else 0))
            final = None if name.startswith("open") else at
            _store(db, "message", row_at(tables["message"], at, n, id=id_, direction="mt", final_at=final, **kept))
            seq = n + (10 if account == "long" else 0)
            told = {"account_id": account, "message_id": id_}
            _store(db, "timeline", row_at(tables["timeline"], at, seq, **told, kind=name))
            _store(db, "wh_event", row_at(tables["wh_event"], at, seq, **told, id=name))
            _store(db, "wh_delivery", row_at(tables["wh_delivery"], at, seq, event_seq=seq, state=2))
    _store(db, "message", row_at(tables["message"], OLD, 1, account_id="longer than the hub", batch_id=None))
    assert await Retention(db, Config()).sweep_all() == 2
    left = ["new of long", "new of short", "old of long", "open of long", "open of short"]
    assert db.read_now(all_of, "wh_event", "id") == left
    assert db.read_now(all_of, "timeline", "kind") == left
    assert db.read_now(all_of, "message", "account_id") == ["long", "long", "long", "short", "short"]
    assert len(db.read_now(all_of, "wh_delivery", "id")) == 5


async def test_an_event_that_is_still_to_be_told_outlives_its_text(db: Database) -> None:
    tables, young = METADATA.tables, START_MS - 10 * DAY_SECONDS * 1000
    _store(db, "account", row_at(tables["account"], OLD, 1, id="a", settings='{"keep_messages_days": 7}'))
    _store(db, "message", row_at(tables["message"], young, 1, account_id="a", batch_id=None))
    (id_,) = db.read_now(all_of, "message", "id")
    _store(db, "wh_event", row_at(tables["wh_event"], young, 1, account_id="a", message_id=id_))
    _store(db, "wh_delivery", row_at(tables["wh_delivery"], young, 1, event_seq=1, state=1))
    await Retention(db, Config()).sweep_all()
    assert not db.read_now(all_of, "message", "id")
    assert db.read_now(all_of, "wh_event", "seq") == [1]


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_one_process_sweeps_at_a_time(db: Database, database_url: str) -> None:
    _store(db, "timeline", row_at(METADATA.tables["timeline"], OLD, 1))
    with open_engine(database_url, "write").connect() as other, other.begin():
        other.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        assert await db.writer.submit(sweep, SweepSome("timeline", 1, 0, 10)) == Swept(0, None)
    assert await db.writer.submit(sweep, SweepSome("timeline", 1, 0, 10)) == Swept(1, None)


@pytest.mark.parametrize(
    "table", [name for name, rule in RULES.items() if isinstance(rule, Sweep) and name not in SMALL]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sweep_reads_no_table_whole(db: Database, table: str) -> None:
    rule = RULES[table]
    assert isinstance(rule, Sweep)
    for statement in (rule.found, *rule.before, *rule.after):
        plan = db.read_now(_plan, statement)
        assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step], plan


@pytest.mark.parametrize("table", ACCOUNT_SWEEPS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_accounts_sweep_reads_no_table_whole(db: Database, table: str) -> None:
    rule = ACCOUNT_SWEEPS[table]
    for statement in (rule.found, *rule.before, *rule.after):
        plan = db.read_now(_plan, statement)
        assert not [step for step in plan if step.startswith("SCAN")], plan


def _plan(conn: Any, statement: str) -> list[str]:
    explained = text("explain query plan " + statement)
    return [row[3] for row in conn.execute(explained, dict.fromkeys(explained._bindparams, 1))]


def test_the_documentation_says_how_long_everything_is_kept() -> None:
    page = Path(__file__).parents[3] / "docs" / "operate" / "retention.md"
    assert page.read_text(encoding="utf-8").endswith(as_markdown(Config()))
