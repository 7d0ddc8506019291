"""People of an account: made by an administrator, and what may change about them.

All commands about people are ordered by one key: there are few, and two of them must never both be the last to take an administrator
away, or the first to claim a username.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from hub.accounts.roles import Role, scopes_of
from hub.accounts.scopes import Scope
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError, invalid
from hub.storage import users as rows
from hub.storage.accounts import raise_credentials_version
from hub.storage.messages_lines import lines_by_id
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.users import LinkRow, UserRow

LINK_SECONDS = 7 * 24 * 3600
"""How long an invitation, or a link to a new password, works."""
_USERNAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")

CommandT = TypeVar("CommandT")
ResultT = TypeVar("ResultT")


def username_of(typed: str) -> str:
    """The one spelling of a username (NFKC, without case, as RFC 8265 §3.3). Raises `validation` when it cannot be one."""
    username = unicodedata.normalize("NFKC", typed.strip()).casefold()
    if not _USERNAME.fullmatch(username):
        raise invalid(
            "username", "bad_username", "Use a mail address or a name without spaces, of at most 200 characters."
        )
    return username


class AboutPeople(msgspec.Struct, frozen=True, kw_only=True):
    """A command about people."""

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return ("users",)


class CreateUser(AboutPeople, frozen=True, kw_only=True):
    """A person, who chooses a password by a one-time link. `own` are the scopes of who asks."""

    id: str
    account_id: str
    username: str
    name: str
    role: Role
    line_ids: frozenset[str] | None
    own: frozenset[Scope]
    link_sha256: str


class UpdateUser(AboutPeople, frozen=True, kw_only=True):
    """Change a person; UNSET = leave. `own` as in CreateUser."""

    account_id: str
    user_id: str
    own: frozenset[Scope]
    username: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    line_ids: frozenset[str] | UnsetType | None = UNSET
    is_disabled: bool | UnsetType = UNSET


class RemoveUser(AboutPeople, frozen=True, kw_only=True):
    """Forget a person. `own` as in CreateUser."""

    account_id: str
    user_id: str
    own: frozenset[Scope]


def create_users(tx: Tx, commands: Sequence[CreateUser]) -> list[Done[UserRow] | Refused]:
    """Store people. Refused: `conflict` for a taken username, `validation` for a line of somebody else, `scope_missing`."""
    return [one(tx, _create, command) for command in commands]


def update_users(tx: Tx, commands: Sequence[UpdateUser]) -> list[Done[UserRow] | Refused]:
    """Change people; what they may do changes at once. Refused: `not_found`, `conflict` for the last administrator, and as above."""
    return [one(tx, _update, command) for command in commands]


def remove_users(tx: Tx, commands: Sequence[RemoveUser]) -> list[Done[UserRow] | Refused]:
    """Forget people; they are signed out. Refused: `not_found`, `conflict` for the last administrator, `scope_missing`."""
    return [one(tx, _remove, command) for command in commands]


def one(tx: Tx, apply: Callable[[Tx, CommandT], Done[ResultT]], command: CommandT) -> Done[ResultT] | Refused:
    """One command of a batch; what it raises refuses it alone."""
    try:
        return apply(tx, command)
    except HubError as error:
        return Refused(error)


def _create(tx: Tx, command: CreateUser) -> Done[UserRow]:
    refuse_beyond(command.own, command.role)
    _refuse_narrow_admin(command.role, command.line_ids)
    refuse_taken(tx, command.username)
    row = new_row(tx, command.id, command.account_id, command.username, command.name, command.role)
    row = msgspec.structs.replace(row, line_ids=_stored_lines(tx, command.account_id, command.line_ids))
    rows.insert_user(tx, row)
    rows.insert_link(tx, LinkRow(command.link_sha256, row.account_id, row.id, tx.now, tx.now + LINK_SECONDS * 1000))
    return Done(row)


def _update(tx: Tx, command: UpdateUser) -> Done[UserRow]:
    row = found(tx, command.account_id, command.user_id)
    refuse_beyond(command.own, row.role)
    values: dict[str, Any] = {}
    if command.username is not UNSET and command.username != row.username:
        refuse_taken(tx, command.username)
        values["username"] = command.username
    if command.name is not UNSET:
        values["name"] = command.name
    if command.role is not UNSET:
        refuse_beyond(command.own, command.role)
        values["role"] = str(command.role)
    if command.line_ids is not UNSET:
        values["line_ids"] = _stored_lines(tx, row.account_id, command.line_ids)
    _refuse_narrow_admin(values.get("role", row.role), values.get("line_ids", row.line_ids))
    if command.is_disabled is not UNSET:
        values["disabled_at"] = (row.disabled_at or tx.now) if command.is_disabled else None
    if values.get("role", "admin") != "admin" or values.get("disabled_at"):
        _keep_an_admin(tx, row)
    if values.get("disabled_at"):
        rows.delete_sign_ins(tx, row.account_id, row.id)
        rows.delete_links(tx, row.account_id, row.id)
    return changed(tx, row, values)


def _remove(tx: Tx, command: RemoveUser) -> Done[UserRow]:
    row = found(tx, command.account_id, command.user_id)
    refuse_beyond(command.own, row.role)
    _keep_an_admin(tx, row)
    rows.delete_sign_ins(tx, row.account_id, row.id)
    rows.delete_links(tx, row.account_id, row.id)
    rows.delete_user(tx, row.account_id, row.id)
    raise_credentials_version(tx)
    return Done(row, (told(row),))


def new_row(tx: Tx, user_id: str, account_id: str, username: str, name: str, role: Role) -> UserRow:
    """A person as they begin: no password, all lines."""
    return UserRow(
        id=user_id,
        account_id=account_id,
        username=username,
        name=name,
        role=str(role),
        line_ids=None,
        password_hash=None,
        totp_secret=None,
        totp_pending=None,
        totp_step=0,
        recovery_hashes="",
        created_at=tx.now,
        last_seen_at=None,
        disabled_at=None,
    )


def found(tx: Tx, account_id: str, user_id: str) -> UserRow:
    """A person of the account. Raises `not_found`."""
    row = rows.find_user(tx.conn, account_id, user_id)
    if row is None:
        raise HubError(Code.NOT_FOUND)
    return row


def changed(tx: Tx, row: UserRow, values: dict[str, Any]) -> Done[UserRow]:
    """Store the values, and have every process look at the person anew."""
    if not values:
        return Done(row)
    rows.update_user(tx, row.account_id, row.id, values)
    raise_credentials_version(tx)
    return Done(msgspec.structs.replace(row, **values), (told(row),))


def told(row: UserRow) -> CredentialsChanged:
    """What the caches of this process hear."""
    return CredentialsChanged(row.account_id, "user", row.id)


def refuse_taken(tx: Tx, username: str) -> None:
    """Raise `conflict` when somebody signs in with this already."""
    if rows.find_user_by_username(tx.conn, username) is not None:
        raise HubError(Code.CONFLICT, f"{username} is taken on this hub. Use another one.")


def refuse_beyond(own: frozenset[Scope], role: str) -> None:
    """Raise `scope_missing` when the role may do what the one who asks may not: nobody makes or changes more than they are."""
    beyond = sorted(scopes_of(role) - own)
    if beyond:
        raise HubError(
            Code.SCOPE_MISSING, f"This needs somebody who may do all that role {role} may: {beyond[0]} is missing."
        )


def _refuse_narrow_admin(role: str, line_ids: object) -> None:
    if role == Role.ADMIN and line_ids is not None:
        raise invalid("line_ids", "admin_sees_all", "An administrator sees all lines. Give the role member instead.")


def _keep_an_admin(tx: Tx, row: UserRow) -> None:
    admins: Sequence[str] = rows.list_admin_ids(tx.conn, row.account_id)
    if list(admins) == [row.id]:
        raise HubError(Code.CONFLICT, f"{row.name} is the last administrator. Make another one first.")


def _stored_lines(tx: Tx, account_id: str, line_ids: frozenset[str] | None) -> str | None:
    if line_ids is None:
        return None
    known = lines_by_id(tx.conn, [account_id], sorted(line_ids))
    if line_ids - known.keys():
        raise invalid("line_ids", "unknown", "One of these lines does not exist here.")
    return " ".join(sorted(line_ids))
