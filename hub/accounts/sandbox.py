"""The sandbox of an account: an account of its own, whose keys send to emulated phones and to nothing else.

Every look-up of the hub is scoped by account. So a text that came in by a sandbox key cannot be routed to a phone of the account it
belongs to, whatever goes wrong elsewhere: those phones are not there to be found. And no real phone can come into a sandbox: a code for
one is not made (`hub.devices.enrol`), a phone that brings one is refused, and a line in one that got there all the same is never
offered a text (`hub.storage.messages_lines`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.core.errors import Code, HubError
from hub.storage import accounts as rows
from hub.storage.accounts import AccountRow
from hub.storage.transaction import Done, Refused, Tx

NO_REAL_PHONES = "This is a sandbox: nothing in it reaches a real phone, so none is let in. Enrol it with a key of the account itself."
_NAME = "{name} (sandbox)"


class OpenSandbox(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox of an account, made when it has none: `new_id` is its id then. A sandbox's own is itself."""

    account_id: str
    new_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"account:{self.account_id}",)


def open_sandboxes(tx: Tx, commands: Sequence[OpenSandbox]) -> list[Done[AccountRow] | Refused]:
    """Find or make sandboxes. Refused: `not_found`."""
    return [_open(tx, command) for command in commands]


def _open(tx: Tx, command: OpenSandbox) -> Done[AccountRow] | Refused:
    owner = rows.find_account(tx.conn, command.account_id)
    if owner is None:
        return Refused(HubError(Code.NOT_FOUND))
    if owner.sandbox_of is not None:
        return Done(owner)
    made = AccountRow(command.new_id, _NAME.format(name=owner.name), tx.now, owner.settings, owner.id)
    rows.insert_sandbox(tx, made)
    found = rows.find_sandbox(tx.conn, owner.id)
    return Refused(HubError(Code.NOT_FOUND)) if found is None else Done(found)
