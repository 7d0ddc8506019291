"""What people know of those they text with: names, notes, consent; and texts they send often."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from hub.storage.types import CleanText, UtcMillis


class Contact(SQLModel, table=True):
    """A person or a shop, with one number or several."""

    __tablename__ = "contact"
    __table_args__ = (Index("contact_account", "account_id", "id"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    name: str = Field(sa_type=CleanText)
    notes: str = Field(default="", sa_type=CleanText)
    tags: str = Field(default="[]", sa_type=CleanText)
    """JSON: a list of words."""
    created_at: int = Field(sa_type=UtcMillis)
    updated_at: int = Field(sa_type=UtcMillis)


class ContactNumber(SQLModel, table=True):
    """A number is one contact's at most."""

    __tablename__ = "contact_number"
    __table_args__ = (Index("contact_number_of", "contact_id"),)

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    peer: str = Field(primary_key=True, sa_type=CleanText)
    contact_id: str = Field(sa_type=CleanText)
    label: str | None = Field(default=None, sa_type=CleanText)


class OptOut(SQLModel, table=True):
    """A peer that asked to hear no more: nothing is accepted for it."""

    __tablename__ = "opt_out"

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    peer: str = Field(primary_key=True, sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)
    word: str | None = Field(default=None, sa_type=CleanText)
    """The text it asked with; none = a person noted it."""


class ConsentChange(SQLModel, table=True):
    """Each time a peer's wish changed, kept as proof."""

    __tablename__ = "consent_change"
    __table_args__ = (Index("consent_change_peer", "account_id", "peer", "id"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    peer: str = Field(sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)
    is_out: bool
    word: str | None = Field(default=None, sa_type=CleanText)
    by: str = Field(sa_type=CleanText)
    """`peer` by a text of its own, else who of the account noted it."""


class Snippet(SQLModel, table=True):
    """A text that is sent often."""

    __tablename__ = "snippet"
    __table_args__ = (Index("snippet_account", "account_id", "name", "id"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    name: str = Field(sa_type=CleanText)
    text: str = Field(sa_type=CleanText)
    updated_at: int = Field(sa_type=UtcMillis)
