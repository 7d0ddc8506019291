"""Which hub process sends to which endpoint, and what that endpoint's lane remembers.

On PostgreSQL a process leases lanes for 15 s and renews all of them with one statement every 5 s; taking one raises its `fence`, and
outcomes are written only under the fence they were made with (`hub.storage.webhooks_outcomes`), so that a process that was frozen and
lost its lanes writes nothing. Lease times are the database's own clock. On SQLite there is one process: whatever an earlier one owned
is free, and its fence is raised all the same.

A lane taken from an owner that did not give it back was left by a crash or a freeze; the times of those are kept (`takeovers`) until it
is given back in good order, because three within ten minutes mean that something in the lane may be what stops the process.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, TextClause, select, text

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.schema.gateways import Gateway
from hub.storage.schema.webhooks import WebhookEndpoint, WebhookLane
from hub.storage.transaction import DialectName, Done, Tx
from hub.storage.types import table_of

LEASE_MS = 15_000

_ENDPOINT = table_of(WebhookEndpoint)
_GATEWAY = table_of(Gateway)
_LANE = table_of(WebhookLane)


@dataclass(frozen=True, slots=True)
class LaneRow:
    """An endpoint's settings and its lane's memory, as stored."""

    endpoint: Mapping[str, Any]
    lane: Mapping[str, Any]
    gateway_tokens: bytes | None = None
    """The sealed tokens of the gateway it belongs to: what signs, instead of its own secrets."""


@dataclass(frozen=True, slots=True)
class TakeLanes:
    """Take these lanes for `node`, if nobody else sends there."""

    node: str
    endpoint_ids: tuple[str, ...]
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True)
class RenewLanes:
    """Keep what `node` owns."""

    node: str
    lease_ms: int = LEASE_MS


@dataclass(frozen=True, slots=True)
class ReleaseLanes:
    """Give lanes back in good order."""

    node: str
    endpoint_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a process learns when it renews."""

    owned: int
    nodes: int
    """Processes that send, this one included."""
    owned_by_all: int


_NOW = {"sqlite": ":now", "postgresql": "(extract(epoch from clock_timestamp()) * 1000)::bigint"}
_IDS = {
    "sqlite": "endpoint_id in (select value from json_each(:endpoint_ids))",
    "postgresql": "endpoint_id = any (cast(:endpoint_ids as text[]))",
}
# A process that has just started takes nothing over from itself; on SQLite every other owner is gone.
_FREE = {
    "sqlite": "(owner is null or owner <> :node)",
    "postgresql": f"(owner is null or owner = :node or lease_until < {_NOW['postgresql']})",
}
_SET_TAKEN = """owner = :node, fence = fence + 1, lease_until = {now} + :lease,
  takeovers = case when owner is null or owner = :node then takeovers else {add} end"""
_ADD_TAKEOVER = {
    "sqlite": "json_insert(takeovers, '$[#]', :now)",
    "postgresql": f"(takeovers::jsonb || to_jsonb({_NOW['postgresql']}))::text",
}


def _take(dialect: DialectName) -> TextClause:
    taken = _SET_TAKEN.format(now=_NOW[dialect], add=_ADD_TAKEOVER[dialect])
    if dialect == "sqlite":
        return text(f"update wh_lane set {taken} where {_IDS[dialect]} and {_FREE[dialect]} returning endpoint_id")
    free = (
        f"select endpoint_id from wh_lane where {_IDS[dialect]} and {_FREE[dialect]} order by 1 for update skip locked"
    )
    return text(f"update wh_lane set {taken} where endpoint_id in ({free}) returning endpoint_id")


_BOTH: tuple[DialectName, DialectName] = ("sqlite", "postgresql")
_TAKE = {dialect: _take(dialect) for dialect in _BOTH}
_RENEW = {
    dialect: text(f"update wh_lane set lease_until = {_NOW[dialect]} + :lease where owner = :node") for dialect in _BOTH
}
_SEEN = {
    dialect: text(
        f"""insert into wh_node (node, seen_at) values (:node, {_NOW[dialect]})
on conflict (node) do update set seen_at = excluded.seen_at"""
    )
    for dialect in _BOTH
}
_FORGET_NODES = {
    dialect: text(f"delete from wh_node where seen_at < {_NOW[dialect]} - 10 * :lease") for dialect in _BOTH
}
_COUNT = {
    dialect: text(
        f"""select (select count(*) from wh_node where seen_at > {_NOW[dialect]} - :lease),
  (select count(*) from wh_lane where owner is not null and lease_until > {_NOW[dialect]})"""
    )
    for dialect in _BOTH
}
_RELEASE = {
    dialect: text(
        f"""update wh_lane set owner = null, lease_until = null, takeovers = '[]', trying_id = null, trying_times = 0
where {_IDS[dialect]} and owner = :node"""
    )
    for dialect in _BOTH
}
_GONE = text("delete from wh_node where node = :node")
_LOAD = (
    select(*_ENDPOINT.c, *[column.label(f"lane_{column.name}") for column in _LANE.c], _GATEWAY.c.tokens)
    .select_from(
        _ENDPOINT.join(_LANE, _LANE.c.endpoint_id == _ENDPOINT.c.id).outerjoin(
            _GATEWAY, _GATEWAY.c.id == _ENDPOINT.c.gateway_id
        )
    )
    .where(one_of(_ENDPOINT.c.id, texts("endpoint_ids")))
)


