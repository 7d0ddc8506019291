"""Bytes that a program brings to attach to what it sends next: kept, and given a name to send them by."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.core.commands import SentMedium
from hub.core.errors import Code, FieldError, HubError
from hub.core.ids import BadId, parse
from hub.storage.database import Database
from hub.storage.media import UploadRow, insert_uploads, uploads_of
from hub.storage.transaction import Done, Tx


class NameUpload(msgspec.Struct, frozen=True):
    """Give kept bytes an id. `row.created_at` is set when it is stored."""

    row: UploadRow

    def keys(self) -> tuple[str, ...]:
        """What orders this command: nothing."""
        return ()


def name_uploads(tx: Tx, commands: Sequence[NameUpload]) -> list[Done[None]]:
    """Store uploads; their bytes are stored. They go after a day."""
    insert_uploads(tx.conn, [command.row._replace(created_at=tx.now) for command in commands])
    return [Done(None) for _ in commands]


async def uploaded(db: Database, account_id: str, shown_ids: Sequence[str], most_bytes: int) -> tuple[SentMedium, ...]:
    """What is meant by these `med_…`. Raises `validation` for one that is no upload of the account, `body_too_large`."""
    ids = [_bare(shown, place) for place, shown in enumerate(shown_ids)]
    found = await db.read(uploads_of, account_id, set(ids))
    for place, one in enumerate(ids):
        if one not in found:
            raise _unknown(place)
    rows = [found[one] for one in ids]
    if sum(row.size_bytes for row in rows) > most_bytes:
        raise HubError(
            Code.BODY_TOO_LARGE, f"All attachments of a message together may have {most_bytes} bytes at most."
        )
    return tuple(SentMedium(row.sha256, row.type, row.size_bytes, row.name) for row in rows)


def _bare(shown: str, place: int) -> str:
    try:
        return parse("media", shown)
    except BadId:
        raise _unknown(place) from None


def _unknown(place: int) -> HubError:
    sentence = "This is no upload of the last day: upload it at POST /v1/media, and send what that answers."
    return HubError(Code.VALIDATION, sentence, (FieldError(f"media[{place}]", "unknown", sentence),))
