"""Mailboxes, and what an answer to a mail of the hub has to be looked up by."""

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from hub.core.clock import UtcMs
from hub.storage.schema.mailboxes import Mailbox
from hub.storage.schema.webhooks import WebhookEndpoint
from hub.storage.types import table_of

MAILBOX = table_of(Mailbox)
_ENDPOINT = table_of(WebhookEndpoint)


class MailboxRow(msgspec.Struct, frozen=True):
    """A stored mailbox; `allowed_senders` is JSON."""

    id: str
    account_id: str
    name: str
    allowed_senders: str
    line_id: str | None
    has_subject: bool
    needs_key: bool
    version: int
    created_at: UtcMs
    updated_at: UtcMs


class AnsweredRow(msgspec.Struct, frozen=True):
    """The webhook whose mail is answered; `settings` is JSON."""

    account_id: str
    url: str
    settings: str


_COLUMNS = tuple(MAILBOX.c[name] for name in MailboxRow.__struct_fields__)


def list_mailboxes(conn: Connection, account_id: str) -> list[MailboxRow]:
    """All of an account, oldest first."""
    rows = conn.execute(select(*_COLUMNS).where(MAILBOX.c.account_id == account_id).order_by(MAILBOX.c.id))
    return [MailboxRow(*row) for row in rows]


def find_mailbox(conn: Connection, account_id: str, mailbox_id: str) -> MailboxRow | None:
    """One of an account's."""
    row = conn.execute(select(*_COLUMNS).where(MAILBOX.c.id == mailbox_id, MAILBOX.c.account_id == account_id)).first()
    return None if row is None else MailboxRow(*row)


def find_addressed_mailbox(conn: Connection, mailbox_id: str) -> MailboxRow | None:
    """The mailbox that an address names, whosever it is: the address says so, and the mark in it is checked by the caller."""
    row = conn.execute(select(*_COLUMNS).where(MAILBOX.c.id == mailbox_id)).first()
    return None if row is None else MailboxRow(*row)


def find_answered(conn: Connection, endpoint_id: str) -> AnsweredRow | None:
    """The webhook that a reply address of this hub names, while it is there."""
    row = conn.execute(
        select(_ENDPOINT.c.account_id, _ENDPOINT.c.url, _ENDPOINT.c.settings).where(
            _ENDPOINT.c.id == endpoint_id, _ENDPOINT.c.deleted_at.is_(None), _ENDPOINT.c.is_implicit.is_(False)
        )
    ).first()
    return None if row is None else AnsweredRow(*row)


def count_mailboxes(conn: Connection, account_id: str) -> int:
    """How many an account has."""
    return conn.execute(select(func.count()).where(MAILBOX.c.account_id == account_id)).scalar_one()


def insert_mailbox(conn: Connection, row: MailboxRow) -> None:
    """A new one."""
    conn.execute(insert(MAILBOX).values(**msgspec.structs.asdict(row)))


def change_mailbox(conn: Connection, row: MailboxRow) -> None:
    """Write one anew."""
    statement = update(MAILBOX).where(MAILBOX.c.id == row.id, MAILBOX.c.account_id == row.account_id)
    conn.execute(statement.values(**msgspec.structs.asdict(row)))


def delete_mailbox(conn: Connection, account_id: str, mailbox_id: str) -> bool:
    """Remove one: its address opens nothing from now on. Whether there was one."""
    gone = conn.execute(delete(MAILBOX).where(MAILBOX.c.account_id == account_id, MAILBOX.c.id == mailbox_id))
    return gone.rowcount > 0
