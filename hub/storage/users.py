"""People, the browsers they are signed in with, and their one-time links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, exists, func, insert, or_, select, update

from hub.core.clock import UtcMs
from hub.storage.inbound_rules import lines_of_user
from hub.storage.schema.users import SignIn, SignUp, User, UserLink
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_USER = table_of(User)
_SIGN_IN = table_of(SignIn)
_LINK = table_of(UserLink)
_SIGN_UP = table_of(SignUp)


class UserRow(msgspec.Struct, frozen=True):
    """One person as stored."""

    id: str
    account_id: str
    username: str
    name: str
    role: str
    line_ids: str | None
    password_hash: str | None
    totp_secret: bytes | None
    totp_pending: bytes | None
    totp_step: int
    recovery_hashes: str
    created_at: UtcMs
    last_seen_at: UtcMs | None
    disabled_at: UtcMs | None

    @property
    def lines(self) -> frozenset[str] | None:
        """The lines this person sees; None = all of the account."""
        return None if self.line_ids is None else frozenset(self.line_ids.split())


class SignInRow(msgspec.Struct, frozen=True):
    """One signed-in browser as stored."""

    id: str
    account_id: str
    user_id: str
    token_sha256: str
    created_at: UtcMs
    seen_at: UtcMs
    expires_at: UtcMs


class LinkRow(msgspec.Struct, frozen=True):
    """One one-time link as stored."""

    token_sha256: str
    account_id: str
    user_id: str | None
    created_at: UtcMs
    expires_at: UtcMs


class SignUpRow(msgspec.Struct, frozen=True):
    """Somebody who has not confirmed their address, as stored."""

    token_sha256: str
    username: str
    name: str
    password_hash: str
    sealed_token: bytes
    created_at: UtcMs
    expires_at: UtcMs

    def __repr__(self) -> str:
        return "SignUpRow()"


_USER_COLUMNS = [_USER.c[name] for name in UserRow.__struct_fields__]
_SIGN_IN_COLUMNS = [_SIGN_IN.c[name] for name in SignInRow.__struct_fields__]
_LINK_COLUMNS = [_LINK.c[name] for name in LinkRow.__struct_fields__]
_OF_ACCOUNT = _USER.c.account_id == bindparam("account_id")
_SELECT_USER = select(*_USER_COLUMNS).where(and_(_OF_ACCOUNT, _USER.c.id == bindparam("user_id")))
_SELECT_BY_USERNAME = select(*_USER_COLUMNS).where(_USER.c.username == bindparam("username"))
_SELECT_USERS = (
    select(*_USER_COLUMNS)
    .where(_OF_ACCOUNT, or_(bindparam("before", type_=_USER.c.id.type).is_(None), _USER.c.id < bindparam("before")))
    .order_by(_USER.c.id.desc())
    .limit(bindparam("most"))
)
_SELECT_ANY = select(exists(select(_USER.c.id)))
_SELECT_ADMINS = select(_USER.c.id).where(
    _OF_ACCOUNT, _USER.c.role == "admin", _USER.c.disabled_at.is_(None), _USER.c.password_hash.is_not(None)
)
_SELECT_SIGN_IN = (
    select(*[column.label(f"s_{column.name}") for column in _SIGN_IN_COLUMNS], *_USER_COLUMNS)
    .join(_USER, _USER.c.id == _SIGN_IN.c.user_id)
    .where(_SIGN_IN.c.token_sha256 == bindparam("token_sha256"))
)
_SELECT_SIGN_IN_BY_ID = (
    select(*[column.label(f"s_{column.name}") for column in _SIGN_IN_COLUMNS], *_USER_COLUMNS)
    .join(_USER, _USER.c.id == _SIGN_IN.c.user_id)
    .where(_SIGN_IN.c.account_id == bindparam("account_id"), _SIGN_IN.c.id == bindparam("sign_in_id"))
)
_SELECT_LINK = select(*_LINK_COLUMNS).where(_LINK.c.token_sha256 == bindparam("token_sha256"))
_TOUCH_SIGN_IN = (
    update(_SIGN_IN)
    .where(_SIGN_IN.c.id == bindparam("sign_in_id"), _SIGN_IN.c.seen_at < bindparam("at"))
    .values(seen_at=bindparam("at"))
)
_TOUCH_USER = (
    update(_USER)
    .where(
        _USER.c.id == bindparam("user_id"), or_(_USER.c.last_seen_at.is_(None), _USER.c.last_seen_at < bindparam("at"))
    )
    .values(last_seen_at=bindparam("at"))
)


def insert_user(tx: Tx, row: UserRow) -> None:
    """Store a new person; whether the username is free was asked before."""
    tx.conn.execute(insert(_USER), msgspec.structs.asdict(row))


def find_user(conn: Connection, account_id: str, user_id: str) -> UserRow | None:
    """One person of an account."""
    row = conn.execute(_SELECT_USER, {"account_id": account_id, "user_id": user_id}).mappings().first()
    return None if row is None else _user(row)


def find_user_by_username(conn: Connection, username: str) -> UserRow | None:
    """The person who signs in with this, of whatever account: the look-up that finds the account."""
    row = conn.execute(_SELECT_BY_USERNAME, {"username": username}).mappings().first()
    return None if row is None else _user(row)


def list_users(conn: Connection, account_id: str, before: str | None, most: int) -> list[UserRow]:
    """People of an account, newest first, from below the id `before` on."""
    rows = conn.execute(_SELECT_USERS, {"account_id": account_id, "before": before, "most": most}).mappings()
    return [_user(row) for row in rows]


def is_anybody_there(conn: Connection) -> bool:
    """Whether the hub has a person at all."""
    return bool(conn.execute(_SELECT_ANY).scalar_one())


def list_admin_ids(conn: Connection, account_id: str) -> list[str]:
    """Those who can sign in and administer the account."""
    return list(conn.execute(_SELECT_ADMINS, {"account_id": account_id}).scalars())


def update_user(tx: Tx, account_id: str, user_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of one person of the account."""
    tx.conn.execute(update(_USER).where(_USER.c.account_id == account_id, _USER.c.id == user_id).values(**values))


