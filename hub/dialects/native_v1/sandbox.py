"""Sandbox phones, and keys whose texts reach nobody: everything can be tried before there is a phone."""

from __future__ import annotations

import asyncio
import secrets

from hub import devices
from hub.accounts import keys
from hub.accounts.sandbox import OpenSandbox, open_sandboxes
from hub.accounts.scopes import Scope, refuse_more_than
from hub.core.errors import Code
from hub.devices.qr import enrolment_text
from hub.devices.sandbox import DEFAULT_NAME, SandboxPhone, check_allowed, free_number, has_phone, lay_out
from hub.devices.views import EnrolmentView
from hub.dialects.native_v1.enrolments import Enrolment, shown
from hub.dialects.native_v1.fields import Name, PageQuery, Request, moment_or_none
from hub.dialects.native_v1.keys import Key, KeyPage, KeyToMake, NewKey, page_of
from hub.dialects.native_v1.keys import shown as shown_key
from hub.dialects.native_v1.operation import AnyOperation, BodyT, Call, NoBody, NoQuery, Operation, QueryT, found
from hub.storage.accounts import find_account, find_sandbox


class SandboxPhoneToMake(Request):
    """A new sandbox phone."""

    name: Name = DEFAULT_NAME


async def create_sandbox_phone(call: Call[NoQuery, SandboxPhoneToMake | None]) -> Enrolment:
    """Start a sandbox phone.

    An emulated phone that the hub starts itself, with a number of fiction. It enrols within seconds: follow the enrolment as for any
    phone. What it "sends" reaches nobody, and every text is answered. Texts that name no line never go by it while the account has a
    real phone. It stops when the phone is removed.
    """
    return shown(await _start_phone(call, call.account_id, DEFAULT_NAME if call.body is None else call.body.name))


async def _start_phone(call: Call[NoQuery, BodyT], account_id: str, name: str) -> EnrolmentView:
    config = call.services.config
    await asyncio.to_thread(check_allowed, config.data_dir, config.sandbox_phones)
    new = devices.new_enrolment(account_id, name, is_sandbox=True, new_id=call.new_id, random=secrets.token_bytes)
    number = await call.read(free_number, account_id, secrets.randbelow)
    view = await call.write(devices.create_enrolment, new.command)
    phone = SandboxPhone(view.id, account_id, number)
    # Not the public address: a sandbox phone runs beside the hub, and what stands in front of it may not let it through.
    await asyncio.to_thread(
        lay_out, config.data_dir, phone, enrolment_text(config.local_url, new.token, call.services.tls_pin)
    )
    return view


async def create_sandbox_key(call: Call[NoQuery, KeyToMake]) -> NewKey:
    """Make a sandbox key.

    It begins with `hub_test_` and opens the account's sandbox: an account of its own with an emulated phone, webhooks and lists, in
    which everything happens as it does elsewhere and nothing reaches a real phone. The first one starts the phone. A key hands out
    only scopes that it has itself.
    """
    body = call.body
    refuse_more_than(call.who.scopes, body.scopes)
    box = await call.write(open_sandboxes, OpenSandbox(account_id=call.account_id, new_id=call.new_id()))
    if not await asyncio.to_thread(has_phone, call.services.config.data_dir, box.id):
        await _start_phone(call, box.id, DEFAULT_NAME)
    made = keys.new_secret(secrets.token_bytes, is_sandbox=True)
    command = keys.CreateKey(
        id=call.new_id(),
        account_id=box.id,
        name=body.name,
        scopes=frozenset(body.scopes),
        sha256=made.sha256,
        hint=made.hint,
        expires_at=moment_or_none(body.expires_at, "expires_at"),
    )
    return NewKey(key=made.token, info=shown_key(await call.write(keys.create_keys, command), call.now))


async def list_sandbox_keys(call: Call[PageQuery, None]) -> KeyPage:
    """List sandbox keys.

    Newest first, living ones and ended ones.
    """
    box = await _sandbox_of(call)
    return KeyPage(items=[], next_cursor=None) if box is None else await page_of(call, box)


async def revoke_sandbox_key(call: Call[NoQuery, None]) -> Key:
    """Revoke a sandbox key.

    It ends now and never works again.
    """
    command = keys.RevokeKey(account_id=found(await _sandbox_of(call)), key_id=call.path["key_id"])
    return shown_key(await call.write(keys.revoke_keys, command), call.now)


async def _sandbox_of(call: Call[QueryT, None]) -> str | None:
    """The id of the account's sandbox, if it was opened; a sandbox's own is itself."""
    own = await call.read(find_account, call.account_id)
    if own is not None and own.sandbox_of is not None:
        return own.id
    box = await call.read(find_sandbox, call.account_id)
    return None if box is None else box.id


_KEYS = "/v1/sandbox-keys"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST",
        path="/v1/sandbox-phones",
        run=create_sandbox_phone,
        scope=Scope.DEVICES_WRITE,
        query=NoQuery,
        body=SandboxPhoneToMake,
        is_body_optional=True,
        returns=Enrolment,
        status=202,
        errors=(Code.CONFLICT,),
    ),
    Operation(
        method="GET", path=_KEYS, run=list_sandbox_keys, scope=Scope.KEYS_READ, query=PageQuery, body=NoBody,
        returns=KeyPage,
    ),
    Operation(
        method="POST", path=_KEYS, run=create_sandbox_key, scope=Scope.KEYS_WRITE, query=NoQuery, body=KeyToMake,
        returns=NewKey, status=201, errors=(Code.CONFLICT,),
        example={"name": "Tests", "scopes": ["messages:send", "messages:read"]},
    ),
    Operation(
        method="DELETE", path=_KEYS + "/{key_id}", run=revoke_sandbox_key, scope=Scope.KEYS_WRITE, query=NoQuery,
        body=NoBody, returns=Key,
    ),
)  # fmt: skip
