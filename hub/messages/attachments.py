"""What is attached to texts that come in: rows for it, in the transaction of the message that has it.

The bytes were stored before (`hub.media.keeping`). An attachment whose bytes are not here, or are not what they were called, keeps its
row and says why: a picture that got lost is shown as one, not left out. Texts without attachments cost nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_protocol.payloads import MediaRef, MmsReceived
from hub.core.events import MediaData
from hub.core.ids import render
from hub.core.media import PHONES_WHY, WHY_NOT, agreed_type, declared_type, shown_name
from hub.core.text import sanitise
from hub.storage.media import ContentRow, MediaRow, contents_of, insert_media
from hub.storage.messages import MessageRow
from hub.storage.transaction import Tx

LARGEST_SIZE = (1 << 53) - 1


class Attachments:
    """The attachments of one batch of messages."""

    def __init__(self, contents: Mapping[tuple[str, str], ContentRow]) -> None:
        self._contents = contents
        self._rows: list[MediaRow] = []

    @classmethod
    def of(cls, tx: Tx, given: Sequence[tuple[str, object]]) -> Attachments:
        """Look up, once for the batch, which of the bytes that (account, payload) speak of are here."""
        named = {
            (account_id, ref.sha256)
            for account_id, payload in given
            if isinstance(payload, MmsReceived)
            for ref in payload.media
            if ref.sha256 is not None
        }
        return cls(contents_of(tx.conn, named))

    def attach(self, tx: Tx, row: MessageRow, payload: object) -> tuple[MediaData, ...]:
        """Note what a message has; returned as its event tells it."""
        if not isinstance(payload, MmsReceived):
            return ()
        return tuple(self._attach(tx, row, position, ref) for position, ref in enumerate(payload.media))

    def store(self, tx: Tx) -> None:
        """Write the rows; their messages are written."""
        if self._rows:
            insert_media(tx.conn, self._rows)

    def _attach(self, tx: Tx, row: MessageRow, position: int, ref: MediaRef) -> MediaData:
        content = None if ref.sha256 is None else self._contents.get((row.account_id, ref.sha256))
        declared = sanitise(declared_type(ref.content_type))
        agreed = None if content is None else agreed_type(declared, content.type)
        why = "type" if content is not None and agreed is None else None
        if ref.sha256 is None:
            allowed = WHY_NOT if row.device_id is None else PHONES_WHY
            why = ref.why if ref.why in allowed else "missing"
        made = MediaRow(
            id=tx.new_id(),
            account_id=row.account_id,
            message_id=row.id,
            position=position,
            type=agreed or declared,
            name=shown_name(sanitise(ref.name) if ref.name else None),
            size_bytes=ref.size_bytes if content is None else content.size_bytes,
            sha256=ref.sha256,
            why=why,
            created_at=tx.now,
        )
        self._rows.append(made)
        return MediaData(
            id=render("media", made.id),
            content_type=made.type,
            name=made.name,
            size_bytes=made.size_bytes,
            why=why or ("missing" if content is None else None),
        )
