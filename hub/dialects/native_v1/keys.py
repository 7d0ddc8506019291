"""API keys: shown once, scoped, expiring, and replaced without a moment in which none works."""

from __future__ import annotations

import secrets
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from hub.accounts import keys
from hub.accounts.scopes import Scope, parse_scopes, refuse_more_than
from hub.core.errors import Code
from hub.dialects.native_v1.fields import (
    KeyId,
    Model,
    Name,
    NextCursor,
    PageQuery,
    Request,
    UtcTime,
    moment_or_none,
    out,
    out_or_none,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import cut, id_cursor
from hub.storage.accounts import KeyRow, find_key, is_sandbox
from hub.storage.accounts import list_keys as read_keys

ScopeList = Annotated[list[Scope], Meta(min_length=1, description="What it may do.")]
Overlap = Annotated[
    int, Meta(ge=0, le=keys.MAX_OVERLAP_SECONDS, description="Seconds the old key lives on beside the new one.")
]


class Key(Model):
    """An API key. The key itself is not stored and cannot be shown again."""

    id: KeyId
    name: str
    ends_with: Annotated[str, Meta(description="Its last four characters.")]
    scopes: list[Scope]
    is_alive: bool
    created_at: UtcTime
    expires_at: UtcTime | None
    revoked_at: UtcTime | None
    last_used_at: Annotated[UtcTime | None, Meta(description="To the minute.")]
    replaces_id: Annotated[KeyId | None, Meta(description="The key it was made to replace.")]


class NewKey(Model):
    """A key just made."""

    key: Annotated[
        str, Meta(description="Show this to nobody else. It is in this answer and nowhere else.", examples=["hub_…"])
    ]
    info: Key


class KeyPage(Model):
    """Keys, newest first."""

    items: list[Key]
    next_cursor: NextCursor


class KeyToMake(Request):
    """A new key."""

    name: Name
    scopes: ScopeList
    expires_at: UtcTime | None = None


class KeyChange(Request):
    """What to change; what is not named stays."""

    name: Name | UnsetType = UNSET
    scopes: ScopeList | UnsetType = UNSET


class KeyRotation(Request):
    """How one key replaces another."""

    overlap_seconds: Overlap = keys.DEFAULT_OVERLAP_SECONDS
    expires_at: Annotated[UtcTime | None, Meta(description="When the new key ends.")] = None


def shown(row: KeyRow, now: int) -> Key:
    """A key as customers see it."""
    return Key(
        id=out("key", row.id),
        name=row.name,
        ends_with=row.hint,
        scopes=sorted(parse_scopes(row.scopes)),
        is_alive=row.is_alive(now),
        created_at=time(row.created_at),
        expires_at=time_or_none(row.expires_at),
        revoked_at=time_or_none(row.revoked_at),
        last_used_at=time_or_none(row.last_used_at),
        replaces_id=out_or_none("key", row.replaces_id),
    )


async def list_keys(call: Call[PageQuery, None]) -> KeyPage:
    """List keys.

    Newest first, living ones and ended ones.
    """
    return await page_of(call, call.account_id)


async def page_of(call: Call[PageQuery, None], account_id: str) -> KeyPage:
    """The page of an account's keys that a request asks for."""
    limit = call.query.limit
    rows = await call.read(read_keys, account_id, id_cursor(call.query.cursor), limit + 1)
    page, has_more = cut(rows, limit)
    now = call.now
    return KeyPage(items=[shown(row, now) for row in page], next_cursor=page[-1].id if has_more else None)


async def create_key(call: Call[NoQuery, KeyToMake]) -> NewKey:
    """Make a key.

    A key hands out only scopes that it has itself.
    """
    body = call.body
    refuse_more_than(call.who.scopes, body.scopes)
    made = keys.new_secret(secrets.token_bytes, is_sandbox=await call.read(is_sandbox, call.account_id))
    command = keys.CreateKey(
        id=call.new_id(),
        account_id=call.account_id,
        name=body.name,
        scopes=frozenset(body.scopes),
        sha256=made.sha256,
        hint=made.hint,
        expires_at=moment_or_none(body.expires_at, "expires_at"),
    )
    return NewKey(key=made.token, info=shown(await call.write(keys.create_keys, command), call.now))


async def get_key(call: Call[NoQuery, None]) -> Key:
    """Read one key.

    Never the key itself.
    """
    return shown(found(await call.read(find_key, call.account_id, call.path["key_id"])), call.now)


async def change_key(call: Call[NoQuery, KeyChange]) -> Key:
    """Rename a key or change its scopes."""
    body = call.body
    command = keys.UpdateKey(
        account_id=call.account_id,
        key_id=call.path["key_id"],
        own=call.who.scopes,
        name=None if isinstance(body.name, UnsetType) else body.name,
        scopes=None if isinstance(body.scopes, UnsetType) else frozenset(body.scopes),
    )
    return shown(await call.write(keys.update_keys, command), call.now)


async def rotate_key(call: Call[NoQuery, KeyRotation | None]) -> NewKey:
    """Rotate a key.

    A new one with the same name and scopes takes its place. Both work until the overlap is over (24 hours unless you say
    otherwise). Two are alive at most: what the rotated key itself had replaced ends at once.
    """
    body = call.body or KeyRotation()
    made = keys.new_secret(secrets.token_bytes, is_sandbox=await call.read(is_sandbox, call.account_id))
    command = keys.RotateKey(
        account_id=call.account_id,
        key_id=call.path["key_id"],
        own=call.who.scopes,
        new_id=call.new_id(),
        sha256=made.sha256,
        hint=made.hint,
        overlap_seconds=body.overlap_seconds,
        expires_at=moment_or_none(body.expires_at, "expires_at"),
    )
    return NewKey(key=made.token, info=shown(await call.write(keys.rotate_keys, command), call.now))


async def revoke_key(call: Call[NoQuery, None]) -> Key:
    """Revoke a key.

    It ends now and never works again.
    """
    command = keys.RevokeKey(account_id=call.account_id, key_id=call.path["key_id"])
    return shown(await call.write(keys.revoke_keys, command), call.now)


_ALL = "/v1/keys"
_ONE = "/v1/keys/{key_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(method="GET", path=_ALL, run=list_keys, scope=Scope.KEYS_READ, query=PageQuery, body=NoBody, returns=KeyPage),
    Operation(
        method="POST", path=_ALL, run=create_key, scope=Scope.KEYS_WRITE, query=NoQuery, body=KeyToMake, returns=NewKey,
        status=201, example={"name": "Till", "scopes": ["messages:send", "messages:read"]},
    ),
    Operation(method="GET", path=_ONE, run=get_key, scope=Scope.KEYS_READ, query=NoQuery, body=NoBody, returns=Key),
    Operation(
        method="PATCH", path=_ONE, run=change_key, scope=Scope.KEYS_WRITE, query=NoQuery, body=KeyChange, returns=Key,
        errors=(Code.CONFLICT,), example={"name": "Till 2"},
    ),
    Operation(
        method="POST", path=_ONE + "/rotate", run=rotate_key, scope=Scope.KEYS_WRITE, query=NoQuery,
        body=KeyRotation, is_body_optional=True, returns=NewKey, status=201, errors=(Code.CONFLICT,),
        example={"overlap_seconds": 3600},
    ),
    Operation(method="DELETE", path=_ONE, run=revoke_key, scope=Scope.KEYS_WRITE, query=NoQuery, body=NoBody, returns=Key),
)  # fmt: skip
