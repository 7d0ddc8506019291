"""Tokens: JSON web tokens (RFC 7519, HS256) that a login makes for programs which should not know its password.

An access token lives 15 minutes at most, its refresh token 30 days and one use. A refresh token used twice was copied: the whole chain of
tokens it stands in ends. Another password, or deleting the login, ends all of its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import jwt
import msgspec

from hub.accounts.secretbox import SecretBox
from hub.core.clock import UtcMs
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError
from hub.core.ids import BadId, from_smsgate21, to_smsgate21
from hub.storage import smsgate_tokens as rows
from hub.storage.accounts import raise_credentials_version
from hub.storage.logins import find_login
from hub.storage.smsgate_tokens import TokenRow
from hub.storage.transaction import Done, Refused, Tx

ISSUER = "handset-hub"
PURPOSE = "smsgate-token"
ACCESS_SECONDS = 15 * 60
REFRESH_SECONDS = 30 * 24 * 3600
LONGEST_TOKEN = 4096

Use = Literal["access", "refresh"]


class Claims(msgspec.Struct, frozen=True):
    """What a token says, once its signature was found right."""

    jti: str
    exp: int
    use: Use


class Pair(msgspec.Struct, frozen=True):
    """Tokens just made; they are in this record and nowhere else."""

    id: str
    access: str
    refresh: str
    expires_at: UtcMs

    def __repr__(self) -> str:
        return f"Pair({self.id})"


class Signer:
    """Makes and reads tokens with keys derived from the hub's key file."""

    def __init__(self, box: SecretBox) -> None:
        self._keys = box.derive_each(PURPOSE)

    def pair(self, row: TokenRow, username: str) -> Pair:
        """The tokens of a row that was stored."""
        scopes = row.scopes.split()
        access = self._sign("access", row.id, username, row.created_at, row.expires_at, scopes)
        refresh = self._sign("refresh", row.refresh_id, username, row.created_at, row.refresh_expires_at, scopes)
        return Pair(to_smsgate21(row.id), access, refresh, row.expires_at)

    def _sign(self, use: Use, id_: str, username: str, issued: UtcMs, expires: UtcMs, scopes: Sequence[str]) -> str:
        claims = {
            "iss": ISSUER,
            "sub": username,
            "user_id": username,
            "iat": issued // 1000,
            "exp": expires // 1000,
            "jti": to_smsgate21(id_),
            "use": use,
            "scopes": ["tokens:refresh"] if use == "refresh" else list(scopes),
        }
        return jwt.encode(claims, self._keys[0], algorithm="HS256")

    def read(self, token: str) -> Claims | None:
        """What a token says; None when it was not made here. Its end is not looked at: the caller knows the time."""
        for key in self._keys if len(token) <= LONGEST_TOKEN else ():
            try:
                claims = jwt.decode(
                    token, key, algorithms=["HS256"], issuer=ISSUER, options={"verify_exp": False, "verify_iat": False}
                )
                return Claims(from_smsgate21(str(claims["jti"])), int(claims["exp"]), claims["use"])
            except (jwt.PyJWTError, BadId, KeyError, ValueError, TypeError):
                continue
        return None


class MakeToken(msgspec.Struct, frozen=True, kw_only=True):
    """Give out a pair of tokens to a login."""

    row: TokenRow

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"login:{self.row.login_id}",)


class RefreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """Use up a refresh token and give out the next pair; times are set from `tx.now`."""

    refresh_id: str
    new_id: str
    new_refresh_id: str
    access_seconds: int

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"smsgate-refresh:{self.refresh_id}",)


class RevokeToken(msgspec.Struct, frozen=True, kw_only=True):
    """End the pair of an access or a refresh token."""

    account_id: str
    token_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"smsgate-token:{self.token_id}",)


class Refreshed(msgspec.Struct, frozen=True):
    """The next pair, or None when the token was used before: the tokens of its chain ended."""

    row: TokenRow | None
    username: str = ""


def make_tokens(tx: Tx, commands: Sequence[MakeToken]) -> list[Done[TokenRow] | Refused]:
    """Store tokens that are given out."""
    for command in commands:
        rows.insert_token(tx, command.row)
    return [Done(command.row) for command in commands]


def refresh_tokens(tx: Tx, commands: Sequence[RefreshToken]) -> list[Done[Refreshed] | Refused]:
    """Use up refresh tokens. Refused: `unauthenticated` for one that is unknown, over or revoked, or whose login is gone."""
    return [_refresh(tx, command) for command in commands]


def _refresh(tx: Tx, command: RefreshToken) -> Done[Refreshed] | Refused:
    row = rows.lock_refresh(tx.conn, command.refresh_id)
    if row is None or row.revoked_at is not None or row.refresh_expires_at <= tx.now:
        return Refused(HubError(Code.UNAUTHENTICATED))
    login = find_login(tx.conn, row.account_id, row.login_id)
    if login is None or login.password_at > row.created_at:
        return Refused(HubError(Code.UNAUTHENTICATED))
    if row.refreshed_at is not None:
        ended = rows.revoke_family(tx, row.family_id)
        return Done(Refreshed(None), _told(tx, row.account_id, ended))
    rows.mark_refreshed(tx, row.id)
    fresh = row._replace(
        id=command.new_id,
        refresh_id=command.new_refresh_id,
        created_at=tx.now,
        expires_at=tx.now + command.access_seconds * 1000,
        refresh_expires_at=tx.now + REFRESH_SECONDS * 1000,
        refreshed_at=None,
    )
    rows.insert_token(tx, fresh)
    return Done(Refreshed(fresh, login.username))


def revoke_tokens(tx: Tx, commands: Sequence[RevokeToken]) -> list[Done[None] | Refused]:
    """End tokens; an unknown one is no error."""
    return [
        Done(None, _told(tx, command.account_id, rows.revoke_token(tx, command.account_id, command.token_id)))
        for command in commands
    ]


def _told(tx: Tx, account_id: str, ended: Sequence[str]) -> tuple[CredentialsChanged, ...]:
    if ended:
        raise_credentials_version(tx)
    return tuple(CredentialsChanged(account_id, "login", id_) for id_ in ended)
