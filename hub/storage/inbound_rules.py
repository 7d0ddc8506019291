"""Rules of numbers: who is told of texts to one number of an account. The webhook outbox holds them against each inbound text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.schema.gateways import InboundRule
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

RULE = table_of(InboundRule)


class RuleRow(msgspec.Struct, frozen=True):
    """One rule as it is stored."""

    account_id: str
    number: str
    gateway_id: str | None
    webhook_ids: str
    user_ids: str
    created_at: UtcMs
    updated_at: UtcMs


_COLUMNS = tuple(RULE.c[name] for name in RuleRow.__struct_fields__)
_CHANGING = ("gateway_id", "webhook_ids", "user_ids", "updated_at")
_ONE = select(*_COLUMNS).where(RULE.c.account_id == bindparam("account_id"), RULE.c.number == bindparam("number"))
_COUNT = select(func.count()).select_from(RULE).where(RULE.c.account_id == bindparam("account_id"))
_LINES_OF_USER = {
    dialect: text(
        "select l.id from inbound_rule r join line l on l.account_id = r.account_id and l.number = r.number"
        f" where r.account_id = :account_id and l.removed_at is null and {found}(r.user_ids, :quoted) > 0"
    )
    for dialect, found in (("sqlite", "instr"), ("postgresql", "strpos"))
}


def _upsert(insert: Any) -> Any:
    statement = insert(RULE)
    changed = {name: statement.excluded[name] for name in _CHANGING}
    return statement.on_conflict_do_update(index_elements=["account_id", "number"], set_=changed)


_PUT: Mapping[DialectName, Any] = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}


def put_rule(tx: Tx, row: RuleRow) -> RuleRow:
    """Store a rule, in place of the one its number had; what is stored now."""
    tx.conn.execute(_PUT[tx.dialect], msgspec.structs.asdict(row))
    return find_rule(tx.conn, row.account_id, row.number) or row


def find_rule(conn: Connection, account_id: str, number: str) -> RuleRow | None:
    """The rule of a number."""
    row = conn.execute(_ONE, {"account_id": account_id, "number": number}).first()
    return None if row is None else RuleRow(*row)


def count_rules(conn: Connection, account_id: str) -> int:
    """How many rules an account has."""
    return int(conn.execute(_COUNT, {"account_id": account_id}).scalar_one())


def delete_rule(tx: Tx, account_id: str, number: str) -> None:
    """The number is everybody's again."""
    tx.conn.execute(delete(RULE).where(RULE.c.account_id == account_id, RULE.c.number == number))


def forget_gateway(tx: Tx, account_id: str, gateway_id: str) -> None:
    """The gateway ended: no rule names it any more, and one that named nothing else is gone."""
    ours = RULE.c.account_id == account_id
    tx.conn.execute(update(RULE).where(ours, RULE.c.gateway_id == gateway_id).values(gateway_id=None))
    names_nothing = (RULE.c.gateway_id.is_(None), RULE.c.webhook_ids == "[]", RULE.c.user_ids == "[]")
    tx.conn.execute(delete(RULE).where(ours, *names_nothing))


def list_rules(conn: Connection, account_id: str, after: str | None, limit: int) -> tuple[list[RuleRow], str | None]:
    """A page of rules, by number, and where to go on."""
    statement = select(*_COLUMNS).where(RULE.c.account_id == account_id)
    if after is not None:
        statement = statement.where(RULE.c.number > after)
    rows = conn.execute(statement.order_by(RULE.c.number).limit(limit + 1)).all()
    found = [RuleRow(*row) for row in rows[:limit]]
    return found, found[-1].number if len(rows) > limit else None


def lines_of_user(conn: Connection, account_id: str, user_id: str) -> frozenset[str]:
    """The lines whose numbers' rules name this person."""
    statement = _LINES_OF_USER[conn.dialect.name]
    return frozenset(conn.execute(statement, {"account_id": account_id, "quoted": f'"{user_id}"'}).scalars())
