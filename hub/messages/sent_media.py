"""What is attached to texts that go out: rows for it where they are accepted, and what phones and customers are told of it.

The bytes were stored before (`hub.media.keeping`). A text without attachments asks the database nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from device_protocol.frames import JobMedia
from hub.core.commands import SendRequest, SentMedium
from hub.core.events import MediaData
from hub.core.ids import render
from hub.core.media import Medium
from hub.storage.media import ContentRow, MediaRow, contents_of, insert_media, media_of, media_of_each
from hub.storage.messages import MessageRow
from hub.storage.transaction import Tx

MMS = "mms"


class Outgoing:
    """The attachments of one batch of requests."""

    def __init__(self, tx: Tx, requests: Iterable[SendRequest]) -> None:
        named = {(request.account_id, one.sha256) for request in requests for one in request.media}
        self._here: Mapping[tuple[str, str], ContentRow] = contents_of(tx.conn, named)
        self._rows: dict[str, list[MediaRow]] = {}

    def is_gone(self, request: SendRequest) -> bool:
        """Whether bytes that it names are not here any more: nothing named them for a day."""
        return any((request.account_id, one.sha256) not in self._here for one in request.media)

    def attach(self, tx: Tx, row: MessageRow, request: SendRequest) -> None:
        """Note what a message has."""
        if request.media:
            self._rows[row.id] = [_media_row(tx, row, place, one) for place, one in enumerate(request.media)]

    def told(self, message_id: str) -> tuple[MediaData, ...]:
        """What a message has, as its event tells it."""
        return tuple(
            MediaData(id=render("media", row.id), content_type=row.type, name=row.name, size_bytes=row.size_bytes)
            for row in self._rows.get(message_id, ())
        )

    def store(self, tx: Tx, rows: Iterable[MessageRow]) -> None:
        """Write the attachments of these messages, which are written."""
        if self._rows:
            insert_media(tx.conn, [medium for row in rows for medium in self._rows.get(row.id, ())])


def _media_row(tx: Tx, row: MessageRow, place: int, one: SentMedium) -> MediaRow:
    return MediaRow(
        id=tx.new_id(),
        account_id=row.account_id,
        message_id=row.id,
        position=place,
        type=one.type,
        name=one.name,
        size_bytes=one.size_bytes,
        sha256=one.sha256,
        why=None,
        created_at=tx.now,
    )


def media_for_phones(conn: Connection, rows: Iterable[MessageRow]) -> dict[str, tuple[JobMedia, ...]]:
    """By message: what a phone is to attach."""
    return {
        message_id: tuple(
            JobMedia(one.sha256, one.type, one.size_bytes or 0, one.name)
            for one in media
            if one.sha256 is not None and one.why is None
        )
        for message_id, media in _media_of(conn, rows).items()
    }


def media_for_events(conn: Connection, rows: Iterable[MessageRow]) -> dict[str, tuple[MediaData, ...]]:
    """By message: what its event tells of its attachments."""
    return {message_id: told_of(media) for message_id, media in _media_of(conn, rows).items()}


def told_of(media: Iterable[Medium]) -> tuple[MediaData, ...]:
    """Attachments as an event tells them."""
    return tuple(
        MediaData(
            id=render("media", one.id), content_type=one.type, name=one.name, size_bytes=one.size_bytes, why=one.why
        )
        for one in media
    )


def media_to_repeat(conn: Connection, row: MessageRow) -> tuple[SentMedium, ...] | None:
    """What is attached to a message that is to be sent once more; None when some of it is gone."""
    if row.kind != MMS:
        return ()
    found = media_of(conn, row.account_id, [row.id]).get(row.id, ())
    whole = tuple(
        SentMedium(one.sha256, one.type, one.size_bytes or 0, one.name)
        for one in found
        if one.sha256 is not None and one.why is None
    )
    return whole if whole and len(whole) == len(found) else None


def _media_of(conn: Connection, rows: Iterable[MessageRow]) -> dict[str, tuple[Medium, ...]]:
    with_media = [row for row in rows if row.kind == MMS]
    return media_of_each(conn, {row.account_id for row in with_media}, {row.id for row in with_media})
