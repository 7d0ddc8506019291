"""Accounts: made by the operator, changed by their owners."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.accounts.settings import AccountSettings, changed, read_settings, write_settings
from hub.core.effects import CredentialsChanged
from hub.core.errors import Code, HubError, invalid
from hub.storage import accounts as rows
from hub.storage.accounts import AccountRow
from hub.storage.transaction import Done, Refused, Tx


class CreateAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Make an account."""

    id: str
    name: str
    settings: AccountSettings = AccountSettings()

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.id}",)


class UpdateAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Rename an account, change some of its settings; what is not named stays."""

    account_id: str
    name: str | None = None
    settings: dict[str, object] = {}
    hub_keeps_days: int = 0
    """How long the hub keeps texts, the most an account can choose; 0 = for ever."""

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}",)


def create_accounts(tx: Tx, commands: Sequence[CreateAccount]) -> list[Done[AccountRow] | Refused]:
    """Store new accounts."""
    made = [AccountRow(command.id, command.name, tx.now, write_settings(command.settings)) for command in commands]
    rows.insert_accounts(tx, made)
    return [Done(row) for row in made]


def update_accounts(tx: Tx, commands: Sequence[UpdateAccount]) -> list[Done[AccountRow] | Refused]:
    """Change accounts. Refused: `not_found`, and `validation` for a value that cannot be."""
    return [_update(tx, command) for command in commands]


def _update(tx: Tx, command: UpdateAccount) -> Done[AccountRow] | Refused:
    row = rows.find_account(tx.conn, command.account_id)
    if row is None:
        return Refused(HubError(Code.NOT_FOUND))
    try:
        settings = changed(read_settings(row.settings), command.settings)
        _check_kept(command)
    except HubError as error:
        return Refused(error)
    values = {"settings": write_settings(settings), "name": command.name or row.name}
    rows.update_account(tx, row.id, values)
    rows.raise_credentials_version(tx)
    return Done(msgspec.structs.replace(row, **values), (CredentialsChanged(row.id, "account", row.id),))


def _check_kept(command: UpdateAccount) -> None:
    days, most = command.settings.get("keep_messages_days"), command.hub_keeps_days
    if isinstance(days, int) and 0 < most < days:
        raise invalid(
            "settings.keep_messages_days", "range", f"This hub keeps texts for {most} days: give 1 to {most}, or null."
        )
