"""What belongs to some lines: asked for people who may see those lines only. Always within one account."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from hub.storage.conversations import CONVERSATION
from hub.storage.lines import LINE
from hub.storage.messages import MESSAGE


def messages_of(conn: Connection, account_id: str, ids: Collection[str], line_ids: Collection[str]) -> set[str]:
    """Those of the texts that are of one of the lines."""
    statement = select(MESSAGE.c.id).where(
        MESSAGE.c.account_id == account_id, MESSAGE.c.id.in_(sorted(ids)), MESSAGE.c.line_id.in_(sorted(line_ids))
    )
    return set(conn.execute(statement).scalars())


def conversations_of(conn: Connection, account_id: str, ids: Collection[str], line_ids: Collection[str]) -> set[str]:
    """Those of the conversations that are of one of the lines."""
    c = CONVERSATION.c
    statement = select(c.id).where(c.account_id == account_id, c.id.in_(sorted(ids)), c.line_id.in_(sorted(line_ids)))
    return set(conn.execute(statement).scalars())


def devices_of(conn: Connection, account_id: str, line_ids: Collection[str]) -> set[str]:
    """The phones that hold one of the lines."""
    statement = select(LINE.c.device_id).where(
        LINE.c.account_id == account_id, LINE.c.id.in_(sorted(line_ids)), LINE.c.device_id.is_not(None)
    )
    return set(conn.execute(statement).scalars())


def newest_line_with(conn: Connection, account_id: str, peer: str, line_ids: Collection[str]) -> str | None:
    """The one of the lines that this peer last spoke with."""
    c = CONVERSATION.c
    statement = (
        select(c.line_id)
        .where(c.account_id == account_id, c.peer == peer, c.line_id.in_(sorted(line_ids)))
        .order_by(c.last_at.desc())
        .limit(1)
    )
    found: str | None = conn.execute(statement).scalar()
    return found
