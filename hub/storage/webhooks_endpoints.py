"""Endpoints as their owners make, change and read them. Every statement names the account."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.schema.webhooks import WebhookEndpoint, WebhookLane
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of
from hub.storage.webhooks_outbox import ORDER_KEY

COUNTED = 10_000
"""Waiting deliveries are counted up to here: a count of everything would grow with the backlog."""
LANE_COLUMNS = ("failing_since", "last_ok_at", "tries_since_ok", "paused_until", "breaker", "watch")

_ENDPOINT = table_of(WebhookEndpoint)
_LANE = table_of(WebhookLane)
_ROWS = (
    select(*_ENDPOINT.c, *[_LANE.c[name].label(f"lane_{name}") for name in LANE_COLUMNS])
    .join_from(_ENDPOINT, _LANE, _LANE.c.endpoint_id == _ENDPOINT.c.id)
    .where(_ENDPOINT.c.account_id == bindparam("account_id"), _ENDPOINT.c.deleted_at.is_(None))
)
_ONE = _ROWS.where(_ENDPOINT.c.id == bindparam("endpoint_id"))
_ALL = _ROWS.order_by(_ENDPOINT.c.created_at, _ENDPOINT.c.id)
_SUBSCRIBED = _ALL.where(_ENDPOINT.c.is_implicit.is_(False))
_SOME = """(select count(*) from (select 1 from wh_delivery d where d.endpoint_id = ep.id and d.state = {0} limit :most) x)"""
_WAITING = text(
    f"""select ep.id, {_SOME.format(0)}, {_SOME.format(1)} from wh_endpoint ep
where ep.account_id = :account_id and ep.deleted_at is null and (ep.id = :endpoint_id or :endpoint_id = '')"""
)
_COUNT = select(func.count()).where(
    _ENDPOINT.c.account_id == bindparam("account_id"),
    _ENDPOINT.c.deleted_at.is_(None),
    _ENDPOINT.c.is_implicit.is_(False),
)
_INSERT: Mapping[DialectName, Any] = {
    "sqlite": sqlite.insert(_ENDPOINT).on_conflict_do_nothing().returning(_ENDPOINT.c.id),
    "postgresql": postgresql.insert(_ENDPOINT).on_conflict_do_nothing().returning(_ENDPOINT.c.id),
}
_INSERT_LANE = insert(_LANE)
_FORWARDING = select(_ENDPOINT.c.id).where(
    _ENDPOINT.c.account_id == bindparam("account_id"),
    _ENDPOINT.c.forwards_line_id == bindparam("line_id"),
    _ENDPOINT.c.deleted_at.is_(None),
)
_CHANGE = update(_ENDPOINT).where(
    _ENDPOINT.c.id == bindparam("_id"),
    _ENDPOINT.c.account_id == bindparam("_account_id"),
    _ENDPOINT.c.version == bindparam("_version"),
    _ENDPOINT.c.deleted_at.is_(None),
)


class StoredEndpoint:
    """An endpoint's row, its lane's memory, and how much waits for it."""

    __slots__ = ("held", "lane", "pending", "row")

    def __init__(self, row: RowMapping, pending: int, held: int) -> None:
        self.row = {column.name: row[column.name] for column in _ENDPOINT.c}
        self.lane = {name: row[f"lane_{name}"] for name in LANE_COLUMNS}
        self.pending = pending
        self.held = held


def list_endpoints(conn: Connection, account_id: str, *, implicit: bool) -> list[StoredEndpoint]:
    """An account's endpoints, oldest first; those behind messages' own targets only when asked for."""
    rows = conn.execute(_ALL if implicit else _SUBSCRIBED, {"account_id": account_id}).mappings().all()
    waiting = _waiting(conn, account_id, "")
    return [StoredEndpoint(row, *waiting[row["id"]]) for row in rows]


def find_endpoint(conn: Connection, account_id: str, endpoint_id: str) -> StoredEndpoint | None:
    """One of an account's endpoints."""
    row = conn.execute(_ONE, {"account_id": account_id, "endpoint_id": endpoint_id}).mappings().first()
    return None if row is None else StoredEndpoint(row, *_waiting(conn, account_id, endpoint_id)[endpoint_id])


def find_forwarding(conn: Connection, account_id: str, line_id: str) -> str | None:
    """The endpoint that forwards a line of an account."""
    found: str | None = conn.execute(_FORWARDING, {"account_id": account_id, "line_id": line_id}).scalar_one_or_none()
    return found


def _waiting(conn: Connection, account_id: str, endpoint_id: str) -> dict[str, tuple[int, int]]:
    values = {"account_id": account_id, "endpoint_id": endpoint_id, "most": COUNTED}
    return {row[0]: (row[1], row[2]) for row in conn.execute(_WAITING, values)}


