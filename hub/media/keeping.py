"""Taking in the bytes of attachments, before the message that names them.

The bytes are hashed, looked at, and stored piece by piece under (account, SHA-256); a message's row names that hash. A process that dies
half-way leaves pieces nobody reads, which retention removes after a day; the same bytes that come again go on where it stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec

from hub.config import Config
from hub.core.errors import Code, HubError
from hub.core.media import agreed_type, declared_type, sniffed_type
from hub.storage.database import Database
from hub.storage.media import (
    PIECE_BYTES,
    ContentRow,
    drop_medium,
    find_medium,
    finish_content,
    insert_content,
    insert_piece,
    touch_content,
)
from hub.storage.transaction import Done, Refused, Tx

_STILL_WANTED = "Its message has not left yet: wait, or cancel it first."


class Kept(msgspec.Struct, frozen=True):
    """Bytes that are stored."""

    sha256: str
    """In hex."""
    size_bytes: int
    type: str
    """Agreed between what was declared and what the bytes are."""


class StorePiece(msgspec.Struct, frozen=True):
    """Some of a content's bytes; the last piece makes it whole."""

    row: ContentRow
    number: int
    of: int
    content: bytes

    def keys(self) -> tuple[str, ...]:
        """Pieces of one content in order."""
        return (f"media:{self.row.account_id}:{self.row.sha256}",)


class Touch(msgspec.Struct, frozen=True):
    """Somebody brings bytes that may be here."""

    account_id: str
    sha256: str

    def keys(self) -> tuple[str, ...]:
        """As the pieces'."""
        return (f"media:{self.account_id}:{self.sha256}",)


class DropMedium(msgspec.Struct, frozen=True):
    """Forget what an attachment holds."""

    account_id: str
    media_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"media:{self.media_id}",)


def store_pieces(tx: Tx, commands: Sequence[StorePiece]) -> list[Done[None]]:
    """Store pieces, in order."""
    for command in commands:
        row = command.row
        if command.number == 0:
            insert_content(tx.conn, row, tx.now)
        insert_piece(tx.conn, row.account_id, row.sha256, command.number, command.content)
        if command.number == command.of - 1:
            finish_content(tx.conn, row.account_id, row.sha256)
    return [Done(None) for _ in commands]


def touch(tx: Tx, commands: Sequence[Touch]) -> list[Done[bool]]:
    """Whether these bytes are all here; they stay for another day."""
    return [Done(touch_content(tx.conn, command.account_id, command.sha256, tx.now)) for command in commands]


def drop_media(tx: Tx, commands: Sequence[DropMedium]) -> list[Done[None] | Refused]:
    """Forget contents. Refused: `not_found`, and `conflict` while a phone may still have to send it."""
    outcomes: list[Done[None] | Refused] = []
    for command in commands:
        found = find_medium(tx.conn, command.account_id, command.media_id)
        if found is None or found.medium.why == "deleted":
            outcomes.append(Refused(HubError(Code.NOT_FOUND)))
        elif found.is_leaving:
            outcomes.append(Refused(HubError(Code.CONFLICT, _STILL_WANTED)))
        else:
            drop_medium(tx.conn, command.account_id, command.media_id, tx.now)
            outcomes.append(Done(None))
    return outcomes


def allowed_types(config: Config) -> frozenset[str]:
    """What this hub is set to keep."""
    return frozenset(filter(None, (declared_type(one) for one in config.media_types.split(","))))


def checked_type(config: Config, declared: str | None, content: bytes) -> str:
    """The type to keep bytes as. Raises `unsupported_media_type` and `body_too_large`."""
    if len(content) > config.media_max_bytes:
        raise HubError(Code.BODY_TOO_LARGE, f"An attachment may have {config.media_max_bytes} bytes at most.")
    claimed = declared_type(declared)
    agreed = agreed_type(claimed, sniffed_type(content))
    if agreed is None or agreed not in allowed_types(config):
        shown = claimed[:60] or "without a type"
        raise HubError(
            Code.UNSUPPORTED_MEDIA_TYPE,
            f"An attachment {shown} is not kept: either the type is not allowed here, or the bytes are another one's.",
        )
    return agreed


async def keep(db: Database, config: Config, account_id: str, declared: str | None, content: bytes) -> Kept:
    """Store bytes; when this returns they are on disk. Raises as `checked_type` does."""
    type_ = checked_type(config, declared, content)
    sha256 = await asyncio.to_thread(_hash, content)
    seen = Touch(account_id, sha256)
    if not await db.writer.submit(touch, seen, *seen.keys()):
        row = ContentRow(account_id, sha256, len(content), sniffed_type(content))
        pieces = range(0, max(len(content), 1), PIECE_BYTES)
        for number, start in enumerate(pieces):
            piece = StorePiece(row, number, len(pieces), content[start : start + PIECE_BYTES])
            await db.writer.submit(store_pieces, piece, *piece.keys())
    return Kept(sha256, len(content), type_)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
