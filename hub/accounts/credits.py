"""Credits: an account that pays for its texts out of a balance, which the operator tops up. Off until the operator sets a price.

Rules:
 1. A text is charged in the transaction that accepts it: one price, whatever its length, door or priority. What the balance cannot
    pay is refused whole (`no_credit`) and nothing of it is stored.
 2. It is refunded once, in the transaction in which it fails: failed, undelivered, expired, cancelled or a dead letter. A text that
    may have been sent (`outcome_unknown`) is not.
 3. A dead letter that is replayed is charged again.
 4. Texts for a sandbox phone are free: nobody gets them.
 5. A balance is the sum of its ledger, always: nothing moves one without an entry in the same transaction.

Amounts are whole millionths of the currency, so that nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from functools import cached_property

import msgspec

from hub.core.errors import Code, HubError, invalid
from hub.core.status import Status
from hub.core.text import sanitise
from hub.storage.accounts import find_account
from hub.storage.credits import (
    CreditRow,
    EntryRow,
    ask_credits,
    find_credits,
    paid_for,
    write_entries,
    write_price,
)
from hub.storage.transaction import Done, Refused, Tx

MICROS = 1_000_000
OUTCOME_UNKNOWN = "outcome_unknown"
FAILING = frozenset({Status.FAILED, Status.UNDELIVERED, Status.EXPIRED, Status.CANCELLED, Status.DEAD_LETTER})
"""States that give the price back."""
_AMOUNT = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?")
"""Below a thousand million: far from the end of a 64-bit number of millionths, however many of them are added."""
_CURRENCY = re.compile(r"[A-Z]{3}")


def is_refunded(status: Status, reason: str | None) -> bool:
    """Whether a text that comes into this state gives its price back."""
    return status in FAILING and reason != OUTCOME_UNKNOWN


def micros_of(amount: str, field: str) -> int:
    """A decimal amount such as `0.0375` in millionths. Raises `validation`."""
    if not _AMOUNT.fullmatch(amount):
        raise invalid(
            field, "amount", f"{field}: give an amount such as 0.05, with at most six digits after the point."
        )
    return int(Decimal(amount) * MICROS)


def amount_of(micros: int) -> float:
    """Millionths as the number that people and programs read."""
    return micros / MICROS


class SetPrice(msgspec.Struct, frozen=True, kw_only=True):
    """Make an account pay for its texts, change its price, or (`is_on` false) let it send without."""

    account_id: str
    currency: str
    price_micros: int
    is_on: bool = True

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"credits:{self.account_id}",)


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """Add to a balance; a negative amount corrects it."""

    id: str
    account_id: str
    micros: int
    note: str | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"credits:{self.account_id}",)


def set_prices(tx: Tx, commands: Sequence[SetPrice]) -> list[Done[CreditRow] | Refused]:
    """Set prices. Refused: `not_found`, `validation`."""
    return [_set_price(tx, command) for command in commands]


def top_up(tx: Tx, commands: Sequence[TopUp]) -> list[Done[CreditRow] | Refused]:
    """Move balances by the operator's hand. Refused: `conflict` for an account that has no price yet."""
    return [_top_up(tx, command) for command in commands]


def _set_price(tx: Tx, command: SetPrice) -> Done[CreditRow] | Refused:
    if find_account(tx.conn, command.account_id) is None:
        return Refused(HubError(Code.NOT_FOUND))
    if not _CURRENCY.fullmatch(command.currency):
        return Refused(invalid("currency", "unknown", "Give the three letters of a currency, such as EUR."))
    if command.price_micros < 0:
        return Refused(invalid("price", "out_of_range", "A price is not below zero."))
    write_price(tx, command.account_id, command.currency, command.price_micros, is_on=command.is_on)
    return _stored(tx, command.account_id)


def _top_up(tx: Tx, command: TopUp) -> Done[CreditRow] | Refused:
    if find_credits(tx.conn, command.account_id) is None:
        return Refused(HubError(Code.CONFLICT, "This account has no price yet: set one with hub credits price."))
    note = None if command.note is None else sanitise(command.note)
    write_entries(tx, [EntryRow(command.id, command.account_id, tx.now, "top_up", command.micros, note=note)])
    return _stored(tx, command.account_id)


def _stored(tx: Tx, account_id: str) -> Done[CreditRow] | Refused:
    row = find_credits(tx.conn, account_id)
    return Refused(HubError(Code.NOT_FOUND)) if row is None else Done(row)


class CreditBook:
    """The balances of a batch's accounts, locked: what its texts may still cost."""

    def __init__(self, tx: Tx, account_ids: Collection[str]) -> None:
        self._tx = tx
        self._asked: Callable[[], dict[str, CreditRow]] = ask_credits(tx.conn, account_ids) if account_ids else dict

    @cached_property
    def _rows(self) -> dict[str, CreditRow]:
        return self._asked()

    @cached_property
    def _price(self) -> dict[str, int]:
        return {account_id: row.price_micros for account_id, row in self._rows.items() if row.price_micros}

    @cached_property
    def _left(self) -> dict[str, int]:
        return {account_id: row.balance_micros for account_id, row in self._rows.items()}

    def has_price(self, account_id: str) -> bool:
        """Whether this account pays for its texts."""
        return account_id in self._price

    def refusal(self, account_id: str, texts: int) -> HubError | None:
        """Why this many texts more cannot be paid; None when they can: the balance then counts as spent."""
        price = self._price.get(account_id)
        if price is None or not texts:
            return None
        if self._left[account_id] < price * texts:
            return HubError(Code.NO_CREDIT)
        self._left[account_id] -= price * texts
        return None

    def charge(self, texts: Iterable[tuple[str, str]]) -> None:
        """Write what these texts, (account, message), cost. They are new."""
        self.charge_turns((account_id, message_id, 0) for account_id, message_id in texts)

    def charge_again(self, texts: Sequence[tuple[str, str]]) -> None:
        """Write what sending these texts once more costs."""
        if self._price and texts:
            known = paid_for(self._tx.conn, {account for account, _ in texts}, {message for _, message in texts})
            refunds = {paid.message_id: paid.refunds for paid in known}
            self.charge_turns((account, message, refunds.get(message, 0)) for account, message in texts)

    def charge_turns(self, texts: Iterable[tuple[str, str, int]]) -> None:
        """(account, message, turn) of texts whose price was found to be there."""
        tx = self._tx
        entries = [
            EntryRow(tx.new_id(), account_id, tx.now, "charge", -self._price[account_id], message_id, turn)
            for account_id, message_id, turn in texts
            if account_id in self._price
        ]
        write_entries(tx, entries)


def refund(tx: Tx, texts: Collection[tuple[str, str]]) -> set[str]:
    """Give back what these texts, (account, message), have cost, and say which had cost something.

    Call it in the transaction in which they fail, with their rows locked. A second time gives nothing: they then have cost nothing.
    """
    if not texts:
        return set()
    paid = paid_for(tx.conn, {account for account, _ in texts}, {message for _, message in texts})
    entries = [
        EntryRow(tx.new_id(), one.account_id, tx.now, "refund", one.micros, one.message_id, one.refunds)
        for one in paid
        if one.micros > 0
    ]
    write_entries(tx, entries)
    return {one.message_id for one in paid if one.micros > 0}
