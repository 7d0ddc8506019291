"""The operator's commands about people: `hub user …`, and the link that sets a new hub up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.accounts.roles import Role
from hub.accounts.scopes import ALL_SCOPES
from hub.accounts.sign_ups import confirm_address, token_of
from hub.accounts.user_links import (
    MakePasswordLink,
    MakeSetupLink,
    make_password_links,
    make_setup_links,
    new_link,
    password_address,
    setup_address,
)
from hub.accounts.users import CreateUser, UpdateUser, create_users, update_users, username_of
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError, invalid
from hub.core.ids import render
from hub.operations.accounts import DEFAULT_ACCOUNT, account_of, make_account
from hub.services import Services
from hub.storage.accounts import list_accounts
from hub.storage.users import UserRow, find_user_by_username, is_anybody_there, list_sign_ups, list_users

MOST_LISTED = 1000


async def setup_link(services: Services) -> str | None:
    """A fresh one-time address that makes the hub's first person; None when it has somebody. The account is made if there is none."""
    if await services.db.read(is_anybody_there):
        return None
    accounts = await services.db.read(list_accounts)
    account = accounts[0] if accounts else await make_account(services, DEFAULT_ACCOUNT)
    link = new_link()
    command = MakeSetupLink(account_id=account.id, sha256=link.sha256)
    try:
        await services.db.writer.submit(make_setup_links, command, *command.keys())
    except HubError as error:
        if error.code is Code.CONFLICT:  # somebody was made while we asked
            return None
        raise
    return setup_address(services.config.base_url, link.token)


async def user_setup(services: Services) -> Mapping[str, Any]:
    """`hub user setup`: the link of a new hub once more."""
    link = await setup_link(services)
    if link is None:
        raise HubError(Code.CONFLICT, "This hub has users already. Add more with hub user add, or in its settings.")
    return {"link": link}


async def user_add(
    services: Services, username: str, name: str | None = None, role: str = Role.ADMIN, account: str | None = None
) -> Mapping[str, Any]:
    """`hub user add USERNAME`: a person, and the one-time link by which they choose a password."""
    if role not in set(Role):
        raise invalid("role", "unknown", f"There is no role {role!r}: use {', '.join(Role)}.")
    owner = await account_of(services, account)
    link = new_link()
    command = CreateUser(
        id=services.ids.next(services.clock.now()),
        account_id=owner.id,
        username=username_of(username),
        name=name or username,
        role=Role(role),
        line_ids=None,
        own=ALL_SCOPES,
        link_sha256=link.sha256,
    )
    row = await services.db.writer.submit(create_users, command, *command.keys())
    return {
        "id": render("user", row.id),
        "username": row.username,
        "account": owner.name,
        "link": password_address(services.config.base_url, link.token),
    }


async def user_list(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub user list`."""
    owner = await account_of(services, account)
    users = await services.db.read(list_users, owner.id, None, MOST_LISTED)
    return {
        "users": [
            {
                "id": render("user", row.id),
                "username": row.username,
                "name": row.name,
                "role": row.role,
                "has_second_factor": row.totp_secret is not None,
                "is_disabled": row.disabled_at is not None,
                "last_seen_at": rfc3339(row.last_seen_at) if row.last_seen_at else None,
            }
            for row in reversed(users)
        ]
    }


async def user_sign_ups(services: Services) -> Mapping[str, Any]:
    """`hub user sign-ups`: who waits to be confirmed, with the link that does it."""
    waiting = await services.db.read(list_sign_ups, services.clock.now(), MOST_LISTED)
    tokens = [token_of(services.secrets, row) for row in waiting]
    return {
        "sign_ups": [
            {
                "username": row.username,
                "name": row.name,
                "asked_at": rfc3339(row.created_at),
                "link": None if token is None else confirm_address(services.config.base_url, token),
            }
            for row, token in zip(waiting, tokens, strict=True)
        ]
    }


async def user_reset(services: Services, username: str, drops_totp: bool = False) -> Mapping[str, Any]:
    """`hub user reset USERNAME`: a one-time link to a new password, and without the second factor if asked."""
    row = await _user(services, username)
    link = new_link()
    command = MakePasswordLink(
        account_id=row.account_id, user_id=row.id, own=ALL_SCOPES, sha256=link.sha256, drops_totp=drops_totp
    )
    await services.db.writer.submit(make_password_links, command, *command.keys())
    return {"username": row.username, "link": password_address(services.config.base_url, link.token)}


async def user_disable(services: Services, username: str, is_disabled: bool = True) -> Mapping[str, Any]:
    """`hub user disable USERNAME`: signed out everywhere, and not let in until `hub user enable USERNAME`."""
    row = await _user(services, username)
    command = UpdateUser(account_id=row.account_id, user_id=row.id, own=ALL_SCOPES, is_disabled=is_disabled)
    await services.db.writer.submit(update_users, command, *command.keys())
    return {"username": row.username}


async def _user(services: Services, username: str) -> UserRow:
    row = await services.db.read(find_user_by_username, username_of(username))
    if row is None:
        raise HubError(Code.NOT_FOUND, f"Nobody signs in as {username}. See hub user list.")
    return row
