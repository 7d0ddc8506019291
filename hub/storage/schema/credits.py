"""Credits: what an account has left to send texts with, and the ledger that says how it came to that."""

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from hub.storage.types import CleanText, Int64, UtcMillis


class CreditAccount(SQLModel, table=True):
    """The balance of an account that pays for its texts; an account without a row, or switched off, sends what it likes.

    Always: `balance_micros` = `settled_micros` + the sum of the account's entries.
    """

    __tablename__ = "credit_account"

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    currency: str = Field(sa_type=CleanText)
    """Three letters, ISO 4217."""
    price_micros: int = Field(sa_type=Int64)
    """What one text costs, in millionths of the currency."""
    balance_micros: int = Field(default=0, sa_type=Int64)
    settled_micros: int = Field(default=0, sa_type=Int64)
    """The sum of the entries that retention took out of the ledger."""
    is_on: bool = Field(default=True)


class CreditEntry(SQLModel, table=True):
    """One line of the ledger: nothing changes a balance without one, in the same transaction."""

    __tablename__ = "credit_entry"
    __table_args__ = (
        Index("credit_entry_account", "account_id", "id"),
        # The database itself refuses to charge or refund the same sending of a text twice.
        Index(
            "credit_entry_message",
            "message_id",
            "turn",
            "kind",
            unique=True,
            sqlite_where=text("message_id is not null"),
            postgresql_where=text("message_id is not null"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)
    kind: str = Field(sa_type=CleanText)
    """`top_up`, `charge` or `refund`."""
    amount_micros: int = Field(sa_type=Int64)
    """Signed: a charge is below zero."""
    message_id: str | None = Field(default=None, sa_type=CleanText)
    turn: int = Field(default=0, sa_type=Int64)
    """0 for a text's first sending; each replay of a dead letter is another."""
    note: str | None = Field(default=None, sa_type=CleanText)
    """Of a top-up: what its maker wrote."""
