"""Cursor pages: a list is read in steps, each answer says where the next one goes on.

A cursor is opaque to customers. It begins with the hub's epoch, which a restore from a backup changes, so that a cursor of another life
of the data is recognised instead of skipping what came between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hub.core import ids
from hub.core.errors import Code, HubError
from hub.storage.feeds import Position

ItemT = TypeVar("ItemT")

START = Position(0, 0)


def cut(items: Sequence[ItemT], limit: int) -> tuple[Sequence[ItemT], bool]:
    """One page of a list that was read with one item too many, and whether there is more."""
    return items[:limit], len(items) > limit


def id_cursor(cursor: str | None) -> str | None:
    """A cursor that is the last id of the page before. Raises `bad_cursor`."""
    if cursor is not None and not ids.is_id(cursor):
        raise HubError(Code.BAD_CURSOR)
    return cursor


def number_cursor(cursor: str | None) -> int | None:
    """A cursor that is a number. Raises `bad_cursor`."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise HubError(Code.BAD_CURSOR)
    return int(cursor)


def feed_cursor(epoch: str, position: Position) -> str:
    """Where a reader of the event feed stands, as `Last-Event-ID` and as `after`."""
    return f"{epoch}.{position.txid}.{position.seq}"


class FeedCursor:
    """A cursor that came back: where to go on, and whether it is from another life of the data."""

    __slots__ = ("is_foreign", "position")

    def __init__(self, text: str, epoch: str) -> None:
        parts = text.split(".")
        if len(parts) != 3 or not ids.is_id(parts[0]) or not all(_is_number(part) for part in parts[1:]):
            raise HubError(Code.BAD_CURSOR, "This is no cursor of the event feed. Leave it out to begin at the start.")
        self.is_foreign = parts[0] != epoch
        # A restored hub has forgotten the transactions of before, and numbers its new events far above the old ones.
        self.position = Position(0 if self.is_foreign else int(parts[1]), int(parts[2]))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
