"""Balances and their ledger. Every change of a balance here writes its entry in the same call."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.direct import ask, fetch
from hub.storage.schema.credits import CreditAccount, CreditEntry
from hub.storage.transaction import Tx
from hub.storage.types import table_of

CREDITS = table_of(CreditAccount)
ENTRY = table_of(CreditEntry)


class CreditRow(msgspec.Struct, frozen=True):
    """What an account has left and pays. Amounts are millionths of the currency."""

    account_id: str
    currency: str
    price_micros: int
    balance_micros: int
    settled_micros: int
    is_on: bool


class EntryRow(NamedTuple):
    """One line of the ledger."""

    id: str
    account_id: str
    at: UtcMs
    kind: str
    amount_micros: int
    message_id: str | None = None
    turn: int = 0
    note: str | None = None


class Paid(NamedTuple):
    """What a text has cost so far: charges less refunds, and how often it was refunded."""

    account_id: str
    message_id: str
    micros: int
    refunds: int


_COLUMNS = [CREDITS.c[name] for name in CreditRow.__struct_fields__]
_ONE = select(*_COLUMNS).where(CREDITS.c.account_id == bindparam("account_id"))
_LOCK = (
    select(*_COLUMNS)
    .where(one_of(CREDITS.c.account_id, texts("account_ids")), CREDITS.c.is_on)
    .order_by(CREDITS.c.account_id)
    .with_for_update()
)
_PAID = (
    select(
        ENTRY.c.account_id,
        ENTRY.c.message_id,
        -func.sum(ENTRY.c.amount_micros),
        func.sum(case((ENTRY.c.kind == "refund", 1), else_=0)),
    )
    .where(one_of(ENTRY.c.message_id, texts("ids")), one_of(ENTRY.c.account_id, texts("account_ids")))
    .group_by(ENTRY.c.account_id, ENTRY.c.message_id)
)
_ENTRIES = (
    select(*(ENTRY.c[name] for name in EntryRow._fields))
    .where(ENTRY.c.account_id == bindparam("account_id"))
    .order_by(ENTRY.c.id.desc())
    .limit(bindparam("most"))
)
_MOVE = (
    update(CREDITS)
    .where(CREDITS.c.account_id == bindparam("b_account_id"))
    .values(balance_micros=CREDITS.c.balance_micros + bindparam("b_micros"))
)


def find_credits(conn: Connection, account_id: str) -> CreditRow | None:
    """The credits of an account; None for one that never had any."""
    row = conn.execute(_ONE, {"account_id": account_id}).first()
    return None if row is None else CreditRow(*row)


def ask_credits(conn: Connection, account_ids: Collection[str]) -> Callable[[], dict[str, CreditRow]]:
    """Those of these accounts that pay for their texts, locked until the transaction ends (`hub.storage.direct.ask`)."""
    rows = ask(conn, _LOCK, {"account_ids": sorted(account_ids)})
    return lambda: {row[0]: CreditRow(*row) for row in rows()}


def paid_for(conn: Connection, account_ids: Collection[str], message_ids: Collection[str]) -> list[Paid]:
    """What these texts of these accounts have cost; texts that were never charged are missing."""
    given = {"account_ids": sorted(account_ids), "ids": sorted(message_ids)}
    return [Paid(row[0], row[1], int(row[2]), int(row[3])) for row in fetch(conn, _PAID, given)]


def write_entries(tx: Tx, entries: Sequence[EntryRow]) -> None:
    """Add lines to the ledger, and move the balances by them."""
    if not entries:
        return
    tx.conn.execute(insert(ENTRY), [entry._asdict() for entry in entries])
    moved: dict[str, int] = {}
    for entry in entries:
        moved[entry.account_id] = moved.get(entry.account_id, 0) + entry.amount_micros
    tx.conn.execute(_MOVE, [{"b_account_id": account, "b_micros": micros} for account, micros in sorted(moved.items())])


def write_price(tx: Tx, account_id: str, currency: str, price_micros: int, *, is_on: bool) -> None:
    """Make an account pay, change what it pays, or let it off; its balance stays."""
    values = {"currency": currency, "price_micros": price_micros, "is_on": is_on}
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    statement = build(CREDITS).values(account_id=account_id, balance_micros=0, settled_micros=0, **values)
    tx.conn.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=values))


def entries_of(conn: Connection, account_id: str, most: int) -> list[EntryRow]:
    """The newest lines of an account's ledger, newest first."""
    return [EntryRow(*row) for row in conn.execute(_ENTRIES, {"account_id": account_id, "most": most})]
