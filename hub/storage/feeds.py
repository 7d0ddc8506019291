"""The feed of customer events: read by number, complete although transactions commit out of order.

On PostgreSQL a number is handed out when a row is written, not when it is committed: the event 5 can be visible while 4 is still in an
open transaction. A reader that had gone on to 5 would never see 4. So the feed is ordered by (transaction, number) and stops below the
oldest transaction still open (`pg_snapshot_xmin`): what lies before that line cannot change any more. On SQLite there is one writer,
transactions are not numbered (`txid` is null), and the number alone is the order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    literal_column,
    select,
    tuple_,
)

from hub.core.clock import UtcMs
from hub.storage.schema.webhooks import WebhookEvent
from hub.storage.transaction import DialectName
from hub.storage.types import table_of

_EVENT = table_of(WebhookEvent)


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the feed, just after the event with these numbers."""

    txid: int
    seq: int


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an account."""

    position: Position
    id: str
    type: str
    occurred_at: UtcMs
    created_at: UtcMs
    device_id: str | None
    line_id: str | None
    message_id: str | None
    conversation_id: str | None
    trace_id: str | None
    data: str


class FeedPage(msgspec.Struct, frozen=True):
    """Some events, and where to go on: beyond events that were left out by the filter, too."""

    events: tuple[FeedEvent, ...]
    next: Position
    has_more: bool


_COLUMNS = [_EVENT.c[name] for name in FeedEvent.__struct_fields__ if name != "position"] + [
    _EVENT.c.seq,
    _EVENT.c.txid,
]


def read_events(
    conn: Connection,
    account_id: str,
    after: Position,
    *,
    types: Sequence[str] = (),
    line_ids: Collection[str] | None = None,
    limit: int,
) -> FeedPage:
    """Events after a position, oldest first; of some lines only when they are given."""
    end = latest_position(conn, account_id)
    events = _read(conn, False, account_id, after, types, line_ids, limit)
    if len(events) > limit:
        return FeedPage(tuple(events[:limit]), events[limit - 1].position, True)
    last = events[-1].position if events else after
    return FeedPage(tuple(events), max(last, end, after), False)


def read_events_back(
    conn: Connection,
    account_id: str,
    before: Position | None,
    *,
    types: Sequence[str] = (),
    line_ids: Collection[str] | None = None,
    limit: int,
) -> FeedPage:
    """Events before a position (None = from the end), newest first; of some lines only when they are given."""
    start = before or Position((1 << 62), (1 << 62))
    events = _read(conn, True, account_id, start, types, line_ids, limit)
    kept = tuple(events[:limit])
    return FeedPage(kept, kept[-1].position if kept else start, len(events) > limit)


def latest_position(conn: Connection, account_id: str) -> Position:
    """The end of the feed as it can be read now."""
    row = conn.execute(_latest(_dialect(conn)), {"account_id": account_id}).first()
    return Position(0, 0) if row is None else Position(row[1] or 0, row[0])


def _dialect(conn: Connection) -> DialectName:
    return "sqlite" if conn.dialect.name == "sqlite" else "postgresql"


def _read(
    conn: Connection,
    is_back: bool,
    account_id: str,
    place: Position,
    types: Sequence[str],
    line_ids: Collection[str] | None,
    limit: int,
) -> list[FeedEvent]:
    """One row more than the page holds, so that it is known whether there is a next one."""
    values: dict[str, Any] = {"account_id": account_id, "txid": place.txid, "seq": place.seq, "most": limit + 1}
    if types:
        values["types"] = list(types)
    if line_ids is not None:
        values["line_ids"] = sorted(line_ids)
    statement = _statement(_dialect(conn), is_back, bool(types), line_ids is not None)
    return [_event(row) for row in conn.execute(statement, values).mappings()]


def _event(row: RowMapping) -> FeedEvent:
    values = dict(row)
    position = Position(values.pop("txid") or 0, values.pop("seq"))
    return FeedEvent(position=position, **values)


def _settled(dialect: DialectName) -> ColumnElement[bool]:
    """The row's transaction is older than every open one, so that nothing can appear before it any more."""
    if dialect == "sqlite":
        return _EVENT.c.txid.is_(None)
    return _EVENT.c.txid < literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def _place(dialect: DialectName) -> tuple[ColumnElement[int], ...]:
    """The columns that order the feed."""
    return (_EVENT.c.seq,) if dialect == "sqlite" else (_EVENT.c.txid, _EVENT.c.seq)


@cache
def _statement(dialect: DialectName, is_back: bool, is_filtered: bool, has_lines: bool) -> Select[Any]:
    place = _place(dialect)
    given = tuple(bindparam(column.name, type_=BigInteger) for column in place)
    beyond = tuple_(*place) < tuple_(*given) if is_back else tuple_(*place) > tuple_(*given)
    statement = select(*_COLUMNS).where(_EVENT.c.account_id == bindparam("account_id"), _settled(dialect), beyond)
    if is_filtered:
        statement = statement.where(_EVENT.c.type.in_(bindparam("types", expanding=True)))
    if has_lines:
        statement = statement.where(_EVENT.c.line_id.in_(bindparam("line_ids", expanding=True)))
    order = [column.desc() if is_back else column for column in place]
    return statement.order_by(*order).limit(bindparam("most"))


@cache
def _latest(dialect: DialectName) -> Select[Any]:
    order = [column.desc() for column in _place(dialect)]
    statement = select(_EVENT.c.seq, _EVENT.c.txid).where(
        _EVENT.c.account_id == bindparam("account_id"), _settled(dialect)
    )
    return statement.order_by(*order).limit(1)