def count_endpoints(tx: Tx, account_id: str) -> int:
    """An account's subscriptions."""
    return int(tx.conn.execute(_COUNT, {"account_id": account_id}).scalar_one())


def insert_endpoint(tx: Tx, row: Mapping[str, Any]) -> bool:
    """A new endpoint and its lane; False when another one forwards the same line."""
    given = {**row, "created_at": tx.now, "updated_at": tx.now}
    if tx.conn.execute(_INSERT[tx.dialect], given).scalar_one_or_none() is None:
        return False
    tx.conn.execute(_INSERT_LANE, {"endpoint_id": row["id"], "account_id": row["account_id"]})
    return True


def change_endpoint(tx: Tx, account_id: str, endpoint_id: str, version: int, values: Mapping[str, Any]) -> bool:
    """Change columns and raise the version; False when the endpoint is gone or no longer at `version`."""
    where = {"_id": endpoint_id, "_account_id": account_id, "_version": version}
    changed = {**values, "version": version + 1, "updated_at": tx.now}
    return tx.conn.execute(_CHANGE.values(changed), where).rowcount > 0


_REORDER = text(
    f"""update wh_delivery set order_key = (
  select case when wh_delivery.queue = 1 and k.order_key <> '' then '~' || k.order_key else k.order_key end
  from (select {ORDER_KEY} as order_key from wh_endpoint ep, wh_event ev
    where ep.id = wh_delivery.endpoint_id and ev.seq = wh_delivery.event_seq) k)
where endpoint_id = :endpoint_id and state = :state
  and exists (select 1 from wh_event ev where ev.seq = wh_delivery.event_seq)"""
)


def reorder(tx: Tx, endpoint_id: str) -> None:
    """An endpoint keeps another order from now on: so do its deliveries that wait."""
    for state in (0, 1):
        tx.conn.execute(_REORDER, {"endpoint_id": endpoint_id, "state": state})


_LAST_HELD = text("select max(id) from wh_delivery where endpoint_id = :endpoint_id and state = 1")
_START_ANEW = text(
    """update wh_lane set failing_since = null, tries_since_ok = 0, noticed = 0, breaker = '{}', paused_until = null
where endpoint_id = :endpoint_id"""
)
_BEGIN_AGAIN = text(
    "update wh_delivery set attempts = 0, first_at = null, due_at = :now where endpoint_id = :endpoint_id and state = 0"
)
_CHORE = text("update wh_lane set chore = :chore where endpoint_id = :endpoint_id")


def last_held(tx: Tx, endpoint_id: str) -> int | None:
    """The newest delivery held for an endpoint."""
    found = tx.conn.execute(_LAST_HELD, {"endpoint_id": endpoint_id}).scalar()
    return None if found is None else int(found)


def start_anew(tx: Tx, endpoint_id: str) -> None:
    """Forget how sending went so far."""
    tx.conn.execute(_START_ANEW, {"endpoint_id": endpoint_id})


def begin_again(tx: Tx, endpoint_id: str) -> None:
    """What waits is due now, with all its tries before it: it goes another way than it went so far."""
    tx.conn.execute(_BEGIN_AGAIN, {"endpoint_id": endpoint_id, "now": tx.now})


def set_chore(tx: Tx, endpoint_id: str, chore: str | None) -> None:
    """What is to be done with the deliveries that wait for an endpoint."""
    tx.conn.execute(_CHORE, {"endpoint_id": endpoint_id, "chore": chore})


_SECRETS = text("update wh_endpoint set secrets = :secrets where id = :endpoint_id and length(secrets) = 0")


def give_secrets(tx: Tx, endpoint_id: str, secrets: bytes) -> bool:
    """The first keys of an implicit endpoint; False when it has some already."""
    return tx.conn.execute(_SECRETS, {"endpoint_id": endpoint_id, "secrets": secrets}).rowcount > 0


def delete_endpoint(tx: Tx, account_id: str, endpoint_id: str) -> bool:
    """Delete an endpoint; False when there is none. What waits for it is cancelled by the upkeep loop."""
    row = tx.conn.execute(_ONE, {"account_id": account_id, "endpoint_id": endpoint_id}).mappings().first()
    if row is None:
        return False
    return change_endpoint(tx, account_id, endpoint_id, row["version"], {"deleted_at": tx.now, "state": "disabled"})


def one_endpoint(tx: Tx, account_id: str, endpoint_id: str) -> RowMapping | None:
    """An endpoint's row and its lane's (`lane_…`), in the writing transaction."""
    return tx.conn.execute(_ONE, {"account_id": account_id, "endpoint_id": endpoint_id}).mappings().first()
