"""`POST /api/v1/keys/{id}/rotate`: a new key, with the old one alive beside it for a day."""

from __future__ import annotations

import secrets
from typing import Any

from hub.accounts.keys import DEFAULT_OVERLAP_SECONDS, RotateKey, new_secret, rotate_keys
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import BadId, parse, render
from hub.dialects.json_door import Call
from hub.storage.accounts import is_sandbox


async def rotate_key(call: Call) -> dict[str, Any]:
    """The new key is in this answer and nowhere else."""
    try:
        key_id = parse("key", call.request.path_params["key_id"])
    except BadId:
        raise HubError(Code.NOT_FOUND) from None
    made = new_secret(secrets.token_bytes, is_sandbox=await call.services.db.read(is_sandbox, call.account_id))
    command = RotateKey(
        account_id=call.account_id,
        key_id=key_id,
        own=call.who.scopes,
        new_id=call.new_id(),
        sha256=made.sha256,
        hint=made.hint,
    )
    row = await call.services.db.writer.submit(rotate_keys, command, *command.keys())
    ends_at = call.now + DEFAULT_OVERLAP_SECONDS * 1000
    return {"id": render("key", row.id), "key": made.token, "old_key_expires_at": rfc3339(ends_at)}
