"""Gateways: rows of `gateway`, and the webhooks that are signed with their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.schema.gateways import Gateway
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_GATEWAY = table_of(Gateway)


class GatewayRow(msgspec.Struct, frozen=True):
    """One gateway as it is stored."""

    id: str
    account_id: str
    name: str
    name_key: str
    sid: str
    tokens: bytes
    sender: str | None
    line_ids: str
    status_url: str | None
    endpoint_id: str | None
    created_at: UtcMs
    updated_at: UtcMs
    deleted_at: UtcMs | None = None

    def __repr__(self) -> str:
        return f"GatewayRow({self.id})"


_LIVING = select(_GATEWAY).where(_GATEWAY.c.deleted_at.is_(None))
_BY_SID = _LIVING.where(_GATEWAY.c.sid == bindparam("sid"))
_BY_NAME = _LIVING.where(_GATEWAY.c.name_key == bindparam("name_key"))
_ONE = _LIVING.where(_GATEWAY.c.account_id == bindparam("account_id"), _GATEWAY.c.id == bindparam("gateway_id"))
_PAGE = (
    _LIVING.where(
        _GATEWAY.c.account_id == bindparam("account_id"),
        or_(bindparam("before", type_=_GATEWAY.c.id.type).is_(None), _GATEWAY.c.id < bindparam("before")),
    )
    .order_by(_GATEWAY.c.id.desc())
    .limit(bindparam("most"))
)
# A lane reads its endpoint again when the version rises.
_SIGNED_ANEW = text("update wh_endpoint set version = version + 1, updated_at = :now where gateway_id = :gateway_id")
_ENDPOINTS = text("select id from wh_endpoint where gateway_id = :gateway_id and deleted_at is null")


def insert_gateway(tx: Tx, row: GatewayRow) -> bool:
    """Store a new gateway; False when another one has its name or its SID."""
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    statement = build(_GATEWAY).values(**msgspec.structs.asdict(row)).on_conflict_do_nothing().returning(_GATEWAY.c.id)
    return tx.conn.execute(statement).scalar_one_or_none() is not None


def find_gateway(conn: Connection, account_id: str, gateway_id: str) -> GatewayRow | None:
    """One gateway of an account."""
    return _first(conn.execute(_ONE, {"account_id": account_id, "gateway_id": gateway_id}).mappings().first())


def find_gateway_by_sid(conn: Connection, sid: str) -> GatewayRow | None:
    """The gateway of a SID, of whatever account: the look-up that finds the account."""
    return _first(conn.execute(_BY_SID, {"sid": sid}).mappings().first())


def find_gateway_by_name(conn: Connection, name_key: str) -> GatewayRow | None:
    """The gateway of a name, of whatever account."""
    return _first(conn.execute(_BY_NAME, {"name_key": name_key}).mappings().first())


def list_gateways(conn: Connection, account_id: str, before: str | None, most: int) -> list[GatewayRow]:
    """Gateways of an account, newest first, from below the id `before` on."""
    rows = conn.execute(_PAGE, {"account_id": account_id, "before": before, "most": most}).mappings()
    return [GatewayRow(**row) for row in rows]


def change_gateway(tx: Tx, account_id: str, gateway_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a gateway."""
    tx.conn.execute(
        update(_GATEWAY)
        .where(_GATEWAY.c.account_id == account_id, _GATEWAY.c.id == gateway_id)
        .values(**values, updated_at=tx.now)
    )


def raise_endpoint_versions(tx: Tx, gateway_id: str) -> list[str]:
    """The tokens changed: its webhooks are to be read again; their ids."""
    tx.conn.execute(_SIGNED_ANEW, {"gateway_id": gateway_id, "now": tx.now})
    return [row[0] for row in tx.conn.execute(_ENDPOINTS, {"gateway_id": gateway_id})]


def _first(row: RowMapping | None) -> GatewayRow | None:
    return None if row is None else GatewayRow(**row)
