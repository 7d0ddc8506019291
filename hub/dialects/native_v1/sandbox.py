"""Sandbox phones: everything can be tried before there is a phone."""

from __future__ import annotations

import asyncio
import secrets

from hub import devices
from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.devices.qr import enrolment_text
from hub.devices.sandbox import DEFAULT_NAME, SandboxPhone, check_allowed, free_number, lay_out
from hub.dialects.native_v1.enrolments import Enrolment, shown
from hub.dialects.native_v1.fields import Name, Request
from hub.dialects.native_v1.operation import AnyOperation, Call, NoQuery, Operation


class SandboxPhoneToMake(Request):
    """A new sandbox phone."""

    name: Name = DEFAULT_NAME


async def create_sandbox_phone(call: Call[NoQuery, SandboxPhoneToMake | None]) -> Enrolment:
    """Start a sandbox phone.

    An emulated phone that the hub starts itself, with a number of fiction. It enrols within seconds: follow the enrolment as for any
    phone. What it "sends" reaches nobody, and every text is answered. Texts that name no line never go by it while the account has a
    real phone. It stops when the phone is removed.
    """
    config = call.services.config
    await asyncio.to_thread(check_allowed, config.data_dir, config.sandbox_phones)
    name = DEFAULT_NAME if call.body is None else call.body.name
    new = devices.new_enrolment(call.account_id, name, is_sandbox=True, new_id=call.new_id, random=secrets.token_bytes)
    number = await call.read(free_number, call.account_id, secrets.randbelow)
    view = await call.write(devices.create_enrolment, new.command)
    phone = SandboxPhone(view.id, call.account_id, number)
    # Not the public address: a sandbox phone runs beside the hub, and what stands in front of it may not let it through.
    await asyncio.to_thread(
        lay_out, config.data_dir, phone, enrolment_text(config.local_url, new.token, call.services.tls_pin)
    )
    return shown(view)


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
)
