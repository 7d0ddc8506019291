"""What came of tries, written in groups: one statement for all outcomes, one for all attempts.

Everything is written under the fence it was made with: the lanes of a group are locked first, and what belongs to a lane that another
process has taken since is left out. The other process tries those deliveries again; that is the "at least once" of the promise.

The statements take positional rows and skip SQLAlchemy's named parameters: at 256 outcomes a commit that is a third of the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from hub.core.clock import UtcMs
from hub.storage.direct import change, fetch, run, run_many
from hub.storage.transaction import DialectName, Tx

PENDING, HELD, OK, DEAD, CANCELLED = range(5)
"""`wh_delivery.state`."""
STATES: tuple[Literal["pending", "held", "ok", "dead", "cancelled"], ...] = (
    "pending",
    "held",
    "ok",
    "dead",
    "cancelled",
)


class OutcomeRow(NamedTuple):
    """Where a delivery stands after a try. The order is that of the update's parameters."""

    state: int
    attempts: int
    due_at: UtcMs
    first_at: UtcMs
    done_at: UtcMs | None
    why: str | None
    id: int


class AttemptRow(NamedTuple):
    """One try for the log. The order is that of the insert's parameters."""

    account_id: str
    delivery_id: int
    endpoint_id: str
    n: int
    is_probe: bool
    started_at: UtcMs
    ms_dns: int | None
    ms_connect: int | None
    ms_tls: int | None
    ms_first: int | None
    ms_total: int | None
    address: str | None
    status: int | None
    outcome: str
    error: str | None
    request_headers: str | None
    response_headers: str | None
    response_body: bytes | None
    node: str


class LaneMemory(NamedTuple):
    """What a lane remembers over a restart. The order is that of the update's parameters."""

    paused_until: UtcMs | None
    breaker: str
    failing_since: UtcMs | None
    last_ok_at: UtcMs | None
    tries_since_ok: int
    noticed: int
    watch: str
    endpoint_id: str


class Parked(NamedTuple):
    """A delivery that waits behind another of its key until then."""

    due_at: UtcMs
    id: int


_ATTEMPT_TYPES = {
    "delivery_id": "bigint",
    "n": "bigint",
    "is_probe": "boolean",
    "started_at": "bigint",
    "ms_dns": "bigint",
    "ms_connect": "bigint",
    "ms_tls": "bigint",
    "ms_first": "bigint",
    "ms_total": "bigint",
    "status": "bigint",
    "response_body": "bytea",
}
_OUTCOME_TYPES = {"why": "text"}


def _unnest(fields: Sequence[str], types: Mapping[str, str], default: str) -> str:
    arrays = ", ".join(f"cast(:{name} as {types.get(name, default)}[])" for name in fields)
    return f"unnest({arrays}) as u({', '.join(fields)})"


_OUTCOMES_SQLITE = """update wh_delivery set state = ?, attempts = ?, due_at = ?, first_at = coalesce(first_at, ?), done_at = ?, why = ?
where id = ? and state = 0"""
_OUTCOMES_POSTGRESQL = text(
    f"""update wh_delivery d set state = u.state, attempts = u.attempts, due_at = u.due_at, done_at = u.done_at, why = u.why,
  first_at = coalesce(d.first_at, u.first_at)
from {_unnest(OutcomeRow._fields, _OUTCOME_TYPES, "bigint")} where d.id = u.id and d.state = 0"""
)
_ATTEMPTS_SQLITE = f"""insert into wh_attempt ({", ".join(AttemptRow._fields)})
values ({", ".join("?" for _ in AttemptRow._fields)})"""
_ATTEMPTS_POSTGRESQL = text(
    f"""insert into wh_attempt ({", ".join(AttemptRow._fields)})
select * from {_unnest(AttemptRow._fields, _ATTEMPT_TYPES, "text")}"""
)
_MEMORY = {
    "sqlite": f"""update wh_lane set {", ".join(f"{name} = ?" for name in LaneMemory._fields[:-1])} where endpoint_id = ?""",
    "postgresql": f"""update wh_lane set {", ".join(f"{name} = %s" for name in LaneMemory._fields[:-1])} where endpoint_id = %s""",
}
_PARK = {
    "sqlite": "update wh_delivery set due_at = ? where id = ? and state = 0",
    "postgresql": "update wh_delivery set due_at = %s where id = %s and state = 0",
}


