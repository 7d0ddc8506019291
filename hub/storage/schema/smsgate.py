"""What only the sms-gate.app dialect needs to remember: its messages of several recipients, its tokens, settings and older names."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from hub.storage.types import Bytes, CleanText, Int64, UtcMillis


class SmsGateMessage(SQLModel, table=True):
    """A message as a client of that API sees it: one id for up to a hundred recipients, each of which is a text of ours."""

    __tablename__ = "smsgate_message"
    __table_args__ = (
        Index("smsgate_message_account", "account_id", "id"),
        Index("smsgate_message_shown", "account_id", "shown_id", unique=True),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    """Its time is when the message was created."""
    account_id: str = Field(sa_type=CleanText)
    shown_id: str = Field(sa_type=CleanText)
    """The client's own id, or the one it was given: 1 to 36 characters, unique in the account."""
    device_id: str | None = Field(default=None, sa_type=CleanText)
    """The phone it asked for."""
    is_encrypted: bool = Field(default=False)
    content_hash: str | None = Field(default=None, sa_type=CleanText)
    """Set where a server it was moved in from had kept only this hash of its content."""


class SmsGateRecipient(SQLModel, table=True):
    """One recipient of such a message, with the number exactly as the client wrote it."""

    __tablename__ = "smsgate_recipient"
    __table_args__ = (Index("smsgate_recipient_parent", "parent_id", "position"),)

    message_id: str = Field(primary_key=True, sa_type=CleanText)
    """The text of this recipient."""
    account_id: str = Field(sa_type=CleanText)
    parent_id: str = Field(sa_type=CleanText)
    position: int = Field(sa_type=Int64)
    phone_number: str = Field(sa_type=CleanText)


class SmsGateToken(SQLModel, table=True):
    """An access token and the refresh token given with it; the tokens themselves are nowhere."""

    __tablename__ = "smsgate_token"
    __table_args__ = (
        Index("smsgate_token_login", "login_id"),
        Index("smsgate_token_refresh", "refresh_id", unique=True),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    """`jti` of the access token."""
    account_id: str = Field(sa_type=CleanText)
    login_id: str = Field(sa_type=CleanText)
    scopes: str = Field(sa_type=CleanText)
    """Space-separated, in that API's words."""
    refresh_id: str = Field(sa_type=CleanText)
    """`jti` of the refresh token."""
    family_id: str = Field(sa_type=CleanText)
    """The first token of a chain of refreshes: a refresh token used twice ends all of its chain."""
    created_at: int = Field(sa_type=UtcMillis)
    expires_at: int = Field(sa_type=UtcMillis)
    refresh_expires_at: int = Field(sa_type=UtcMillis)
    refreshed_at: int | None = Field(default=None, sa_type=UtcMillis)
    revoked_at: int | None = Field(default=None, sa_type=UtcMillis)


class SmsGateSettings(SQLModel, table=True):
    """The settings clients of that API gave for the account's phones."""

    __tablename__ = "smsgate_settings"

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    settings: str = Field(default="{}", sa_type=CleanText)
    """JSON of groups of keys, without secrets."""
    signing_key: bytes | None = Field(default=None, sa_type=Bytes)
    """What webhooks registered by that API are signed with; sealed. Without it each has a secret of its own."""
    updated_at: int = Field(sa_type=UtcMillis)


class SmsGateAlias(SQLModel, table=True):
    """The id something had on the server it was moved in from: clients go on using it."""

    __tablename__ = "smsgate_alias"
    __table_args__ = (Index("smsgate_alias_id", "id"),)

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    kind: str = Field(primary_key=True, sa_type=CleanText)
    """`device` or `user`."""
    shown_id: str = Field(primary_key=True, sa_type=CleanText)
    id: str = Field(sa_type=CleanText)


class SmsGateWebhook(SQLModel, table=True):
    """A webhook for an event this hub never makes: kept, listed and deleted like the others, because programs register all they know."""

    __tablename__ = "smsgate_webhook"

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    shown_id: str = Field(primary_key=True, sa_type=CleanText)
    url: str = Field(sa_type=CleanText)
    event: str = Field(sa_type=CleanText)
    device_id: str | None = Field(default=None, sa_type=CleanText)
    created_at: int = Field(sa_type=UtcMillis)
