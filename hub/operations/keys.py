"""The operator's commands about API keys: `hub key …`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from hub.accounts.keys import CreateKey, RevokeKey, create_keys, new_secret, revoke_keys
from hub.accounts.scopes import Scope
from hub.core.clock import rfc3339
from hub.core.errors import invalid
from hub.core.ids import render
from hub.operations.accounts import account_of
from hub.operations.typed_ids import bare
from hub.services import Services
from hub.storage.accounts import list_keys


async def key_create(
    services: Services, name: str, account: str | None = None, scopes: list[str] | None = None
) -> Mapping[str, Any]:
    """`hub key create NAME`: the key is in this answer and nowhere else."""
    owner = await account_of(services, account)
    made = new_secret(secrets.token_bytes)
    command = CreateKey(
        id=services.ids.next(services.clock.now()),
        account_id=owner.id,
        name=name,
        scopes=_scopes(scopes),
        sha256=made.sha256,
        hint=made.hint,
    )
    row = await services.db.writer.submit(create_keys, command, *command.keys())
    return {"id": render("key", row.id), "name": row.name, "account": owner.name, "key": made.token}


def _scopes(words: list[str] | None) -> frozenset[Scope]:
    if not words:
        return frozenset(Scope)
    try:
        return frozenset(Scope(word) for word in words)
    except ValueError as error:
        raise invalid("scopes", "unknown", f"{error}. There is: {', '.join(Scope)}.") from None


async def key_list(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub key list`."""
    owner = await account_of(services, account)
    keys = await services.db.read(list_keys, owner.id, None, 1000)
    return {
        "keys": [
            {
                "id": render("key", row.id),
                "name": row.name,
                "ends_with": row.hint,
                "created_at": rfc3339(row.created_at),
                "expires_at": rfc3339(row.expires_at) if row.expires_at else None,
                "revoked_at": rfc3339(row.revoked_at) if row.revoked_at else None,
            }
            for row in keys
        ]
    }


async def key_revoke(services: Services, key_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub key revoke KEY_ID`."""
    owner = await account_of(services, account)
    command = RevokeKey(account_id=owner.id, key_id=bare("key", key_id))
    row = await services.db.writer.submit(revoke_keys, command, *command.keys())
    return {"id": render("key", row.id), "name": row.name}