def fences(tx: Tx, endpoint_ids: Iterable[str]) -> dict[str, int]:
    """The present fence of each lane; on PostgreSQL the lanes are locked until the commit, in one order for all."""
    wanted = sorted(endpoint_ids)
    return {row[0]: row[1] for row in fetch(tx.conn, _FENCES[tx.dialect], {"ids": _list(tx.dialect, wanted)})}


_FENCES: Mapping[DialectName, TextClause] = {
    "sqlite": text("select endpoint_id, fence from wh_lane where endpoint_id in (select value from json_each(:ids))"),
    "postgresql": text(
        "select endpoint_id, fence from wh_lane where endpoint_id = any (:ids) order by endpoint_id for update"
    ).bindparams(bindparam("ids", type_=ARRAY(Text()))),
}


def write_outcomes(tx: Tx, rows: Sequence[OutcomeRow]) -> int:
    """Write where deliveries stand; returns how many were still pending (somebody may have cancelled one meanwhile)."""
    if not rows:
        return 0
    if tx.dialect == "sqlite":
        return run_many(tx.conn, _OUTCOMES_SQLITE, rows)
    return change(tx.conn, _OUTCOMES_POSTGRESQL, _columns(OutcomeRow._fields, rows))


def write_attempts(tx: Tx, rows: Sequence[AttemptRow]) -> None:
    """Add to the delivery log."""
    if rows and tx.dialect == "sqlite":
        run_many(tx.conn, _ATTEMPTS_SQLITE, rows)
    elif rows:
        run(tx.conn, _ATTEMPTS_POSTGRESQL, _columns(AttemptRow._fields, rows))


def write_memory(tx: Tx, rows: Sequence[LaneMemory]) -> None:
    """Write what lanes remember."""
    if rows:
        tx.conn.exec_driver_sql(_MEMORY[tx.dialect], list(rows))


def park(tx: Tx, rows: Sequence[Parked]) -> None:
    """Let deliveries wait behind another one."""
    if rows:
        tx.conn.exec_driver_sql(_PARK[tx.dialect], list(rows))


_DISABLE = text(
    """update wh_endpoint set state = 'disabled', state_reason = :reason, version = version + 1, updated_at = :now
where id = :endpoint_id and state <> 'disabled' and deleted_at is null"""
)
_DUE_NOW = text(
    """update wh_delivery set due_at = :now
where endpoint_id = :endpoint_id and queue in (0, 1) and state = 0 and due_at > :now and attempts <= :most_attempts"""
)
_TRYING = text(
    """update wh_lane set trying_times = case when trying_id = :delivery_id then trying_times + 1 else 1 end, trying_id = :delivery_id
where endpoint_id = :endpoint_id and fence = :fence"""
)
_COUNT_WAITING = text(
    """select (select count(*) from wh_delivery where endpoint_id = :endpoint_id and state = 0)
  + (select count(*) from wh_delivery where endpoint_id = :endpoint_id and state = 1)"""
)


def disable_endpoint(tx: Tx, endpoint_id: str, reason: str) -> bool:
    """Switch an endpoint off; False when it was off already or is gone."""
    values = {"endpoint_id": endpoint_id, "reason": reason, "now": tx.now}
    return tx.conn.execute(_DISABLE, values).rowcount > 0


def make_due(tx: Tx, endpoint_id: str, now: UtcMs, most_attempts: int) -> None:
    """An endpoint is back: what waited for it is due at once, except what failed so often that it may be at fault itself."""
    tx.conn.execute(_DUE_NOW, {"endpoint_id": endpoint_id, "now": now, "most_attempts": most_attempts})


def mark_trying(tx: Tx, endpoint_id: str, fence: int, delivery_id: int) -> bool:
    """Note which delivery is about to be tried, in case that stops the process; False when the lane is another's now."""
    values = {"endpoint_id": endpoint_id, "fence": fence, "delivery_id": delivery_id}
    return tx.conn.execute(_TRYING, values).rowcount > 0


def count_waiting(tx: Tx, endpoint_id: str) -> int:
    """Deliveries pending or held for an endpoint."""
    return int(tx.conn.execute(_COUNT_WAITING, {"endpoint_id": endpoint_id}).scalar_one())


def _columns(fields: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: list(column) for name, column in zip(fields, zip(*rows, strict=True), strict=True)}


def _list(dialect: DialectName, values: list[str]) -> Any:
    return values if dialect == "postgresql" else "[" + ",".join(f'"{value}"' for value in values) + "]"
