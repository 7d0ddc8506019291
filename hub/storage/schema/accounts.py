"""Accounts and what may act for them: API keys, logins, idempotency records, and the hub's own facts."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from hub.storage.types import Bytes, CleanText, Int64, UtcMillis


class Account(SQLModel, table=True):
    """One customer: the scope of every row and of every look-up."""

    __tablename__ = "account"

    id: str = Field(primary_key=True, sa_type=CleanText)
    name: str = Field(sa_type=CleanText)
    created_at: int = Field(sa_type=UtcMillis)
    settings: str = Field(default="{}", sa_type=CleanText)
    """JSON: default_region, time_zone, retry_generic, strict_sender, default_pool, quiet hours … (`accounts/settings.py`)."""
    sandbox_of: str | None = Field(default=None, sa_type=CleanText, unique=True)
    """The account whose sandbox this is (`accounts/sandbox.py`); null for a real one."""


class ApiKey(SQLModel, table=True):
    """A `hub_…` key: only its SHA-256 is kept; two are alive while one replaces the other."""

    __tablename__ = "api_key"
    __table_args__ = (Index("api_key_account", "account_id"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    name: str = Field(sa_type=CleanText)
    key_sha256: str = Field(sa_type=CleanText, unique=True)
    hint: str = Field(sa_type=CleanText)
    """The last four characters, so that a person can tell two keys apart."""
    scopes: str = Field(sa_type=CleanText)
    """Space-separated scope words."""
    created_at: int = Field(sa_type=UtcMillis)
    expires_at: int | None = Field(default=None, sa_type=UtcMillis)
    revoked_at: int | None = Field(default=None, sa_type=UtcMillis)
    last_used_at: int | None = Field(default=None, sa_type=UtcMillis)
    replaces_id: str | None = Field(default=None, sa_type=CleanText)


class BasicLogin(SQLModel, table=True):
    """A user name and password for programs that know nothing else (RFC 7617): phones' and clients' of the sms-gate.app kind."""

    __tablename__ = "basic_login"
    __table_args__ = (Index("basic_login_account", "account_id"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    username: str = Field(sa_type=CleanText)
    username_key: str = Field(sa_type=CleanText, unique=True)
    """The name in lower case: two that differ only in case are one, as in the MySQL databases that logins are moved in from."""
    password_hash: str = Field(sa_type=CleanText)
    """Argon2id, or bcrypt as it was imported."""
    created_at: int = Field(sa_type=UtcMillis)
    password_at: int = Field(sa_type=UtcMillis)
    """When the password was set last."""
    last_used_at: int | None = Field(default=None, sa_type=UtcMillis)


class Idempotency(SQLModel, table=True):
    """What a request with an `Idempotency-Key` was answered, by account and door."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_expires", "expires_at"),)

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    door: str = Field(primary_key=True, sa_type=CleanText)
    key: str = Field(primary_key=True, sa_type=CleanText)
    request_sha256: str = Field(sa_type=CleanText)
    status: int = Field(sa_type=Int64)
    body: bytes = Field(sa_type=Bytes)
    created_at: int = Field(sa_type=UtcMillis)
    expires_at: int = Field(sa_type=UtcMillis)


class HubFact(SQLModel, table=True):
    """Facts of the hub itself: `hub_epoch`, `id_high_water`, `hold` (a restored hub), `schema_note` …"""

    __tablename__ = "hub_fact"

    name: str = Field(primary_key=True, sa_type=CleanText)
    value: str = Field(sa_type=CleanText)


class WriteBatch(SQLModel, table=True):
    """One row per committed batch: how a writer finds out whether a COMMIT whose answer was lost took effect."""

    __tablename__ = "write_batch"

    id: str = Field(primary_key=True, sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)
