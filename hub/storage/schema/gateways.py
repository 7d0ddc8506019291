"""Gateways: how a PBX, or a program written for Twilio, knows this hub."""

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from hub.storage.types import Bytes, CleanText, UtcMillis


class Gateway(SQLModel, table=True):
    """An account id and token in Twilio's shape, with the URLs its platform wants to be told at."""

    __tablename__ = "gateway"
    __table_args__ = (
        Index("gateway_account", "account_id", "id"),
        Index(
            "gateway_name",
            "name_key",
            unique=True,
            sqlite_where=text("deleted_at is null"),
            postgresql_where=text("deleted_at is null"),
        ),
        Index(
            "gateway_sid",
            "sid",
            unique=True,
            sqlite_where=text("deleted_at is null"),
            postgresql_where=text("deleted_at is null"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    name: str = Field(sa_type=CleanText)
    name_key: str = Field(sa_type=CleanText)
    """What a name is compared by: it stands in URLs of the whole hub."""
    sid: str = Field(sa_type=CleanText)
    tokens: bytes = Field(sa_type=Bytes)
    """Encrypted JSON (`hub.webhooks.signing.Keys`): the token, and the one before while that still works."""
    sender: str | None = Field(default=None, sa_type=CleanText)
    """The number, alias or pool that sends when a request names none."""
    line_ids: str = Field(default="[]", sa_type=CleanText)
    """JSON list: whose inbound texts it is told of; empty = all lines of the account."""
    status_url: str | None = Field(default=None, sa_type=CleanText)
    endpoint_id: str | None = Field(default=None, sa_type=CleanText)
    """The webhook behind its inbound URL."""
    created_at: int = Field(sa_type=UtcMillis)
    updated_at: int = Field(sa_type=UtcMillis)
    deleted_at: int | None = Field(default=None, sa_type=UtcMillis)


class InboundRule(SQLModel, table=True):
    """Who is told of texts to one number of the account; a number without a rule is everybody's."""

    __tablename__ = "inbound_rule"

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    number: str = Field(primary_key=True, sa_type=CleanText)
    """The destination, as its line's number is written."""
    gateway_id: str | None = Field(default=None, sa_type=CleanText)
    webhook_ids: str = Field(default="[]", sa_type=CleanText)
    """JSON list."""
    user_ids: str = Field(default="[]", sa_type=CleanText)
    """JSON list: people limited to some lines who see this number's line too."""
    created_at: int = Field(sa_type=UtcMillis)
    updated_at: int = Field(sa_type=UtcMillis)
