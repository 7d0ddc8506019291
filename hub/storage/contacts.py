"""Contacts with their numbers, and texts that are sent often."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, and_, delete, exists, func, insert, or_, select, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.conversations import CONVERSATION
from hub.storage.schema.contacts import Contact, ContactNumber, Snippet
from hub.storage.types import table_of

CONTACT = table_of(Contact)
NUMBER = table_of(ContactNumber)
SNIPPET = table_of(Snippet)


class ContactRow(msgspec.Struct, frozen=True):
    """A stored contact; `tags` is JSON."""

    id: str
    account_id: str
    name: str
    notes: str
    tags: str
    created_at: UtcMs
    updated_at: UtcMs


class NumberRow(NamedTuple):
    """A number of a contact."""

    account_id: str
    peer: str
    contact_id: str
    label: str | None


class SnippetRow(NamedTuple):
    """A stored snippet."""

    id: str
    account_id: str
    name: str
    text: str
    updated_at: UtcMs


_COLUMNS = tuple(CONTACT.c[name] for name in ContactRow.__struct_fields__)
_NUMBERS: Select[Any] = select(*(NUMBER.c[name] for name in NumberRow._fields))
_NUMBERS_OF = _NUMBERS.where(one_of(NUMBER.c.contact_id, texts("ids"))).order_by(NUMBER.c.peer)
_CONTACTS_OF = (
    select(NUMBER.c.peer, *_COLUMNS)
    .join(CONTACT, and_(CONTACT.c.id == NUMBER.c.contact_id, CONTACT.c.account_id == NUMBER.c.account_id))
    .where(one_of(NUMBER.c.account_id, texts("account_ids")), one_of(NUMBER.c.peer, texts("peers")))
)


def find_contacts(conn: Connection, account_id: str, ids: Collection[str]) -> dict[str, ContactRow]:
    """These contacts of an account."""
    rows = conn.execute(select(*_COLUMNS).where(CONTACT.c.account_id == account_id, CONTACT.c.id.in_(sorted(ids))))
    return {row[0]: ContactRow(*row) for row in rows}


def contacts_of(conn: Connection, account_id: str, peers: Collection[str]) -> dict[str, ContactRow]:
    """By number: whose it is."""
    if not peers:
        return {}
    rows = conn.execute(_CONTACTS_OF, {"account_ids": [account_id], "peers": sorted(peers)})
    return {row[0]: ContactRow(*row[1:]) for row in rows}


def numbers_of(conn: Connection, contact_ids: Collection[str]) -> dict[str, list[NumberRow]]:
    """The numbers of these contacts."""
    found: dict[str, list[NumberRow]] = {}
    for row in conn.execute(_NUMBERS_OF, {"ids": sorted(contact_ids)}) if contact_ids else ():
        found.setdefault(row[2], []).append(NumberRow(*row))
    return found


def list_contacts(
    conn: Connection,
    account_id: str,
    text: str | None,
    after: str | None,
    limit: int,
    line_ids: Collection[str] | None = None,
) -> tuple[list[ContactRow], str | None]:
    """A page of contacts, newest first; `text` is part of the name, of a tag or of a number.

    With `line_ids` those only who have a conversation with one of these lines.
    """
    statement = select(*_COLUMNS).where(CONTACT.c.account_id == account_id)
    if line_ids is not None:
        statement = statement.where(
            exists(_spoke_with(account_id, line_ids).where(NUMBER.c.contact_id == CONTACT.c.id))
        )
    if after is not None:
        statement = statement.where(CONTACT.c.id < after)
    if text is not None:
        by_number = exists(
            select(1).where(
                NUMBER.c.account_id == account_id,
                NUMBER.c.contact_id == CONTACT.c.id,
                NUMBER.c.peer.icontains(text, autoescape=True),
            )
        )
        statement = statement.where(
            or_(
                CONTACT.c.name.icontains(text, autoescape=True),
                CONTACT.c.tags.icontains(text, autoescape=True),
                by_number,
            )
        )
    rows = conn.execute(statement.order_by(CONTACT.c.id.desc()).limit(limit + 1)).all()
    found = [ContactRow(*row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


def _spoke_with(account_id: str, line_ids: Collection[str]) -> Select[Any]:
    """The numbers of contacts that have a conversation with one of these lines."""
    same_peer = and_(CONVERSATION.c.account_id == NUMBER.c.account_id, CONVERSATION.c.peer == NUMBER.c.peer)
    return (
        select(NUMBER.c.contact_id)
        .join(CONVERSATION, same_peer)
        .where(NUMBER.c.account_id == account_id, CONVERSATION.c.line_id.in_(sorted(line_ids)))
    )


def known_to(conn: Connection, account_id: str, contact_ids: Collection[str], line_ids: Collection[str]) -> set[str]:
    """Those of the contacts who have a conversation with one of these lines."""
    statement = _spoke_with(account_id, line_ids).where(NUMBER.c.contact_id.in_(sorted(contact_ids)))
    return set(conn.execute(statement).scalars())


def write_contact(conn: Connection, row: ContactRow, numbers: Sequence[NumberRow]) -> None:
    """Store a contact with exactly these numbers; a number that was another contact's becomes this one's."""
    values = msgspec.structs.asdict(row)
    changed = conn.execute(
        update(CONTACT).where(CONTACT.c.id == row.id, CONTACT.c.account_id == row.account_id).values(**values)
    )
    if not changed.rowcount:
        conn.execute(insert(CONTACT).values(**values))
    conn.execute(delete(NUMBER).where(NUMBER.c.account_id == row.account_id, NUMBER.c.contact_id == row.id))
    if numbers:
        taken = [number.peer for number in numbers]
        conn.execute(delete(NUMBER).where(NUMBER.c.account_id == row.account_id, NUMBER.c.peer.in_(taken)))
        conn.execute(insert(NUMBER), [number._asdict() for number in numbers])


def delete_contact(conn: Connection, account_id: str, contact_id: str) -> bool:
    """Remove a contact and its hold on its numbers; their threads stay. Whether there was one."""
    conn.execute(delete(NUMBER).where(NUMBER.c.account_id == account_id, NUMBER.c.contact_id == contact_id))
    gone = conn.execute(delete(CONTACT).where(CONTACT.c.account_id == account_id, CONTACT.c.id == contact_id))
    return gone.rowcount > 0


# --- snippets ------------------------------------------------------------------------------------------------------------


def list_snippets(conn: Connection, account_id: str) -> list[SnippetRow]:
    """All snippets of an account, by name."""
    columns = tuple(SNIPPET.c[name] for name in SnippetRow._fields)
    rows = conn.execute(
        select(*columns).where(SNIPPET.c.account_id == account_id).order_by(SNIPPET.c.name, SNIPPET.c.id)
    )
    return [SnippetRow(*row) for row in rows]


def count_snippets(conn: Connection, account_id: str) -> int:
    """How many an account has."""
    return conn.execute(select(func.count()).where(SNIPPET.c.account_id == account_id)).scalar_one()


def write_snippet(conn: Connection, row: SnippetRow, *, is_new: bool) -> bool:
    """Store a snippet. False: there is none to change."""
    if is_new:
        conn.execute(insert(SNIPPET).values(**row._asdict()))
        return True
    statement = update(SNIPPET).where(SNIPPET.c.id == row.id, SNIPPET.c.account_id == row.account_id)
    return conn.execute(statement.values(**row._asdict())).rowcount > 0


def delete_snippet(conn: Connection, account_id: str, snippet_id: str) -> bool:
    """Remove a snippet. Whether there was one."""
    gone = conn.execute(delete(SNIPPET).where(SNIPPET.c.account_id == account_id, SNIPPET.c.id == snippet_id))
    return gone.rowcount > 0
