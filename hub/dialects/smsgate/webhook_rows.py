"""Keeping webhooks for events that the hub never makes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.storage import smsgate_accounts as rows
from hub.storage.smsgate_accounts import UnsentRow
from hub.storage.transaction import Done, Refused, Tx


class KeepUnsent(msgspec.Struct, frozen=True):
    """Store one, in place of what has its id."""

    row: UnsentRow

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.row.account_id}:smsgate",)


class ForgetUnsent(msgspec.Struct, frozen=True, kw_only=True):
    """Remove one, if it is there."""

    account_id: str
    shown_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}:smsgate",)


def keep_unsent(tx: Tx, commands: Sequence[KeepUnsent]) -> list[Done[None] | Refused]:
    """Use case."""
    for command in commands:
        rows.put_unsent(tx, command.row)
    return [Done(None) for _ in commands]


def forget_unsent(tx: Tx, commands: Sequence[ForgetUnsent]) -> list[Done[None] | Refused]:
    """Use case."""
    for command in commands:
        rows.delete_unsent(tx, command.account_id, command.shown_id)
    return [Done(None) for _ in commands]
