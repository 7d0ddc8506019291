"""API keys: `hub_` (a sandbox's: `hub_test_`) and 52 characters (256 random bits), shown once, stored as their SHA-256.

A random secret of 256 bits cannot be guessed, so that one fast hash is enough to keep it out of the database. Two keys are alive while
one replaces the other: rotating makes a new key and lets the old one live on for an overlap.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from hub.accounts.scopes import Scope, parse_scopes, refuse_more_than, store_scopes
from hub.core.clock import UtcMs
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError, invalid
from hub.storage import accounts as rows
from hub.storage.accounts import KeyRow
from hub.storage.transaction import Done, Refused, Tx

CommandT = TypeVar("CommandT")

PREFIX = "hub_"
SANDBOX_PREFIX = PREFIX + "test_"
"""So that a person sees which key sends to nobody."""
SECRET_BYTES = 32
_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz")

DEFAULT_OVERLAP_SECONDS = 24 * 3600
MAX_OVERLAP_SECONDS = 7 * 24 * 3600


class NewSecret(msgspec.Struct, frozen=True):
    """A key just made. `token` is shown to its owner once; the other two are stored."""

    token: str
    sha256: str
    hint: str
    """Its last four characters."""


def new_secret(random: Callable[[int], bytes], *, is_sandbox: bool = False) -> NewSecret:
    """A key from 32 random bytes."""
    letters = base64.b32encode(random(SECRET_BYTES)).rstrip(b"=").translate(_CROCKFORD).decode()
    token = (SANDBOX_PREFIX if is_sandbox else PREFIX) + letters
    return NewSecret(token, hash_of(token), token[-4:])


def hash_of(token: str) -> str:
    """SHA-256 of a key, in hex, as it is looked up."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class CreateKey(msgspec.Struct, frozen=True, kw_only=True):
    """Make a key; `id`, hash and hint come from the caller, who alone knows the key."""

    id: str
    account_id: str
    name: str
    scopes: frozenset[Scope]
    sha256: str
    hint: str
    expires_at: UtcMs | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}",)


class UpdateKey(msgspec.Struct, frozen=True, kw_only=True):
    """Rename a key or change its scopes; None = leave. `own` are the scopes of who asks."""

    account_id: str
    key_id: str
    own: frozenset[Scope]
    name: str | None = None
    scopes: frozenset[Scope] | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}",)


class RotateKey(msgspec.Struct, frozen=True, kw_only=True):
    """Make a successor with the same name and scopes; the old key ends after `overlap_seconds`. `own` as in UpdateKey."""

    account_id: str
    key_id: str
    own: frozenset[Scope]
    new_id: str
    sha256: str
    hint: str
    overlap_seconds: int = DEFAULT_OVERLAP_SECONDS
    expires_at: UtcMs | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}",)


class RevokeKey(msgspec.Struct, frozen=True, kw_only=True):
    """End a key now."""

    account_id: str
    key_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}",)


class TouchKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key was used."""

    key_id: str
    used_at: UtcMs


def create_keys(tx: Tx, commands: Sequence[CreateKey]) -> list[Done[KeyRow] | Refused]:
    """Store new keys."""
    return [_one(tx, _create, command) for command in commands]


def update_keys(tx: Tx, commands: Sequence[UpdateKey]) -> list[Done[KeyRow] | Refused]:
    """Rename keys, change their scopes. Refused: `not_found`, `scope_missing`, `conflict` for a key that has ended."""
    return [_one(tx, _update, command) for command in commands]


def rotate_keys(tx: Tx, commands: Sequence[RotateKey]) -> list[Done[KeyRow] | Refused]:
    """Make successors. Refused: `not_found`, `scope_missing`, `conflict` for a key that has ended or has a living successor."""
    return [_one(tx, _rotate, command) for command in commands]


def revoke_keys(tx: Tx, commands: Sequence[RevokeKey]) -> list[Done[KeyRow] | Refused]:
    """End keys at once; revoking a revoked key changes nothing. Refused: `not_found`."""
    return [_one(tx, _revoke, command) for command in commands]


def touch_keys(tx: Tx, commands: Sequence[TouchKey]) -> list[Done[None] | Refused]:
    """Note the last use of keys, for people who wonder whether one is still needed."""
    used_at: dict[str, UtcMs] = {}
    for command in commands:
        used_at[command.key_id] = max(command.used_at, used_at.get(command.key_id, 0))
    rows.touch_keys(tx, used_at)
    return [Done(None) for _ in commands]


def _one(tx: Tx, apply: Callable[[Tx, CommandT], Done[KeyRow]], command: CommandT) -> Done[KeyRow] | Refused:
    try:
        return apply(tx, command)
    except HubError as error:
        return Refused(error)


def _create(tx: Tx, command: CreateKey) -> Done[KeyRow]:
    if command.expires_at is not None and command.expires_at <= tx.now:
        raise invalid("expires_at", "in_the_past", "The key would have ended already; choose a later time.")
    row = KeyRow(
        id=command.id,
        account_id=command.account_id,
        name=command.name,
        hint=command.hint,
        scopes=store_scopes(command.scopes),
        created_at=tx.now,
        expires_at=command.expires_at,
        revoked_at=None,
        last_used_at=None,
        replaces_id=None,
    )
    rows.insert_keys(tx, [row], [command.sha256])
    return Done(row)


def _update(tx: Tx, command: UpdateKey) -> Done[KeyRow]:
    row = _living(tx, command.account_id, command.key_id)
    values: dict[str, str] = {}
    if command.name is not None:
        values["name"] = command.name
    if command.scopes is not None:
        refuse_more_than(command.own, command.scopes)
        values["scopes"] = store_scopes(command.scopes)
    return _changed(tx, row, values) if values else Done(row)


def _rotate(tx: Tx, command: RotateKey) -> Done[KeyRow]:
    old = _living(tx, command.account_id, command.key_id)
    refuse_more_than(command.own, parse_scopes(old.scopes))
    if any(row.is_alive(tx.now) for row in rows.list_successors(tx.conn, old.account_id, old.id)):
        raise HubError(Code.CONFLICT, "This key was rotated already and its successor is alive: rotate that one.")
    made = _create(tx, _successor(command, old))
    row = msgspec.structs.replace(made.value, replaces_id=old.id)
    rows.update_key(tx, row.account_id, row.id, {"replaces_id": old.id})
    end = tx.now + command.overlap_seconds * 1000
    ended = _changed(tx, old, {"expires_at": end if old.expires_at is None else min(end, old.expires_at)})
    return Done(row, ended.effects + _end_predecessor(tx, old))


def _successor(command: RotateKey, old: KeyRow) -> CreateKey:
    return CreateKey(
        id=command.new_id,
        account_id=old.account_id,
        name=old.name,
        scopes=parse_scopes(old.scopes),
        sha256=command.sha256,
        hint=command.hint,
        expires_at=command.expires_at,
    )


def _end_predecessor(tx: Tx, row: KeyRow) -> tuple[CredentialsChanged, ...]:
    """Two are alive while rotating, never three: what the rotated key itself replaced ends now."""
    before = None if row.replaces_id is None else rows.find_key(tx.conn, row.account_id, row.replaces_id)
    if before is None or not before.is_alive(tx.now):
        return ()
    _changed(tx, before, {"revoked_at": tx.now})
    return (_told(before),)


def _revoke(tx: Tx, command: RevokeKey) -> Done[KeyRow]:
    row = _found(tx, command.account_id, command.key_id)
    return Done(row) if row.revoked_at is not None else _changed(tx, row, {"revoked_at": tx.now})


def _found(tx: Tx, account_id: str, key_id: str) -> KeyRow:
    row = rows.find_key(tx.conn, account_id, key_id)
    if row is None:
        raise HubError(Code.NOT_FOUND)
    return row


def _living(tx: Tx, account_id: str, key_id: str) -> KeyRow:
    row = _found(tx, account_id, key_id)
    if not row.is_alive(tx.now):
        raise HubError(Code.CONFLICT, "This key has ended. Make a new one.")
    return row


def _changed(tx: Tx, row: KeyRow, values: dict[str, str] | dict[str, UtcMs]) -> Done[KeyRow]:
    rows.update_key(tx, row.account_id, row.id, values)
    rows.raise_credentials_version(tx)
    return Done(msgspec.structs.replace(row, **values), (_told(row),))


def _told(row: KeyRow) -> CredentialsChanged:
    return CredentialsChanged(row.account_id, "key", row.id)
