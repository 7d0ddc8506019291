"""Accounts, API keys and the counter that tells every process when a credential changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, RowMapping, Text, and_, bindparam, cast, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.schema.accounts import Account, ApiKey, HubFact
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_ACCOUNT = table_of(Account)
_KEY = table_of(ApiKey)
_FACT = table_of(HubFact)

CREDENTIALS_VERSION = "credentials_version"
"""The fact that is raised with each change of a credential: a process that reads another number forgets what it cached."""


class AccountRow(msgspec.Struct, frozen=True):
    """One account as it is stored."""

    id: str
    name: str
    created_at: UtcMs
    settings: str
    sandbox_of: str | None = None
    """The account whose sandbox this is."""


class KeyRow(msgspec.Struct, frozen=True):
    """One API key as it is stored; the key itself is nowhere."""

    id: str
    account_id: str
    name: str
    hint: str
    scopes: str
    created_at: UtcMs
    expires_at: UtcMs | None
    revoked_at: UtcMs | None
    last_used_at: UtcMs | None
    replaces_id: str | None

    def is_alive(self, now: UtcMs) -> bool:
        """Neither revoked nor past its end."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


_KEY_COLUMNS = [_KEY.c[name] for name in KeyRow.__struct_fields__]
_INSERT_ACCOUNT = insert(_ACCOUNT)
_SELECT_ACCOUNT = select(_ACCOUNT).where(_ACCOUNT.c.id == bindparam("account_id"))
_SELECT_ACCOUNTS = select(_ACCOUNT).where(_ACCOUNT.c.sandbox_of.is_(None)).order_by(_ACCOUNT.c.id)
_SELECT_EVERY_ACCOUNT = select(_ACCOUNT).order_by(_ACCOUNT.c.id)
_SELECT_SANDBOX = select(_ACCOUNT).where(_ACCOUNT.c.sandbox_of == bindparam("account_id"))
_SELECT_SOME_ACCOUNTS = select(_ACCOUNT).where(_ACCOUNT.c.id.in_(bindparam("account_ids", expanding=True)))
_INSERT_KEY = insert(_KEY)
_SELECT_BY_HASH = select(*_KEY_COLUMNS).where(_KEY.c.key_sha256 == bindparam("key_sha256"))
_SELECT_KEY = select(*_KEY_COLUMNS).where(
    and_(_KEY.c.account_id == bindparam("account_id"), _KEY.c.id == bindparam("key_id"))
)
_SELECT_KEYS = (
    select(*_KEY_COLUMNS)
    .where(
        _KEY.c.account_id == bindparam("account_id"),
        or_(bindparam("before", type_=_KEY.c.id.type).is_(None), _KEY.c.id < bindparam("before")),
    )
    .order_by(_KEY.c.id.desc())
    .limit(bindparam("most"))
)
_SELECT_SUCCESSORS = select(*_KEY_COLUMNS).where(
    _KEY.c.account_id == bindparam("account_id"), _KEY.c.replaces_id == bindparam("key_id")
)
_TOUCH = (
    update(_KEY)
    .where(
        _KEY.c.id == bindparam("key_id"),
        or_(_KEY.c.last_used_at.is_(None), _KEY.c.last_used_at < bindparam("used_at")),
    )
    .values(last_used_at=bindparam("used_at"))
)
_SELECT_FACT = select(_FACT.c.value).where(_FACT.c.name == bindparam("name"))


def insert_accounts(tx: Tx, rows: Sequence[AccountRow]) -> None:
    """Store new accounts."""
    tx.conn.execute(_INSERT_ACCOUNT, [msgspec.structs.asdict(row) for row in rows])


def find_account(conn: Connection, account_id: str) -> AccountRow | None:
    """One account."""
    row = conn.execute(_SELECT_ACCOUNT, {"account_id": account_id}).mappings().first()
    return None if row is None else _account(row)


def find_accounts(conn: Connection, account_ids: Iterable[str]) -> dict[str, AccountRow]:
    """Several accounts by id; those that do not exist are missing."""
    rows = conn.execute(_SELECT_SOME_ACCOUNTS, {"account_ids": sorted(set(account_ids))}).mappings()
    return {row["id"]: _account(row) for row in rows}


def list_accounts(conn: Connection) -> list[AccountRow]:
    """Every account of the hub but sandboxes, oldest first: for the operator's command line."""
    return [_account(row) for row in conn.execute(_SELECT_ACCOUNTS).mappings()]


