"""The operator's commands about accounts, `hub account …`, and which account another command means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.accounts.account import CreateAccount, create_accounts
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.services import Services
from hub.storage.accounts import AccountRow, list_accounts

DEFAULT_ACCOUNT = "main"
"""The account a first start makes, so that a hub for one needs no ceremony."""


async def account_of(services: Services, named: str | None) -> AccountRow:
    """The account that is meant: by id or name, or the only one there is."""
    accounts = await services.db.read(list_accounts)
    if named is None and len(accounts) == 1:
        return accounts[0]
    if named is None and not accounts:
        return await make_account(services, DEFAULT_ACCOUNT)
    found = [account for account in accounts if named in (account.name, render("account", account.id))]
    if len(found) == 1:
        return found[0]
    names = ", ".join(account.name for account in accounts)
    raise HubError(Code.NOT_FOUND, f"Say which account with --account: there is {names}.")


async def make_account(services: Services, name: str) -> AccountRow:
    """Make an account; its name is not taken."""
    command = CreateAccount(id=services.ids.next(services.clock.now()), name=name)
    return await services.db.writer.submit(create_accounts, command, *command.keys())


async def account_create(services: Services, name: str) -> Mapping[str, Any]:
    """`hub account create NAME`."""
    if any(account.name == name for account in await services.db.read(list_accounts)):
        raise HubError(Code.CONFLICT, f"There is an account called {name} already.")
    account = await make_account(services, name)
    return {"id": render("account", account.id), "name": account.name}


async def account_list(services: Services) -> Mapping[str, Any]:
    """`hub account list`."""
    accounts = await services.db.read(list_accounts)
    return {
        "accounts": [
            {"id": render("account", row.id), "name": row.name, "created_at": rfc3339(row.created_at)}
            for row in accounts
        ]
    }
