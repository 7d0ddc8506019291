"""People who use the dashboard: who they are, the browsers they are signed in with, and the one-time links that let them in."""

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from hub.storage.types import Bytes, CleanText, Int64, UtcMillis


class User(SQLModel, table=True):
    """A person of an account."""

    __tablename__ = "hub_user"
    __table_args__ = (Index("hub_user_account", "account_id"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    username: str = Field(sa_type=CleanText, unique=True)
    """What they sign in with, an address or a name, in the one spelling that is compared; unique in the whole hub."""
    name: str = Field(sa_type=CleanText)
    role: str = Field(sa_type=CleanText)
    """admin, member or read_only (`accounts/roles.py`)."""
    line_ids: str | None = Field(default=None, sa_type=CleanText)
    """The lines they see and send by, separated by spaces; null = all of the account."""
    password_hash: str | None = Field(default=None, sa_type=CleanText)
    """Argon2id in its own notation; null until they have chosen a password."""
    totp_secret: bytes | None = Field(default=None, sa_type=Bytes)
    """Sealed; null = no second factor."""
    totp_pending: bytes | None = Field(default=None, sa_type=Bytes)
    """Sealed: shown as a QR code, not yet confirmed by a first code."""
    totp_step: int = Field(default=0, sa_type=Int64)
    """The 30-second step of the last code that was taken: a code counts once."""
    recovery_hashes: str = Field(default="", sa_type=CleanText)
    """SHA-256 of the recovery codes that are left, separated by spaces."""
    created_at: int = Field(sa_type=UtcMillis)
    last_seen_at: int | None = Field(default=None, sa_type=UtcMillis)
    disabled_at: int | None = Field(default=None, sa_type=UtcMillis)


class SignIn(SQLModel, table=True):
    """One browser of one person, until they sign out. The token itself is in the browser's cookie alone."""

    __tablename__ = "sign_in"
    __table_args__ = (Index("sign_in_user", "user_id"), Index("sign_in_expires", "expires_at"))

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    user_id: str = Field(sa_type=CleanText, foreign_key="hub_user.id")
    token_sha256: str = Field(sa_type=CleanText, unique=True)
    created_at: int = Field(sa_type=UtcMillis)
    seen_at: int = Field(sa_type=UtcMillis)
    """To the minute."""
    expires_at: int = Field(sa_type=UtcMillis)
    """When it ends however busy it is."""


class UserLink(SQLModel, table=True):
    """A one-time link: makes the first person of a hub, or lets a person choose a password."""

    __tablename__ = "user_link"
    __table_args__ = (Index("user_link_expires", "expires_at"), Index("user_link_user", "user_id"))

    token_sha256: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    user_id: str | None = Field(default=None, sa_type=CleanText)
    """Null = makes the hub's first person."""
    created_at: int = Field(sa_type=UtcMillis)
    expires_at: int = Field(sa_type=UtcMillis)


class SignUp(SQLModel, table=True):
    """Somebody who signed up and has not confirmed their mail address: the account is made by the link."""

    __tablename__ = "sign_up"
    __table_args__ = (Index("sign_up_expires", "expires_at"), Index("sign_up_username", "username"))

    token_sha256: str = Field(primary_key=True, sa_type=CleanText)
    username: str = Field(sa_type=CleanText)
    """Their mail address; several may wait with one address, each with a password of its own."""
    name: str = Field(sa_type=CleanText)
    password_hash: str = Field(sa_type=CleanText)
    sealed_token: bytes = Field(sa_type=Bytes)
    """Encrypted, so that the operator of a hub that sends no mail can pass the link on."""
    created_at: int = Field(sa_type=UtcMillis)
    expires_at: int = Field(sa_type=UtcMillis)
