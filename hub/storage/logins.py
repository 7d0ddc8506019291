"""Logins: rows of `basic_login`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.schema.accounts import BasicLogin
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_LOGIN = table_of(BasicLogin)


class LoginRow(msgspec.Struct, frozen=True):
    """One login as it is stored; the password itself is nowhere."""

    id: str
    account_id: str
    username: str
    username_key: str
    password_hash: str
    created_at: UtcMs
    password_at: UtcMs
    last_used_at: UtcMs | None

    def __repr__(self) -> str:
        return f"LoginRow({self.id})"


_SELECT_BY_KEY = select(_LOGIN).where(_LOGIN.c.username_key == bindparam("username_key"))
_SELECT_ONE = select(_LOGIN).where(_LOGIN.c.account_id == bindparam("account_id"), _LOGIN.c.id == bindparam("login_id"))
_SELECT_PAGE = (
    select(_LOGIN)
    .where(
        _LOGIN.c.account_id == bindparam("account_id"),
        or_(bindparam("before", type_=_LOGIN.c.id.type).is_(None), _LOGIN.c.id < bindparam("before")),
    )
    .order_by(_LOGIN.c.id.desc())
    .limit(bindparam("most"))
)
_TOUCH = (
    update(_LOGIN)
    .where(
        _LOGIN.c.id == bindparam("login_id"),
        or_(_LOGIN.c.last_used_at.is_(None), _LOGIN.c.last_used_at < bindparam("used_at")),
    )
    .values(last_used_at=bindparam("used_at"))
)


def insert_login(tx: Tx, row: LoginRow) -> bool:
    """Store a new login; False when somebody has the name already."""
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    statement = build(_LOGIN).values(**msgspec.structs.asdict(row)).on_conflict_do_nothing().returning(_LOGIN.c.id)
    return tx.conn.execute(statement).scalar_one_or_none() is not None


def find_login_by_name(conn: Connection, username_key: str) -> LoginRow | None:
    """The login of a name, of whatever account: the look-up that finds the account."""
    row = conn.execute(_SELECT_BY_KEY, {"username_key": username_key}).mappings().first()
    return None if row is None else _login(row)


def find_login(conn: Connection, account_id: str, login_id: str) -> LoginRow | None:
    """One login of an account."""
    row = conn.execute(_SELECT_ONE, {"account_id": account_id, "login_id": login_id}).mappings().first()
    return None if row is None else _login(row)


def list_logins(conn: Connection, account_id: str, before: str | None, most: int) -> list[LoginRow]:
    """Logins of an account, newest first, from below the id `before` on."""
    rows = conn.execute(_SELECT_PAGE, {"account_id": account_id, "before": before, "most": most}).mappings()
    return [_login(row) for row in rows]


def set_password(tx: Tx, account_id: str, login_id: str, password_hash: str) -> None:
    """Store another hash, and when."""
    tx.conn.execute(
        update(_LOGIN)
        .where(_LOGIN.c.account_id == account_id, _LOGIN.c.id == login_id)
        .values(password_hash=password_hash, password_at=tx.now)
    )


def delete_login(tx: Tx, account_id: str, login_id: str) -> None:
    """Remove one; its name is free again."""
    tx.conn.execute(delete(_LOGIN).where(_LOGIN.c.account_id == account_id, _LOGIN.c.id == login_id))


def touch_logins(tx: Tx, used_at: Mapping[str, UtcMs]) -> None:
    """Note when logins were last used; never moves one back."""
    tx.conn.execute(_TOUCH, [{"login_id": login_id, "used_at": at} for login_id, at in sorted(used_at.items())])


def _login(row: RowMapping) -> LoginRow:
    return LoginRow(**row)
