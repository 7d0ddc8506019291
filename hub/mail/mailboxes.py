"""Use cases of mailboxes: made, changed, given another address, removed.

The address is a secret, like a key: whoever knows it and writes as one of the allowed senders can send texts. It is shown when it is made.
A mailbox may ask for a key of its account besides.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from hub.accounts.secretbox import SecretBox
from hub.core.errors import Code, HubError, invalid
from hub.core.mail import mailbox_local, sender_pattern
from hub.core.text import sanitise
from hub.storage import mailboxes as stored
from hub.storage.devices_reading import find_line_info
from hub.storage.mailboxes import MailboxRow
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.loops import ADDRESS_PURPOSE

MOST_MAILBOXES = 200
MOST_SENDERS = 200


class WriteMailbox(msgspec.Struct, frozen=True, kw_only=True):
    """Make a mailbox (`is_new`), or change what is named of one."""

    account_id: str
    mailbox_id: str
    name: str | UnsetType = UNSET
    allowed_senders: tuple[str, ...] | UnsetType = UNSET
    line_id: str | UnsetType | None = UNSET
    has_subject: bool | UnsetType = UNSET
    needs_key: bool | UnsetType = UNSET
    has_new_address: bool = False
    is_new: bool = False

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"mailboxes:{self.account_id}",)


class DeleteMailbox(msgspec.Struct, frozen=True, kw_only=True):
    """Remove a mailbox."""

    account_id: str
    mailbox_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"mailboxes:{self.account_id}",)


def checked_senders(senders: Sequence[str]) -> tuple[str, ...]:
    """The list as it is kept. Raises `validation`: an empty one would let nobody in, and one that lets everybody in there is not."""
    if not 1 <= len(senders) <= MOST_SENDERS:
        raise invalid("allowed_senders", "count", f"Name 1 to {MOST_SENDERS} senders.")
    kept = [sender_pattern(sender.strip()) for sender in senders]
    for given, pattern in zip(senders, kept, strict=True):
        if pattern is None:
            raise invalid("allowed_senders", "value", f"{given[:60]!r} is neither an address nor @ and a domain.")
    return tuple(dict.fromkeys(pattern for pattern in kept if pattern is not None))


def list_mailboxes(conn: Connection, account_id: str) -> list[MailboxRow]:
    """All of an account, oldest first."""
    return stored.list_mailboxes(conn, account_id)


def write_mailboxes(tx: Tx, commands: Sequence[WriteMailbox]) -> list[Done[MailboxRow] | Refused]:
    """Make and change mailboxes. Refused: `not_found` (the line too), `conflict` when there are 200 already."""
    return [_write(tx, command) for command in commands]


def _write(tx: Tx, command: WriteMailbox) -> Done[MailboxRow] | Refused:
    if command.is_new:
        if stored.count_mailboxes(tx.conn, command.account_id) >= MOST_MAILBOXES:
            return Refused(HubError(Code.CONFLICT, f"There are {MOST_MAILBOXES} mailboxes already. Remove some first."))
        before = MailboxRow(command.mailbox_id, command.account_id, "", "[]", None, False, False, 1, tx.now, tx.now)
    else:
        found = stored.find_mailbox(tx.conn, command.account_id, command.mailbox_id)
        if found is None:
            return Refused(HubError(Code.NOT_FOUND))
        before = found
    if command.line_id and find_line_info(tx.conn, command.account_id, command.line_id) is None:
        return Refused(invalid("line_id", "unknown", "There is no such line."))
    row = _changed(tx, before, command)
    (stored.insert_mailbox if command.is_new else stored.change_mailbox)(tx.conn, row)
    return Done(row)


def _changed(tx: Tx, before: MailboxRow, command: WriteMailbox) -> MailboxRow:
    changes: dict[str, object] = {"updated_at": tx.now}
    if command.name is not UNSET:
        changes["name"] = sanitise(command.name)
    if command.allowed_senders is not UNSET:
        changes["allowed_senders"] = msgspec.json.encode(command.allowed_senders).decode()
    if command.line_id is not UNSET:
        changes["line_id"] = command.line_id
    if command.has_subject is not UNSET:
        changes["has_subject"] = command.has_subject
    if command.needs_key is not UNSET:
        changes["needs_key"] = command.needs_key
    if command.has_new_address:
        changes["version"] = before.version + 1
    return msgspec.structs.replace(before, **changes)


def delete_mailboxes(tx: Tx, commands: Sequence[DeleteMailbox]) -> list[Done[bool] | Refused]:
    """Remove mailboxes. Refused: `not_found`."""
    return [
        Done(True)
        if stored.delete_mailbox(tx.conn, command.account_id, command.mailbox_id)
        else Refused(HubError(Code.NOT_FOUND))
        for command in commands
    ]


def local_part(box: SecretBox, row: MailboxRow) -> str:
    """What stands before the `@`, but for `+` and the number: the mailbox's secret."""
    return mailbox_local(box.derive(ADDRESS_PURPOSE), row.id, row.version)
