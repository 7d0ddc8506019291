"""Messages of the sms-gate.app dialect: up to a hundred texts under one id, listed with one state for all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.core.ids import first_id_at
from hub.storage.arrays import one_of, texts
from hub.storage.messages import COLUMNS, MESSAGE, MessageRow
from hub.storage.messages_lines import LINE
from hub.storage.schema.smsgate import SmsGateMessage, SmsGateRecipient
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_PARENT = table_of(SmsGateMessage)
_RECIPIENT = table_of(SmsGateRecipient)
WINDOW = 20_000
"""Newest messages a list looks at for a state or a phone, which no index knows."""
MOST_COUNTED = 100_000


class ParentRow(NamedTuple):
    """One message of the dialect."""

    id: str
    account_id: str
    shown_id: str
    device_id: str | None
    is_encrypted: bool
    content_hash: str | None


class RecipientRow(NamedTuple):
    """One of its recipients."""

    message_id: str
    account_id: str
    parent_id: str
    position: int
    phone_number: str


class Part(NamedTuple):
    """A recipient with its text, and the phone the text is for as far as one was chosen."""

    phone_number: str
    row: MessageRow
    device_id: str | None


class Listing(NamedTuple):
    """What a list is narrowed to. Times are those of creation, the end not included."""

    created_from: UtcMs | None = None
    created_to: UtcMs | None = None
    state: str | None = None
    device_id: str | None = None
    is_oldest_first: bool = False


_PARENT_COLUMNS = [_PARENT.c[name] for name in ParentRow._fields]
_TAKEN = select(_PARENT.c.account_id, _PARENT.c.shown_id).where(
    one_of(_PARENT.c.account_id, texts("account_ids")), one_of(_PARENT.c.shown_id, texts("shown_ids"))
)
_BY_SHOWN = select(*_PARENT_COLUMNS).where(
    _PARENT.c.account_id == bindparam("account_id"), _PARENT.c.shown_id == bindparam("shown_id")
)
_PARENT_OF = (
    select(*_PARENT_COLUMNS)
    .join(_RECIPIENT, _RECIPIENT.c.parent_id == _PARENT.c.id)
    .where(_PARENT.c.account_id == bindparam("account_id"), _RECIPIENT.c.message_id == bindparam("message_id"))
)
_DEVICE: ColumnElement[str | None] = func.coalesce(MESSAGE.c.device_id, LINE.c.device_id)
_PARTS = (
    select(_RECIPIENT.c.parent_id, _RECIPIENT.c.phone_number, _DEVICE.label("at_device"), *COLUMNS)
    .select_from(
        _RECIPIENT.join(MESSAGE, MESSAGE.c.id == _RECIPIENT.c.message_id).outerjoin(
            LINE, and_(LINE.c.id == MESSAGE.c.line_id, LINE.c.account_id == MESSAGE.c.account_id)
        )
    )
    .where(MESSAGE.c.account_id == bindparam("account_id"), one_of(_RECIPIENT.c.parent_id, texts("parent_ids")))
    .order_by(_RECIPIENT.c.parent_id, _RECIPIENT.c.position)
)
_BY_ID = select(*_PARENT_COLUMNS).where(
    _PARENT.c.account_id == bindparam("account_id"), one_of(_PARENT.c.id, texts("ids"))
)
_TEXTS = (
    select(_DEVICE.label("at_device"), *COLUMNS)
    .select_from(
        MESSAGE.outerjoin(LINE, and_(LINE.c.id == MESSAGE.c.line_id, LINE.c.account_id == MESSAGE.c.account_id))
    )
    .where(MESSAGE.c.account_id == bindparam("account_id"), one_of(MESSAGE.c.id, texts("ids")))
)
_OWN = select(_PARENT.c.id, literal(1).label("is_own")).where(_PARENT.c.account_id == bindparam("account_id"))
_OTHERS = select(MESSAGE.c.id, literal(0).label("is_own")).where(
    MESSAGE.c.account_id == bindparam("account_id"),
    MESSAGE.c.direction == "mt",
    MESSAGE.c.kind == "sms",
    ~exists().where(_RECIPIENT.c.message_id == MESSAGE.c.id),
)

_OPEN = ("scheduled", "queued", "retried", "dispatched", "uncertain")
_WORD: ColumnElement[str] = case(
    (MESSAGE.c.state == "cancelled", "Cancelled"),
    (and_(MESSAGE.c.cancel_requested_at.is_not(None), MESSAGE.c.state.in_(_OPEN)), "Cancelling"),
    (MESSAGE.c.state.in_(("scheduled", "queued", "retried")), "Pending"),
    (MESSAGE.c.state.in_(("dispatched", "uncertain")), "Processed"),
    (MESSAGE.c.state == "sent", "Sent"),
    (MESSAGE.c.state == "delivered", "Delivered"),
    else_="Failed",
)
"""A text's state in the dialect's words; the same table as `hub.dialects.smsgate.words`, for filtering."""


def _count(word: str) -> ColumnElement[int]:
    return func.sum(case((_WORD.in_([word]), 1), else_=0))


_TOGETHER: ColumnElement[str] = case(
    (_count("Pending") > 0, "Pending"),
    (_count("Cancelling") > 0, "Cancelling"),
    (_count("Cancelled") > 0, "Cancelled"),
    (_count("Processed") > 0, "Processed"),
    (_count("Failed") == func.count(), "Failed"),
    (_count("Delivered") == func.count(), "Delivered"),
    else_="Sent",
)
"""The state of all recipients together."""


def taken_ids(conn: Connection, account_ids: Collection[str], shown_ids: Collection[str]) -> set[tuple[str, str]]:
    """Which of these ids are used already, as (account, id)."""
    found = conn.execute(_TAKEN, {"account_ids": sorted(account_ids), "shown_ids": sorted(shown_ids)})
    return {(row[0], row[1]) for row in found}


def insert_parents(tx: Tx, rows: Sequence[ParentRow]) -> int:
    """Store new messages; how many were stored, fewer than `rows` when another process took one of the ids a moment ago."""
    if not rows:
        return 0
    build = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    statement = build(_PARENT).on_conflict_do_nothing().returning(_PARENT.c.id)
    return len(tx.conn.execute(statement, [row._asdict() for row in rows]).all())


def insert_recipients(tx: Tx, rows: Sequence[RecipientRow]) -> None:
    """Store their recipients."""
    if rows:
        tx.conn.execute(insert(_RECIPIENT), [row._asdict() for row in rows])


def find_parent(conn: Connection, account_id: str, shown_id: str) -> ParentRow | None:
    """The message with this id."""
    row = conn.execute(_BY_SHOWN, {"account_id": account_id, "shown_id": shown_id}).first()
    return None if row is None else ParentRow(*row)


def find_parent_of(conn: Connection, account_id: str, message_id: str) -> ParentRow | None:
    """The message one of whose recipients this text is."""
    row = conn.execute(_PARENT_OF, {"account_id": account_id, "message_id": message_id}).first()
    return None if row is None else ParentRow(*row)


def parts_of(conn: Connection, account_id: str, parent_ids: Collection[str]) -> dict[str, list[Part]]:
    """The recipients of these messages, in the order they were given."""
    parts: dict[str, list[Part]] = {}
    if parent_ids:
        for row in conn.execute(_PARTS, {"account_id": account_id, "parent_ids": sorted(parent_ids)}):
            parts.setdefault(row[0], []).append(Part(row[1], MessageRow(*row[3:]), row[2]))
    return parts


def parents_by_id(conn: Connection, account_id: str, ids: Collection[str]) -> dict[str, ParentRow]:
    """Messages that came in by this door."""
    if not ids:
        return {}
    found = conn.execute(_BY_ID, {"account_id": account_id, "ids": sorted(ids)})
    return {row[0]: ParentRow(*row) for row in found}


def texts_by_id(conn: Connection, account_id: str, ids: Collection[str]) -> dict[str, Part]:
    """Texts of other doors, each the one recipient of a message of its own."""
    if not ids:
        return {}
    found = conn.execute(_TEXTS, {"account_id": account_id, "ids": sorted(ids)})
    rows = ((row[0], MessageRow(*row[1:])) for row in found)
    return {row.id: Part(row.peer, row, device_id) for device_id, row in rows}


def list_ids(
    conn: Connection, account_id: str, asked: Listing, offset: int, limit: int
) -> tuple[list[tuple[str, bool]], int]:
    """A page of ids and whether each is a message of this door (else a text of another), and how many there are in all.

    Counted up to `MOST_COUNTED`, with a state or phone up to `WINDOW` of either kind.
    """
    if asked.state is None and asked.device_id is None:
        own, others = _between(_OWN, _PARENT.c.id, asked), _between(_OTHERS, MESSAGE.c.id, asked)
    else:
        own, others = _own_matching(asked), _others_matching(asked)
    values = {"account_id": account_id}
    both = union_all(own, others)
    total = conn.execute(select(func.count()).select_from(both.limit(MOST_COUNTED).subquery()), values).scalar_one()
    listed = both.subquery()
    order = listed.c.id.asc() if asked.is_oldest_first else listed.c.id.desc()
    page = select(listed.c.id, listed.c.is_own).order_by(order).limit(limit).offset(offset)
    return [(row[0], bool(row[1])) for row in conn.execute(page, values)], total


def _between(statement: Select[Any], id_: ColumnElement[str], asked: Listing) -> Select[Any]:
    if asked.created_from is not None:
        statement = statement.where(id_ >= first_id_at(asked.created_from))
    if asked.created_to is not None:
        statement = statement.where(id_ < first_id_at(asked.created_to))
    return statement


def _own_matching(asked: Listing) -> Select[Any]:
    newest = _between(_OWN.add_columns(_PARENT.c.device_id), _PARENT.c.id, asked)
    window = newest.order_by(_PARENT.c.id.desc()).limit(WINDOW).subquery()
    found = (
        select(window.c.id, literal(1).label("is_own"))
        .join(_RECIPIENT, _RECIPIENT.c.parent_id == window.c.id)
        .join(MESSAGE, MESSAGE.c.id == _RECIPIENT.c.message_id)
        .group_by(window.c.id)
    )
    if asked.device_id is not None:
        found = found.outerjoin(LINE, LINE.c.id == MESSAGE.c.line_id).where(
            func.coalesce(_DEVICE, window.c.device_id).in_([asked.device_id])
        )
    return found if asked.state is None else found.having(_TOGETHER.in_([asked.state]))


def _others_matching(asked: Listing) -> Select[Any]:
    newest = _between(_OTHERS, MESSAGE.c.id, asked).order_by(MESSAGE.c.id.desc()).limit(WINDOW).subquery()
    found = select(MESSAGE.c.id, literal(0).label("is_own")).join(newest, newest.c.id == MESSAGE.c.id)
    if asked.device_id is not None:
        found = found.outerjoin(LINE, LINE.c.id == MESSAGE.c.line_id).where(_DEVICE.in_([asked.device_id]))
    return found if asked.state is None else found.where(_WORD.in_([asked.state]))