def take_lanes(tx: Tx, commands: Sequence[TakeLanes]) -> list[Done[list[LaneRow]]]:
    """Use case: the lanes that are now the caller's, with the settings and memory to work with."""
    return [Done(_take_one(tx, command)) for command in commands]


def _take_one(tx: Tx, command: TakeLanes) -> list[LaneRow]:
    values = {
        "node": command.node,
        "endpoint_ids": _list(tx.dialect, command.endpoint_ids),
        "lease": command.lease_ms,
        "now": tx.now,
    }
    taken = [row[0] for row in tx.conn.execute(_TAKE[tx.dialect], values)]
    return load_lanes(tx.conn, taken)


def load_lanes(conn: Connection, endpoint_ids: Sequence[str]) -> list[LaneRow]:
    """Settings and memory of lanes, whoever owns them."""
    if not endpoint_ids:
        return []
    rows = conn.execute(_LOAD, {"endpoint_ids": list(endpoint_ids)}).mappings()
    return [
        LaneRow(
            {column.name: row[column.name] for column in _ENDPOINT.c},
            {column.name: row[f"lane_{column.name}"] for column in _LANE.c},
            row["tokens"],
        )
        for row in rows
    ]


def renew_lanes(tx: Tx, commands: Sequence[RenewLanes]) -> list[Done[Renewed]]:
    """Use case: `node` is alive and keeps its lanes."""
    done = []
    for command in commands:
        values = {"node": command.node, "lease": command.lease_ms, "now": tx.now}
        owned = tx.conn.execute(_RENEW[tx.dialect], values).rowcount
        for statement in (_SEEN, _FORGET_NODES):
            tx.conn.execute(statement[tx.dialect], values)
        nodes, by_all = tx.conn.execute(_COUNT[tx.dialect], values).one()
        done.append(Done(Renewed(owned, nodes, by_all)))
    return done


def release_lanes(tx: Tx, commands: Sequence[ReleaseLanes]) -> list[Done[None]]:
    """Use case: others may have these lanes at once. With no lanes named, the process leaves for good."""
    for command in commands:
        if not command.endpoint_ids:
            tx.conn.execute(_GONE, {"node": command.node})
            continue
        values = {"node": command.node, "endpoint_ids": _list(tx.dialect, command.endpoint_ids)}
        tx.conn.execute(_RELEASE[tx.dialect], values)
    return [Done(None) for _ in commands]


_FREE_LANES = text(
    f"""select endpoint_id from wh_lane where endpoint_id = any (cast(:endpoint_ids as text[]))
and (owner is null or lease_until < {_NOW["postgresql"]})"""
)


def free_lanes(conn: Connection, endpoint_ids: Sequence[str]) -> list[str]:
    """Those of these lanes that nobody else has a lease on; a look before asking for them in a transaction."""
    if not endpoint_ids or conn.dialect.name == "sqlite":
        return list(endpoint_ids)
    return [row[0] for row in conn.execute(_FREE_LANES, {"endpoint_ids": list(endpoint_ids)})]


_VERSIONS = select(_ENDPOINT.c.id, _ENDPOINT.c.version).where(one_of(_ENDPOINT.c.id, texts("endpoint_ids")))


def read_versions(conn: Connection, endpoint_ids: Sequence[str]) -> dict[str, int]:
    """The present version of each endpoint."""
    if not endpoint_ids:
        return {}
    return {row[0]: row[1] for row in conn.execute(_VERSIONS, {"endpoint_ids": list(endpoint_ids)})}


def takeovers_of(stored: str) -> tuple[UtcMs, ...]:
    """When a lane was taken from an owner that had not given it back."""
    return tuple(json.loads(stored))


_DATABASE_NOW = text("select (extract(epoch from clock_timestamp()) * 1000)::bigint")


def database_now(conn: Connection) -> UtcMs | None:
    """What time PostgreSQL has; None on SQLite, which has only the process's clock."""
    return None if conn.dialect.name == "sqlite" else int(conn.execute(_DATABASE_NOW).scalar_one())


def _list(dialect: DialectName, values: Sequence[str]) -> Any:
    return json.dumps(list(values)) if dialect == "sqlite" else list(values)
