"""One-time links: the first person of a hub, an invitation, a forgotten password.

A link is an address with 256 random bits behind `#`, which browsers keep to themselves; the hub stores their SHA-256. It works once
and for a limited time, and the one that makes the first person only while the hub has nobody.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence

import msgspec

from hub.accounts.roles import Role
from hub.accounts.scopes import Scope
from hub.accounts.settings import changed as changed_settings
from hub.accounts.settings import read_settings, write_settings
from hub.accounts.users import LINK_SECONDS, AboutPeople, changed, found, new_row, one, refuse_beyond
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError
from hub.storage import users as rows
from hub.storage.accounts import find_account, raise_credentials_version, update_account
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.users import LinkRow, UserRow


class NewLink(msgspec.Struct, frozen=True):
    """A link just made. `token` is shown once; its hash is stored."""

    token: str
    sha256: str


def new_link(random: Callable[[int], bytes] = secrets.token_bytes) -> NewLink:
    """A token of 256 random bits."""
    token = random(32).hex()
    return NewLink(token, link_hash(token))


def link_hash(token: str) -> str:
    """What is stored of a link's token."""
    return hashlib.sha256(f"link:{token}".encode("utf-8", "surrogatepass")).hexdigest()


def setup_address(base_url: str, token: str) -> str:
    """The address that makes the first person."""
    return f"{base_url}/ui/setup#{token}"


def password_address(base_url: str, token: str) -> str:
    """The address by which a person chooses a password."""
    return f"{base_url}/ui/password#{token}"


class MakeSetupLink(AboutPeople, frozen=True, kw_only=True):
    """Let whoever has the link make the first person of the hub, in this account."""

    account_id: str
    sha256: str


class CreateFirstUser(AboutPeople, frozen=True, kw_only=True):
    """The first person, an administrator, by the set-up link; names the account and sets its settings on the way."""

    id: str
    sha256: str
    username: str
    name: str
    password_hash: str
    account_name: str | None = None
    settings: dict[str, object] = msgspec.field(default_factory=dict)


class MakePasswordLink(AboutPeople, frozen=True, kw_only=True):
    """Let a person choose a password; an old one works until then. `drops_totp` is for a lost authenticator."""

    account_id: str
    user_id: str
    own: frozenset[Scope]
    sha256: str
    drops_totp: bool = False


class ChoosePassword(AboutPeople, frozen=True, kw_only=True):
    """A person's password, by their link; every browser is signed out."""

    sha256: str
    password_hash: str


def make_setup_links(tx: Tx, commands: Sequence[MakeSetupLink]) -> list[Done[None] | Refused]:
    """Store links for the first person. Refused: `conflict` when the hub has somebody."""
    return [one(tx, _make_setup, command) for command in commands]


def create_first_users(tx: Tx, commands: Sequence[CreateFirstUser]) -> list[Done[UserRow] | Refused]:
    """Use a set-up link. Refused: `link_ended`, and `validation` for a setting that cannot be."""
    return [one(tx, _create_first, command) for command in commands]


def make_password_links(tx: Tx, commands: Sequence[MakePasswordLink]) -> list[Done[UserRow] | Refused]:
    """Store a link for a person; their earlier ones end. Refused: `not_found`, `scope_missing`, `conflict` for somebody disabled."""
    return [one(tx, _make_password_link, command) for command in commands]


def choose_passwords(tx: Tx, commands: Sequence[ChoosePassword]) -> list[Done[UserRow] | Refused]:
    """Use a password link. Refused: `link_ended`."""
    return [one(tx, _choose, command) for command in commands]


def _make_setup(tx: Tx, command: MakeSetupLink) -> Done[None]:
    if rows.is_anybody_there(tx.conn):
        raise HubError(Code.CONFLICT, "This hub has users already. Add more with hub user add, or in its settings.")
    rows.insert_link(tx, LinkRow(command.sha256, command.account_id, None, tx.now, tx.now + LINK_SECONDS * 1000))
    return Done(None)


def _create_first(tx: Tx, command: CreateFirstUser) -> Done[UserRow]:
    link = _living(tx, command.sha256)
    if link.user_id is not None or rows.is_anybody_there(tx.conn):
        raise _ended()
    row = new_row(tx, command.id, link.account_id, command.username, command.name, Role.ADMIN)
    row = msgspec.structs.replace(row, password_hash=command.password_hash)
    _prepare_account(tx, link.account_id, command)
    rows.insert_user(tx, row)
    rows.delete_link(tx, command.sha256)
    raise_credentials_version(tx)
    return Done(row, (CredentialsChanged(row.account_id, "account", row.account_id),))


def _prepare_account(tx: Tx, account_id: str, command: CreateFirstUser) -> None:
    account = find_account(tx.conn, account_id)
    if account is None:
        raise _ended()
    settings = changed_settings(read_settings(account.settings), command.settings)
    values = {"name": command.account_name or account.name, "settings": write_settings(settings)}
    update_account(tx, account_id, values)


def _make_password_link(tx: Tx, command: MakePasswordLink) -> Done[UserRow]:
    row = found(tx, command.account_id, command.user_id)
    refuse_beyond(command.own, row.role)
    if row.disabled_at is not None:
        raise HubError(Code.CONFLICT, f"{row.name} is disabled. Enable them first.")
    rows.delete_links(tx, row.account_id, row.id)
    rows.insert_link(tx, LinkRow(command.sha256, row.account_id, row.id, tx.now, tx.now + LINK_SECONDS * 1000))
    dropped = {"totp_secret": None, "totp_pending": None, "recovery_hashes": ""}
    return changed(tx, row, dropped if command.drops_totp else {})


def _choose(tx: Tx, command: ChoosePassword) -> Done[UserRow]:
    link = _living(tx, command.sha256)
    row = None if link.user_id is None else rows.find_user(tx.conn, link.account_id, link.user_id)
    if row is None or row.disabled_at is not None:
        raise _ended()
    rows.delete_links(tx, row.account_id, row.id)
    rows.delete_sign_ins(tx, row.account_id, row.id)
    return changed(tx, row, {"password_hash": command.password_hash})


def _living(tx: Tx, sha256: str) -> LinkRow:
    link = rows.find_link(tx.conn, sha256)
    if link is None or link.expires_at <= tx.now:
        raise _ended()
    return link


def _ended() -> HubError:
    return HubError(Code.LINK_ENDED)