def delete_user(tx: Tx, account_id: str, user_id: str) -> None:
    """Forget a person, whose browsers and links are gone already."""
    tx.conn.execute(delete(_USER).where(_USER.c.account_id == account_id, _USER.c.id == user_id))


def insert_sign_in(tx: Tx, row: SignInRow) -> None:
    """Store a newly signed-in browser."""
    tx.conn.execute(insert(_SIGN_IN), msgspec.structs.asdict(row))


def find_sign_in(conn: Connection, token_sha256: str) -> tuple[SignInRow, UserRow] | None:
    """A signed-in browser by the hash of its token, and whose it is, with every line that person sees."""
    row = conn.execute(_SELECT_SIGN_IN, {"token_sha256": token_sha256}).mappings().first()
    return None if row is None else (_sign_in(row), _with_rules(conn, _user(row)))


def find_sign_in_by_id(conn: Connection, account_id: str, sign_in_id: str) -> tuple[SignInRow, UserRow] | None:
    """A signed-in browser by its id, and whose it is, with every line that person sees."""
    row = conn.execute(_SELECT_SIGN_IN_BY_ID, {"account_id": account_id, "sign_in_id": sign_in_id}).mappings().first()
    return None if row is None else (_sign_in(row), _with_rules(conn, _user(row)))


def delete_sign_in(tx: Tx, account_id: str, sign_in_id: str) -> None:
    """Forget one signed-in browser."""
    tx.conn.execute(delete(_SIGN_IN).where(_SIGN_IN.c.account_id == account_id, _SIGN_IN.c.id == sign_in_id))


def delete_sign_ins(tx: Tx, account_id: str, user_id: str, keep: str | None = None) -> None:
    """Forget every signed-in browser of a person, but `keep`."""
    of_user = and_(_SIGN_IN.c.account_id == account_id, _SIGN_IN.c.user_id == user_id)
    tx.conn.execute(delete(_SIGN_IN).where(of_user if keep is None else and_(of_user, _SIGN_IN.c.id != keep)))


def touch_sign_ins(tx: Tx, seen: Sequence[tuple[str, str, UtcMs]]) -> None:
    """Note when browsers (sign-in id, user id, time) were last used; never moves one back."""
    if seen:
        tx.conn.execute(_TOUCH_SIGN_IN, [{"sign_in_id": sign_in, "at": at} for sign_in, _, at in sorted(seen)])
        tx.conn.execute(_TOUCH_USER, [{"user_id": user, "at": at} for _, user, at in sorted(seen)])


def insert_link(tx: Tx, row: LinkRow) -> None:
    """Store a one-time link."""
    tx.conn.execute(insert(_LINK), msgspec.structs.asdict(row))


def find_link(conn: Connection, token_sha256: str) -> LinkRow | None:
    """A one-time link by the hash of its token."""
    row = conn.execute(_SELECT_LINK, {"token_sha256": token_sha256}).mappings().first()
    return None if row is None else LinkRow(**row)


def delete_link(tx: Tx, token_sha256: str) -> None:
    """A link was used."""
    tx.conn.execute(delete(_LINK).where(_LINK.c.token_sha256 == token_sha256))


def delete_links(tx: Tx, account_id: str, user_id: str) -> None:
    """Withdraw every link of a person."""
    tx.conn.execute(delete(_LINK).where(_LINK.c.account_id == account_id, _LINK.c.user_id == user_id))


def _with_rules(conn: Connection, user: UserRow) -> UserRow:
    """Who sees some lines only sees those of the numbers too whose rules name them."""
    if user.lines is None:
        return user
    lines = user.lines | lines_of_user(conn, user.account_id, user.id)
    return msgspec.structs.replace(user, line_ids=" ".join(sorted(lines)))


def insert_sign_up(tx: Tx, row: SignUpRow) -> None:
    """Store a request to sign up."""
    tx.conn.execute(insert(_SIGN_UP), msgspec.structs.asdict(row))


def find_sign_up(conn: Connection, token_sha256: str) -> SignUpRow | None:
    """A request by the hash of its link's token."""
    row = conn.execute(select(_SIGN_UP).where(_SIGN_UP.c.token_sha256 == token_sha256)).mappings().first()
    return None if row is None else SignUpRow(**row)


def list_sign_ups(conn: Connection, now: UtcMs, most: int) -> list[SignUpRow]:
    """Requests that wait to be confirmed, newest first."""
    statement = select(_SIGN_UP).where(_SIGN_UP.c.expires_at > now).order_by(_SIGN_UP.c.expires_at.desc()).limit(most)
    return [SignUpRow(**row) for row in conn.execute(statement).mappings()]


def count_sign_ups(conn: Connection, now: UtcMs) -> int:
    """How many wait."""
    found = conn.execute(select(func.count()).select_from(_SIGN_UP).where(_SIGN_UP.c.expires_at > now)).scalar_one()
    return int(found)


def delete_sign_ups(tx: Tx, username: str) -> None:
    """Forget every request of an address."""
    tx.conn.execute(delete(_SIGN_UP).where(_SIGN_UP.c.username == username))


def _user(row: RowMapping) -> UserRow:
    return UserRow(**{name: row[name] for name in UserRow.__struct_fields__})


def _sign_in(row: RowMapping) -> SignInRow:
    return SignInRow(**{name: row[f"s_{name}"] for name in SignInRow.__struct_fields__})
