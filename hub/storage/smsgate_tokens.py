"""Tokens of the sms-gate.app dialect."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, or_, select, update

from hub.core.clock import UtcMs
from hub.storage.schema.smsgate import SmsGateToken
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_TOKEN = table_of(SmsGateToken)


class TokenRow(NamedTuple):
    """An access token and its refresh token."""

    id: str
    account_id: str
    login_id: str
    scopes: str
    refresh_id: str
    family_id: str
    created_at: UtcMs
    expires_at: UtcMs
    refresh_expires_at: UtcMs
    refreshed_at: UtcMs | None = None
    revoked_at: UtcMs | None = None


def insert_token(tx: Tx, row: TokenRow) -> None:
    """Store a pair of tokens that is being given out."""
    tx.conn.execute(insert(_TOKEN).values(**row._asdict()))


def find_token(conn: Connection, token_id: str) -> TokenRow | None:
    """The pair an access token belongs to."""
    return _one(conn, select(_TOKEN).where(_TOKEN.c.id == token_id))


def lock_refresh(conn: Connection, refresh_id: str) -> TokenRow | None:
    """The pair a refresh token belongs to, locked until the transaction ends."""
    return _one(conn, select(_TOKEN).where(_TOKEN.c.refresh_id == refresh_id).with_for_update())


def mark_refreshed(tx: Tx, token_id: str) -> None:
    """Its refresh token was used."""
    tx.conn.execute(update(_TOKEN).where(_TOKEN.c.id == token_id).values(refreshed_at=tx.now))


def revoke_family(tx: Tx, family_id: str) -> list[str]:
    """End a whole chain of refreshes; the access tokens that were still alive."""
    return _revoke(tx, _TOKEN.c.family_id == family_id)


def revoke_token(tx: Tx, account_id: str, token_id: str) -> list[str]:
    """End the pair of an access or a refresh token of the account; the access tokens that ended."""
    named = or_(_TOKEN.c.id == token_id, _TOKEN.c.refresh_id == token_id)
    return _revoke(tx, _TOKEN.c.account_id == account_id, named)


def _revoke(tx: Tx, *which: Any) -> list[str]:
    statement = update(_TOKEN).where(*which, _TOKEN.c.revoked_at.is_(None)).values(revoked_at=tx.now)
    return list(tx.conn.execute(statement.returning(_TOKEN.c.id)).scalars())


def _one(conn: Connection, statement: Any) -> TokenRow | None:
    row = conn.execute(statement).first()
    return None if row is None else TokenRow(*row)
