"""Attachments and their bytes: the statements that store and read them.

Bytes are written before the row of the message that names them, in pieces, each a command of its own: a picture of five megabytes in
one commit would hold up every text of the hub behind it.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, select, tuple_, update

from hub.core.clock import UtcMs
from hub.core.media import Medium, agreed_type
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert
from hub.storage.messages import MESSAGE
from hub.storage.schema.media import Media, MediaContent, MediaPiece, MediaUpload
from hub.storage.types import table_of

MEDIA = table_of(Media)
CONTENT = table_of(MediaContent)
PIECE = table_of(MediaPiece)
UPLOAD = table_of(MediaUpload)
PIECE_BYTES = 256 * 1024


class MediaRow(NamedTuple):
    """A stored attachment, field by field as in `hub.storage.schema.media.Media`."""

    id: str
    account_id: str
    message_id: str
    position: int
    type: str
    name: str | None
    size_bytes: int | None
    sha256: str | None
    why: str | None
    created_at: UtcMs


class ContentRow(NamedTuple):
    """What is known of stored bytes."""

    account_id: str
    sha256: str
    size_bytes: int
    type: str


class FoundMedium(NamedTuple):
    """An attachment, and the line its message went by."""

    medium: Medium
    line_id: str | None
    is_leaving: bool
    """Its message has not left yet: a phone may still want it."""


class UploadRow(NamedTuple):
    """Bytes that somebody brought to attach, field by field as in `hub.storage.schema.media.MediaUpload`."""

    id: str
    account_id: str
    sha256: str
    type: str
    name: str | None
    size_bytes: int
    created_at: UtcMs


_INSERT_MEDIA = BulkInsert(MEDIA, MediaRow._fields)
_INSERT_UPLOAD = BulkInsert(UPLOAD, UploadRow._fields)
_UPLOADS = select(*(UPLOAD.c[name] for name in UploadRow._fields)).where(
    UPLOAD.c.account_id == bindparam("account_id"), one_of(UPLOAD.c.id, texts("ids"))
)
_INSERT_CONTENT = BulkInsert(
    CONTENT,
    (*ContentRow._fields, "loose_since"),
    {"is_whole": "false"},
    "on conflict (account_id, sha256) do update set loose_since = excluded.loose_since",
)
_INSERT_PIECE = BulkInsert(
    PIECE,
    ("account_id", "sha256", "number", "content"),
    on_conflict="on conflict (account_id, sha256, number) do nothing",
)
_HERE = and_(CONTENT.c.account_id == bindparam("_account_id"), CONTENT.c.sha256 == bindparam("_sha256"))
_TOUCH = update(CONTENT).where(_HERE, CONTENT.c.is_whole).values(loose_since=bindparam("_now"))
_FINISH = update(CONTENT).where(_HERE).values(is_whole=True)
_NAME = update(CONTENT).where(_HERE).values(loose_since=None)
_CONTENTS = select(*(CONTENT.c[name] for name in ContentRow._fields)).where(
    one_of(CONTENT.c.account_id, texts("account_ids")), one_of(CONTENT.c.sha256, texts("hashes")), CONTENT.c.is_whole
)
_PIECE = select(PIECE.c.content).where(
    PIECE.c.account_id == bindparam("account_id"),
    PIECE.c.sha256 == bindparam("sha256"),
    PIECE.c.number == bindparam("number"),
)
_WITH_CONTENT = MEDIA.outerjoin(
    CONTENT, and_(CONTENT.c.account_id == MEDIA.c.account_id, CONTENT.c.sha256 == MEDIA.c.sha256, CONTENT.c.is_whole)
)
_COLUMNS = (*(MEDIA.c[name] for name in MediaRow._fields), CONTENT.c.size_bytes, CONTENT.c.type)
_OF_MESSAGES = (
    select(*_COLUMNS)
    .select_from(_WITH_CONTENT)
    .where(one_of(MEDIA.c.account_id, texts("account_ids")), one_of(MEDIA.c.message_id, texts("ids")))
    .order_by(MEDIA.c.message_id, MEDIA.c.position)
)
_BEFORE_AIR = ("scheduled", "queued", "retried", "dispatched")
_ONE = (
    select(*_COLUMNS, MESSAGE.c.line_id, and_(MESSAGE.c.direction == "mt", MESSAGE.c.state.in_(_BEFORE_AIR)))
    .select_from(
        _WITH_CONTENT.join(
            MESSAGE, and_(MESSAGE.c.id == MEDIA.c.message_id, MESSAGE.c.account_id == MEDIA.c.account_id)
        )
    )
    .where(MEDIA.c.account_id == bindparam("account_id"), MEDIA.c.id == bindparam("id"))
)
_DROP = (
    update(MEDIA)
    .where(MEDIA.c.account_id == bindparam("_account_id"), MEDIA.c.id == bindparam("_id"))
    .values(sha256=None, why="deleted")
)
_KEY = tuple_(CONTENT.c.account_id, CONTENT.c.sha256)
_NAMED = select(MEDIA.c.account_id, MEDIA.c.sha256)
_LOOSEN = (
    update(CONTENT)
    .where(_KEY.in_(_NAMED.where(one_of(MEDIA.c.message_id, texts("ids")))))
    .values(loose_since=bindparam("_now"))
)
_LOOSEN_ONE = (
    update(CONTENT)
    .where(_KEY.in_(_NAMED.where(MEDIA.c.account_id == bindparam("_account_id"), MEDIA.c.id == bindparam("_id"))))
    .values(loose_since=bindparam("_now"))
)
_DELETE_OF = delete(MEDIA).where(one_of(MEDIA.c.message_id, texts("ids")))


# --- bytes ---------------------------------------------------------------------------------------------------------------------------


def touch_content(conn: Connection, account_id: str, sha256: str, now: UtcMs) -> bool:
    """Whether all of these bytes are here; if so they stay for another while."""
    found = conn.execute(_TOUCH, {"_account_id": account_id, "_sha256": sha256, "_now": now})
    return found.rowcount > 0


def insert_content(conn: Connection, row: ContentRow, now: UtcMs) -> None:
    """Begin to store bytes; they count once `finish_content` was called."""
    _INSERT_CONTENT.run(conn, [(*row, now)])


def insert_piece(conn: Connection, account_id: str, sha256: str, number: int, content: bytes) -> None:
    """Store a piece; one that is there is the same."""
    _INSERT_PIECE.run(conn, [(account_id, sha256, number, content)])


def finish_content(conn: Connection, account_id: str, sha256: str) -> None:
    """All pieces are stored."""
    conn.execute(_FINISH, {"_account_id": account_id, "_sha256": sha256})


def contents_of(conn: Connection, hashes: Collection[tuple[str, str]]) -> dict[tuple[str, str], ContentRow]:
    """The bytes that are here of these (account, hash), by that pair."""
    if not hashes:
        return {}
    values = {"account_ids": sorted({one[0] for one in hashes}), "hashes": sorted({one[1] for one in hashes})}
    found = [ContentRow(*row) for row in conn.execute(_CONTENTS, values)]
    return {(row.account_id, row.sha256): row for row in found if (row.account_id, row.sha256) in hashes}


def read_piece(conn: Connection, account_id: str, sha256: str, number: int) -> bytes | None:
    """One piece, counted from 0."""
    row = conn.execute(_PIECE, {"account_id": account_id, "sha256": sha256, "number": number}).first()
    return None if row is None else bytes(row[0])


# --- attachments ---------------------------------------------------------------------------------------------------------------------


def insert_media(conn: Connection, rows: Sequence[MediaRow]) -> None:
    """Store the attachments of messages that are stored in this transaction, and keep their bytes for as long."""
    _INSERT_MEDIA.run(conn, rows)
    named = sorted({(row.account_id, row.sha256) for row in rows if row.sha256 is not None})
    if named:
        conn.execute(_NAME, [{"_account_id": account_id, "_sha256": sha256} for account_id, sha256 in named])


def media_of(conn: Connection, account_id: str, message_ids: Collection[str]) -> dict[str, tuple[Medium, ...]]:
    """By message: what is attached to it, in order."""
    return media_of_each(conn, (account_id,), message_ids)


def media_of_each(
    conn: Connection, account_ids: Collection[str], message_ids: Collection[str]
) -> dict[str, tuple[Medium, ...]]:
    """The same for messages of these accounts."""
    found: dict[str, tuple[Medium, ...]] = {}
    if message_ids:
        given = {"account_ids": sorted(account_ids), "ids": sorted(message_ids)}
        for row in conn.execute(_OF_MESSAGES, given):
            medium = _medium(row)
            found[medium.message_id] = (*found.get(medium.message_id, ()), medium)
    return found


def find_medium(conn: Connection, account_id: str, media_id: str) -> FoundMedium | None:
    """One attachment of an account."""
    row = conn.execute(_ONE, {"account_id": account_id, "id": media_id}).first()
    return None if row is None else FoundMedium(_medium(row), row[-2], bool(row[-1]))


def drop_medium(conn: Connection, account_id: str, media_id: str, now: UtcMs) -> None:
    """Forget the content of an attachment; its row says that it was there."""
    values = {"_account_id": account_id, "_id": media_id, "_now": now}
    conn.execute(_LOOSEN_ONE, values)
    conn.execute(_DROP, {"_account_id": account_id, "_id": media_id})


def release_media_of(conn: Connection, message_ids: Collection[str], now: UtcMs) -> None:
    """Remove the attachments of these messages. Their bytes go a day later, unless another message has them too."""
    if message_ids:
        conn.execute(_LOOSEN, {"ids": sorted(message_ids), "_now": now})
        conn.execute(_DELETE_OF, {"ids": sorted(message_ids)})


# --- on the way out ------------------------------------------------------------------------------------------------------------------


def insert_uploads(conn: Connection, rows: Sequence[UploadRow]) -> None:
    """Give names to bytes that are to be attached; their content is stored."""
    _INSERT_UPLOAD.run(conn, rows)


def uploads_of(conn: Connection, account_id: str, ids: Collection[str]) -> dict[str, UploadRow]:
    """Those of these uploads that the account has, by id."""
    if not ids:
        return {}
    found = conn.execute(_UPLOADS, {"account_id": account_id, "ids": sorted(ids)})
    return {row[0]: UploadRow(*row) for row in found}


_TO_ATTACH = (
    select(*_COLUMNS)
    .select_from(
        _WITH_CONTENT.join(
            MESSAGE, and_(MESSAGE.c.id == MEDIA.c.message_id, MESSAGE.c.account_id == MEDIA.c.account_id)
        )
    )
    .where(
        MEDIA.c.account_id == bindparam("account_id"),
        MEDIA.c.sha256 == bindparam("sha256"),
        MESSAGE.c.device_id == bindparam("device_id"),
        MESSAGE.c.direction == "mt",
        MESSAGE.c.state.in_(("queued", "retried", "dispatched", "uncertain")),
    )
    .limit(1)
)


def medium_to_attach(conn: Connection, account_id: str, device_id: str, sha256: str) -> Medium | None:
    """An attachment with these bytes, of a message that this phone was offered or holds."""
    given = {"account_id": account_id, "device_id": device_id, "sha256": sha256}
    row = conn.execute(_TO_ATTACH, given).first()
    return None if row is None else _medium(row)


def _medium(found: Any) -> Medium:
    row = MediaRow(*found[: len(MediaRow._fields)])
    size, sniffed = found[len(MediaRow._fields) : len(MediaRow._fields) + 2]
    agreed = None if sniffed is None else agreed_type(row.type, sniffed)
    why = row.why or ("missing" if sniffed is None else "type" if agreed is None else None)
    return Medium(
        id=row.id,
        message_id=row.message_id,
        position=row.position,
        type=agreed or row.type,
        name=row.name,
        size_bytes=row.size_bytes if size is None else size,
        sha256=row.sha256,
        created_at=row.created_at,
        why=why,
    )
