"""The operator's commands about logins, the names and passwords of programs: `hub login …`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.accounts.logins import name_key
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.operations.accounts import account_of
from hub.services import Services
from hub.storage.logins import LoginRow, find_login_by_name, list_logins


async def login_create(
    services: Services, username: str | None = None, account: str | None = None, password: str | None = None
) -> Mapping[str, Any]:
    """`hub login create [NAME]`: the password is in this answer and nowhere else."""
    owner = await account_of(services, account)
    made = await services.logins.create(owner.id, username, password)
    login_id = render("login", made.row.id)
    return {"id": login_id, "username": made.row.username, "account": owner.name, "password": made.password}


async def login_list(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub login list`."""
    owner = await account_of(services, account)
    logins = await services.db.read(list_logins, owner.id, None, 1000)
    return {
        "logins": [
            {
                "id": render("login", row.id),
                "username": row.username,
                "created_at": rfc3339(row.created_at),
                "last_used_at": rfc3339(row.last_used_at) if row.last_used_at else None,
            }
            for row in logins
        ]
    }


async def login_password(
    services: Services, username: str, account: str | None = None, password: str | None = None
) -> Mapping[str, Any]:
    """`hub login password NAME`: a new password; the old one ends."""
    row = await _login_of(services, username, account)
    made = await services.logins.set_password(row.account_id, row.id, password)
    return {"id": render("login", row.id), "username": row.username, "password": made.password}


async def login_delete(services: Services, username: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub login delete NAME`."""
    row = await _login_of(services, username, account)
    await services.logins.delete(row.account_id, row.id)
    return {"id": render("login", row.id), "username": row.username}


async def _login_of(services: Services, username: str, account: str | None) -> LoginRow:
    owner = await account_of(services, account)
    row = await services.db.read(find_login_by_name, name_key(username))
    if row is None or row.account_id != owner.id:
        raise HubError(
            Code.NOT_FOUND, f"There is no login {username} in {owner.name}: hub login list shows those there are."
        )
    return row
