"""The operator's commands about credits: `hub credits price`, `off`, `add`, `show`.

Customers cannot change any of it: no API writes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.accounts.credits import SetPrice, TopUp, amount_of, micros_of, set_prices, top_up
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.operations.accounts import account_of
from hub.services import Services
from hub.storage.accounts import AccountRow
from hub.storage.credits import CreditRow, entries_of, find_credits

MOST_LISTED = 200


async def credits_price(
    services: Services, price: str, currency: str | None = None, account: str | None = None
) -> Mapping[str, Any]:
    """`hub credits price AMOUNT`: from now on each text of the account costs this."""
    owner = await account_of(services, account)
    known = await services.db.read(find_credits, owner.id)
    named = currency or (known.currency if known is not None else "EUR")
    command = SetPrice(account_id=owner.id, currency=named.upper(), price_micros=micros_of(price, "price"))
    return _shown(owner, await services.db.writer.submit(set_prices, command, *command.keys()))


async def credits_off(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub credits off`: the account sends without paying; what it has left stays, and running texts are still refunded."""
    owner, row = await _known(services, account)
    command = SetPrice(account_id=owner.id, currency=row.currency, price_micros=row.price_micros, is_on=False)
    return _shown(owner, await services.db.writer.submit(set_prices, command, *command.keys()))


async def credits_add(
    services: Services, amount: str, note: str | None = None, account: str | None = None
) -> Mapping[str, Any]:
    """`hub credits add AMOUNT`: top a balance up, or correct it with an amount below zero."""
    owner = await account_of(services, account)
    command = TopUp(
        id=services.ids.next(services.clock.now()),
        account_id=owner.id,
        micros=micros_of(amount, "amount"),
        note=note,
    )
    return _shown(owner, await services.db.writer.submit(top_up, command, *command.keys()))


async def credits_show(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub credits show`: the balance, and the newest lines of its ledger."""
    owner, row = await _known(services, account)
    entries = await services.db.read(entries_of, owner.id, MOST_LISTED)
    return {
        **_shown(owner, row),
        "entries": [
            {
                "at": rfc3339(entry.at),
                "kind": entry.kind,
                "amount": amount_of(entry.amount_micros),
                "message_id": None if entry.message_id is None else render("message", entry.message_id),
                "note": entry.note,
            }
            for entry in entries
        ],
    }


async def _known(services: Services, account: str | None) -> tuple[AccountRow, CreditRow]:
    owner = await account_of(services, account)
    row = await services.db.read(find_credits, owner.id)
    if row is None:
        raise HubError(Code.NOT_FOUND, f"{owner.name} pays nothing for its texts: hub credits price sets a price.")
    return owner, row


def _shown(owner: AccountRow, row: CreditRow) -> Mapping[str, Any]:
    return {
        "account": owner.name,
        "is_on": row.is_on,
        "balance": amount_of(row.balance_micros),
        "currency": row.currency,
        "price_per_sms": amount_of(row.price_micros),
    }
