"""What is attached to messages: the rows that name it, and the bytes in pieces."""

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from hub.storage.types import Bytes, CleanText, Int64, UtcMillis


class Media(SQLModel, table=True):
    """One attachment of one message. Several messages may share the same content."""

    __tablename__ = "media"
    __table_args__ = (
        Index("media_message", "message_id", "position"),
        Index("media_of_content", "account_id", "sha256"),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    message_id: str = Field(sa_type=CleanText)
    position: int = Field(sa_type=Int64)
    type: str = Field(sa_type=CleanText)
    """As it was declared; what is served also has to agree with the content's own."""
    name: str | None = Field(default=None, sa_type=CleanText)
    size_bytes: int | None = Field(default=None, sa_type=Int64)
    sha256: str | None = Field(default=None, sa_type=CleanText)
    why: str | None = Field(default=None, sa_type=CleanText)
    """Why there is no content (`hub.core.media.WHY_NOT`)."""
    created_at: int = Field(sa_type=UtcMillis)


class MediaContent(SQLModel, table=True):
    """Bytes an account has, named by their hash: the same picture sent twice is kept once."""

    __tablename__ = "media_content"
    __table_args__ = (
        Index(
            "media_content_loose",
            "loose_since",
            sqlite_where=text("loose_since is not null"),
            postgresql_where=text("loose_since is not null"),
        ),
    )

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    sha256: str = Field(primary_key=True, sa_type=CleanText)
    size_bytes: int = Field(sa_type=Int64)
    type: str = Field(sa_type=CleanText)
    """What the bytes begin like (`hub.core.media.sniffed_type`)."""
    is_whole: bool = Field(default=False)
    """All pieces are stored."""
    loose_since: int | None = Field(default=None, sa_type=UtcMillis)
    """When it last came in; none once a message names it."""


class MediaPiece(SQLModel, table=True):
    """Some of a content's bytes: small enough that writing one delays nobody."""

    __tablename__ = "media_piece"

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    sha256: str = Field(primary_key=True, sa_type=CleanText)
    number: int = Field(primary_key=True, sa_type=Int64)
    content: bytes = Field(sa_type=Bytes)


class MediaUpload(SQLModel, table=True):
    """Bytes that a program brought to attach to what it sends next. Goes after a day; what was sent has rows of its own."""

    __tablename__ = "media_upload"

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    sha256: str = Field(sa_type=CleanText)
    type: str = Field(sa_type=CleanText)
    name: str | None = Field(default=None, sa_type=CleanText)
    size_bytes: int = Field(sa_type=Int64)
    created_at: int = Field(sa_type=UtcMillis)


class MediaPull(SQLModel, table=True):
    """A received message whose attachments are to be fetched from where its carrier says they are."""

    __tablename__ = "media_pull"
    __table_args__ = (
        Index("media_pull_due", "next_at"),
        Index(
            "media_pull_untold",
            "tell_at",
            sqlite_where=text("tell_at is not null"),
            postgresql_where=text("tell_at is not null"),
        ),
    )

    message_id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    gateway_id: str = Field(sa_type=CleanText)
    number: str = Field(sa_type=CleanText)
    """Ours, as the carrier wrote it."""
    urls: str = Field(sa_type=CleanText)
    """JSON: the address of each attachment, by position."""
    tries: int = Field(default=0, sa_type=Int64)
    next_at: int = Field(sa_type=UtcMillis)
    """When to try next; while somebody tries, when another may."""
    tell_at: int | None = Field(default=None, sa_type=UtcMillis)
    """When customers are told at the latest; none once they were."""
