"""The overview and the feed are read from indexes: what they cost does not grow with what has ended."""

from collections.abc import Callable

import pytest
from sqlalchemy import event

from hub.storage import overview
from hub.storage.database import Database
from hub.storage.feeds import Position, read_events, read_events_back

WHOSE = overview.Whose("a")
SOME_LINES = overview.Whose("a", None, ["l"])


def plan_of(db: Database, read: Callable[..., object], *args: object) -> str:
    """How SQLite would run the statements of a read."""
    plans: list[str] = []
    with db.write_engine.connect() as conn:

        def explain(conn_: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
            if not statement.startswith("explain"):
                rows = conn.connection.cursor().execute(f"explain query plan {statement}", parameters)  # type: ignore[arg-type]
                plans.extend(row[3] for row in rows)

        event.listen(conn, "before_cursor_execute", explain)
        read(conn, *args)
    return "\n".join(plans)


@pytest.mark.parametrize(
    ("read", "args", "index"),
    [
        (overview.count_by_state, (WHOSE, 0, 1), "message_account (account_id=? AND id>? AND id<?)"),
        (overview.count_received, (WHOSE, 0, 1), "message_account (account_id=? AND id>? AND id<?)"),
        (overview.delivery_times, (SOME_LINES, 0, 1), "message_account (account_id=? AND id>? AND id<?)"),
        (overview.count_by_phone, (SOME_LINES, 1), "INDEX message_waiting (line_id=?)"),
        (overview.list_lane_states, ("a",), "wh_due (endpoint_id=?)"),
        (
            lambda conn: read_events(conn, "a", Position(0, 5), limit=1),
            (),
            "wh_event_account (account_id=? AND txid=? AND seq>?)",
        ),
        (
            lambda conn: read_events_back(conn, "a", None, limit=1),
            (),
            "wh_event_account (account_id=? AND txid=? AND seq<?)",
        ),
    ],
)
def test_a_number_is_read_from_its_index(
    sqlite_db: Database, read: Callable[..., object], args: tuple[object, ...], index: str
) -> None:
    plan = plan_of(sqlite_db, read, *args)
    assert index in plan, plan
    assert "SCAN message" not in plan
    assert "SCAN wh_delivery" not in plan
