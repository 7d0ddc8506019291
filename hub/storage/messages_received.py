"""Received texts as a list with an offset, for APIs that page that way."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

from hub.core.clock import UtcMs
from hub.core.ids import first_id_at
from hub.storage.messages import COLUMNS, MESSAGE, MessageRow
from hub.storage.messages_lines import LINE

WINDOW = 20_000
"""Newest messages of the account, in both directions, that a list looks at."""
_EARLIER_MS, _LATER_MS = 3_600_000, 86_400_000
"""How far an id's time may lie from its row's `created_at` (`messages_search`)."""


class Received(NamedTuple):
    """A received text with the number and slot it came to, as far as they are known."""

    row: MessageRow
    line_number: str | None
    slot: int | None


class Narrowed(NamedTuple):
    """What a list is narrowed to. Times are `created_at`, the end not included."""

    kinds: tuple[str, ...] = ("sms", "data", "mms")
    device_id: str | None = None
    created_from: UtcMs | None = None
    created_to: UtcMs | None = None


def list_received(
    conn: Connection, account_id: str, asked: Narrowed, offset: int, limit: int
) -> tuple[list[Received], int]:
    """A page, newest first, and how many there are within the window."""
    m = MESSAGE.c
    near = [m.account_id == account_id]
    if asked.created_from is not None:
        near.append(m.id >= first_id_at(max(asked.created_from - _LATER_MS, 0)))
    if asked.created_to is not None:
        near.append(m.id < first_id_at(asked.created_to + _EARLIER_MS))
    window = (
        select(m.id, m.direction, m.kind, m.device_id, m.created_at)
        .where(*near)
        .order_by(m.id.desc())
        .limit(WINDOW)
        .subquery()
    )
    w = window.c
    wanted = [w.direction == "mo", w.kind.in_(asked.kinds)]
    if asked.device_id is not None:
        wanted.append(w.device_id == asked.device_id)
    if asked.created_from is not None:
        wanted.append(w.created_at >= asked.created_from)
    if asked.created_to is not None:
        wanted.append(w.created_at < asked.created_to)
    total = conn.execute(select(func.count()).select_from(window).where(*wanted)).scalar_one()
    page = select(w.id).where(*wanted).order_by(w.id.desc()).limit(limit).offset(offset).subquery()
    rows = conn.execute(
        select(*COLUMNS, LINE.c.number, LINE.c.slot)
        .select_from(
            MESSAGE.join(page, page.c.id == m.id).outerjoin(
                LINE, and_(LINE.c.id == m.line_id, LINE.c.account_id == m.account_id)
            )
        )
        .order_by(m.id.desc())
    )
    return [Received(MessageRow(*row[: len(COLUMNS)]), row[-2], row[-1]) for row in rows], total
