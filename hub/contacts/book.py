"""Contacts: a name, notes and tags for one number or several. A number is one contact's at most; the last to claim it has it."""

import json
from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError
from hub.core.ids import is_id
from hub.core.text import sanitise
from hub.storage import contacts as stored
from hub.storage.contacts import ContactRow, NumberRow
from hub.storage.transaction import Done, Refused, Tx


class Number(msgspec.Struct, frozen=True):
    """One of a contact's numbers, as an address of the hub; `label` says which (work, home)."""

    peer: str
    label: str | None = None


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as it is read."""

    id: str
    name: str
    notes: str
    tags: tuple[str, ...]
    numbers: tuple[Number, ...]
    created_at: UtcMs
    updated_at: UtcMs


class ContactPage(msgspec.Struct, frozen=True):
    """Some contacts, newest first."""

    items: tuple[ContactView, ...]
    next: str | None


class WriteContact(msgspec.Struct, frozen=True, kw_only=True):
    """Make a contact (`is_new`), or change what is not None of one."""

    account_id: str
    contact_id: str
    is_new: bool = False
    name: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] | None = None
    numbers: tuple[Number, ...] | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command: one after the other, since a number moves from contact to contact."""
        return (f"contacts:{self.account_id}",)


class DeleteContact(msgspec.Struct, frozen=True, kw_only=True):
    """Forget a contact; what was said stays."""

    account_id: str
    contact_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"contacts:{self.account_id}",)


def find_contact(conn: Connection, account_id: str, contact_id: str) -> ContactView | None:
    """One contact; None for an unknown id and for another account's."""
    found = stored.find_contacts(conn, account_id, [contact_id])
    return _views(conn, list(found.values()))[0] if found else None


def list_contacts(
    conn: Connection,
    account_id: str,
    text: str | None,
    peer: str | None,
    after: str | None,
    limit: int,
    line_ids: Collection[str] | None = None,
) -> ContactPage:
    """A page of contacts; with `peer` the one whose number it is.

    With `line_ids` those only who have a conversation with one of these lines. Raises `bad_cursor`.
    """
    if after is not None and not is_id(after):
        raise HubError(Code.BAD_CURSOR)
    if peer is not None:
        rows = list(stored.contacts_of(conn, account_id, [peer]).values())
        if line_ids is not None:
            known = stored.known_to(conn, account_id, [row.id for row in rows], line_ids)
            rows = [row for row in rows if row.id in known]
        return ContactPage(tuple(_views(conn, rows)), None)
    rows, next_ = stored.list_contacts(conn, account_id, text, after, limit, line_ids)
    return ContactPage(tuple(_views(conn, rows)), next_)


def write_contacts(tx: Tx, commands: Sequence[WriteContact]) -> list[Done[ContactView] | Refused]:
    """Make and change contacts, in the order given. Refused: `not_found`."""
    return [_write(tx, command) for command in commands]


def delete_contacts(tx: Tx, commands: Sequence[DeleteContact]) -> list[Done[bool] | Refused]:
    """Forget contacts. Refused: `not_found`."""
    return [
        Done(True)
        if stored.delete_contact(tx.conn, command.account_id, command.contact_id)
        else Refused(HubError(Code.NOT_FOUND))
        for command in commands
    ]


def _write(tx: Tx, command: WriteContact) -> Done[ContactView] | Refused:
    row = _row(tx, command)
    if row is None:
        return Refused(HubError(Code.NOT_FOUND))
    if command.numbers is None:
        numbers = stored.numbers_of(tx.conn, [row.id]).get(row.id, [])
    else:
        given = {number.peer: number for number in command.numbers}
        numbers = [NumberRow(row.account_id, one.peer, row.id, _clean(one.label)) for one in given.values()]
    stored.write_contact(tx.conn, row, numbers)
    return Done(_views(tx.conn, [row])[0])


def _row(tx: Tx, command: WriteContact) -> ContactRow | None:
    if command.is_new:
        row = ContactRow(command.contact_id, command.account_id, "", "", "[]", tx.now, tx.now)
    else:
        found = stored.find_contacts(tx.conn, command.account_id, [command.contact_id])
        if command.contact_id not in found:
            return None
        row = found[command.contact_id]
    return msgspec.structs.replace(
        row,
        name=row.name if command.name is None else sanitise(command.name),
        notes=row.notes if command.notes is None else sanitise(command.notes),
        tags=row.tags if command.tags is None else _tags(command.tags),
        updated_at=tx.now,
    )


def _tags(tags: Sequence[str]) -> str:
    return json.dumps(list(dict.fromkeys(sanitise(tag) for tag in tags)), ensure_ascii=False)


def _clean(label: str | None) -> str | None:
    return None if label is None else sanitise(label)


def _views(conn: Connection, rows: Sequence[ContactRow]) -> list[ContactView]:
    numbers = stored.numbers_of(conn, [row.id for row in rows])
    return [
        ContactView(
            id=row.id,
            name=row.name,
            notes=row.notes,
            tags=tuple(json.loads(row.tags)),
            numbers=tuple(Number(one.peer, one.label) for one in numbers.get(row.id, ())),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]
