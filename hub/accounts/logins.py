"""Logins: a user name and a password, for programs that can do no more than HTTP Basic (RFC 7617).

Names are unique in the whole hub, whatever their case, because a request with one says nothing else about its account. The hub makes
names of six capital letters and digits and passwords of 20 small ones (100 random bits), which a person can type into a phone; both
may be chosen instead. A login acts for its account with `LOGIN_SCOPES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from hub.accounts.scopes import Scope
from hub.core.clock import UtcMs
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError, invalid
from hub.storage import logins as rows
from hub.storage.accounts import raise_credentials_version
from hub.storage.logins import LoginRow
from hub.storage.transaction import Done, Refused, Tx

CommandT = TypeVar("CommandT")

LOGIN_SCOPES = frozenset(Scope) - {Scope.KEYS_READ, Scope.KEYS_WRITE}
"""What a login may do: everything but hand out other credentials."""

NAME_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
PASSWORD_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz_"
"""Without letters that look alike; 32 of them, so that one byte makes one letter without favouring any."""
NAME_LENGTH = 6
PASSWORD_LENGTH = 20
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 128
LONGEST_NAME = 64
_NAME = re.compile(r"[!-~]+", re.ASCII)


def new_username(random: Callable[[int], bytes]) -> str:
    """Six capital letters and digits."""
    return "".join(NAME_LETTERS[byte % 32] for byte in random(NAME_LENGTH))


def new_password(random: Callable[[int], bytes]) -> str:
    """20 small letters and digits: 100 random bits."""
    return "".join(PASSWORD_LETTERS[byte % 32] for byte in random(PASSWORD_LENGTH))


def name_key(username: str) -> str:
    """What a name is compared by."""
    return username.lower()


def check_username(username: str) -> None:
    """Raise `validation` for a name that HTTP Basic cannot carry, or that a phone would show wrongly."""
    if not _NAME.fullmatch(username) or len(username) > LONGEST_NAME or set(username) & set(":<>&"):
        raise invalid(
            "username",
            "value",
            f"Give 1 to {LONGEST_NAME} letters, digits or signs without spaces, and without : < > and &.",
        )


def check_password(password: str, shortest: int = SHORTEST_PASSWORD) -> None:
    """Raise `validation` for a password that is too short, too long, or that people and programs write differently."""
    if not shortest <= len(password) <= LONGEST_PASSWORD:
        raise invalid("password", "length", f"Give a password of {shortest} to {LONGEST_PASSWORD} characters.")
    if not password.isprintable():
        raise invalid("password", "value", "Leave control characters out of the password.")


class CreateLogin(msgspec.Struct, frozen=True, kw_only=True):
    """Make a login. Name and password were checked, and the password hashed, by the caller, who alone knows it."""

    id: str
    account_id: str
    username: str
    password_hash: str

    def __repr__(self) -> str:
        return f"CreateLogin({self.id})"

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"login:{name_key(self.username)}",)


class SetPassword(msgspec.Struct, frozen=True, kw_only=True):
    """Give a login another password; the old one ends at once, and every token that was got with it."""

    account_id: str
    login_id: str
    password_hash: str

    def __repr__(self) -> str:
        return f"SetPassword({self.login_id})"

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"login:{self.login_id}",)


class DeleteLogin(msgspec.Struct, frozen=True, kw_only=True):
    """End a login; its name is free again."""

    account_id: str
    login_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"login:{self.login_id}",)


class TouchLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A login was used."""

    login_id: str
    used_at: UtcMs


def create_logins(tx: Tx, commands: Sequence[CreateLogin]) -> list[Done[LoginRow] | Refused]:
    """Store new logins. Refused: `conflict` when somebody has the name."""
    return [_one(tx, _create, command) for command in commands]


def set_passwords(tx: Tx, commands: Sequence[SetPassword]) -> list[Done[LoginRow] | Refused]:
    """Change passwords. Refused: `not_found`."""
    return [_one(tx, _set, command) for command in commands]


def delete_logins(tx: Tx, commands: Sequence[DeleteLogin]) -> list[Done[LoginRow] | Refused]:
    """End logins. Refused: `not_found`."""
    return [_one(tx, _delete, command) for command in commands]


def touch_logins(tx: Tx, commands: Sequence[TouchLogin]) -> list[Done[None] | Refused]:
    """Note the last use of logins, for people who wonder whether one is still needed."""
    used_at: dict[str, UtcMs] = {}
    for command in commands:
        used_at[command.login_id] = max(command.used_at, used_at.get(command.login_id, 0))
    rows.touch_logins(tx, used_at)
    return [Done(None) for _ in commands]


def _one(tx: Tx, apply: Callable[[Tx, CommandT], Done[LoginRow]], command: CommandT) -> Done[LoginRow] | Refused:
    try:
        return apply(tx, command)
    except HubError as error:
        return Refused(error)


def _create(tx: Tx, command: CreateLogin) -> Done[LoginRow]:
    row = LoginRow(
        id=command.id,
        account_id=command.account_id,
        username=command.username,
        username_key=name_key(command.username),
        password_hash=command.password_hash,
        created_at=tx.now,
        password_at=tx.now,
        last_used_at=None,
    )
    if not rows.insert_login(tx, row):
        raise HubError(Code.CONFLICT, "There is a login of this name already: choose another one.")
    return Done(row)


def _set(tx: Tx, command: SetPassword) -> Done[LoginRow]:
    row = _found(tx, command.account_id, command.login_id)
    rows.set_password(tx, row.account_id, row.id, command.password_hash)
    changed = msgspec.structs.replace(row, password_hash=command.password_hash, password_at=tx.now)
    return Done(changed, (_told(tx, row),))


def _delete(tx: Tx, command: DeleteLogin) -> Done[LoginRow]:
    row = _found(tx, command.account_id, command.login_id)
    rows.delete_login(tx, row.account_id, row.id)
    return Done(row, (_told(tx, row),))


def _found(tx: Tx, account_id: str, login_id: str) -> LoginRow:
    row = rows.find_login(tx.conn, account_id, login_id)
    if row is None:
        raise HubError(Code.NOT_FOUND)
    return row


def _told(tx: Tx, row: LoginRow) -> CredentialsChanged:
    raise_credentials_version(tx)
    return CredentialsChanged(row.account_id, "login", row.id)