def list_with_sandboxes(conn: Connection) -> list[AccountRow]:
    """Every account of the hub, sandboxes too, oldest first: for what is done to all rows alike."""
    return [_account(row) for row in conn.execute(_SELECT_EVERY_ACCOUNT).mappings()]


def insert_sandbox(tx: Tx, row: AccountRow) -> None:
    """Store the sandbox of an account, unless it has one."""
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    statement = build(_ACCOUNT).values(**msgspec.structs.asdict(row))
    tx.conn.execute(statement.on_conflict_do_nothing(index_elements=["sandbox_of"]))


def find_sandbox(conn: Connection, account_id: str) -> AccountRow | None:
    """The sandbox of an account; None when it has none yet."""
    row = conn.execute(_SELECT_SANDBOX, {"account_id": account_id}).mappings().first()
    return None if row is None else _account(row)


def is_sandbox(conn: Connection, account_id: str) -> bool:
    """Whether this account is another one's sandbox."""
    row = find_account(conn, account_id)
    return row is not None and row.sandbox_of is not None


def update_account(tx: Tx, account_id: str, values: Mapping[str, str]) -> None:
    """Change the name or the stored settings."""
    tx.conn.execute(update(_ACCOUNT).where(_ACCOUNT.c.id == account_id).values(**values))


def insert_keys(tx: Tx, rows: Sequence[KeyRow], hashes: Sequence[str]) -> None:
    """Store new keys with the SHA-256 (hex) of each."""
    tx.conn.execute(
        _INSERT_KEY,
        [
            {**msgspec.structs.asdict(row), "key_sha256": key_sha256}
            for row, key_sha256 in zip(rows, hashes, strict=True)
        ],
    )


def find_key_by_hash(conn: Connection, key_sha256: str) -> KeyRow | None:
    """The key with this SHA-256, of whatever account: the one look-up without an account, because it finds the account."""
    row = conn.execute(_SELECT_BY_HASH, {"key_sha256": key_sha256}).mappings().first()
    return None if row is None else _key(row)


def find_key(conn: Connection, account_id: str, key_id: str) -> KeyRow | None:
    """One key of an account."""
    row = conn.execute(_SELECT_KEY, {"account_id": account_id, "key_id": key_id}).mappings().first()
    return None if row is None else _key(row)


def list_keys(conn: Connection, account_id: str, before: str | None, most: int) -> list[KeyRow]:
    """Keys of an account, newest first, from below the id `before` on."""
    rows = conn.execute(_SELECT_KEYS, {"account_id": account_id, "before": before, "most": most}).mappings()
    return [_key(row) for row in rows]


def list_successors(conn: Connection, account_id: str, key_id: str) -> list[KeyRow]:
    """The keys made by rotating this one."""
    rows = conn.execute(_SELECT_SUCCESSORS, {"account_id": account_id, "key_id": key_id}).mappings()
    return [_key(row) for row in rows]


def update_key(tx: Tx, account_id: str, key_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of one key of the account."""
    tx.conn.execute(update(_KEY).where(_KEY.c.account_id == account_id, _KEY.c.id == key_id).values(**values))


def touch_keys(tx: Tx, used_at: Mapping[str, UtcMs]) -> None:
    """Note when keys were last used; never moves one back."""
    if used_at:
        tx.conn.execute(_TOUCH, [{"key_id": key_id, "used_at": at} for key_id, at in sorted(used_at.items())])


def credentials_version(conn: Connection) -> int:
    """How often a credential of this hub has changed."""
    value = conn.execute(_SELECT_FACT, {"name": CREDENTIALS_VERSION}).scalar()
    return int(value) if value is not None else 0


def raise_credentials_version(tx: Tx) -> None:
    """Call in the transaction that changes a credential, so that other processes forget what they cached of it."""
    known = credentials_version(tx.conn)
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    statement = build(_FACT).values(name=CREDENTIALS_VERSION, value=str(known + 1))
    raised = cast(cast(_FACT.c.value, BigInteger) + 1, Text)
    tx.conn.execute(statement.on_conflict_do_update(index_elements=[_FACT.c.name], set_={"value": raised}))


def _account(row: RowMapping) -> AccountRow:
    return AccountRow(**row)


def _key(row: RowMapping) -> KeyRow:
    return KeyRow(**row)
