"""Mailboxes: addresses whose mails go out as texts."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from hub.storage.types import CleanText, Int64, UtcMillis


class Mailbox(SQLModel, table=True):
    """An address of the hub. The address itself is not stored: it is made of `id`, `version` and a key (`hub.core.mail`)."""

    __tablename__ = "mailbox"
    __table_args__ = (Index("mailbox_account", "account_id", "id"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    name: str = Field(sa_type=CleanText)
    allowed_senders: str = Field(sa_type=CleanText)
    """JSON list: addresses, and `@example.org` for everybody there."""
    line_id: str | None = Field(default=None, sa_type=CleanText)
    """The line that sends; null = the hub chooses."""
    has_subject: bool = Field(default=False)
    """The subject is part of the text."""
    needs_key: bool = Field(default=False)
    """Only those who sign in with a key of the account may write here."""
    version: int = Field(default=1, sa_type=Int64)
    """Raised to give it another address."""
    created_at: int = Field(sa_type=UtcMillis)
    updated_at: int = Field(sa_type=UtcMillis)
