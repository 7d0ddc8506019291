"""The operator's commands about phones: `hub enrol`, `hub device …`, `hub status`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from hub.core.clock import rfc3339
from hub.core.ids import render
from hub.devices import (
    DeviceView,
    ReinstateDevice,
    RenameDevice,
    RevokeDevice,
    SuspendDevice,
    list_devices,
    new_enrolment,
    reinstate_device,
    rename_device,
    revoke_device,
    suspend_device,
)
from hub.devices.app_guide import SMSGATE, what_to_type
from hub.devices.enrol import create_enrolment
from hub.devices.qr import enrolment_text, qr_terminal
from hub.devices.registration import new_word
from hub.operations.accounts import account_of
from hub.operations.typed_ids import bare
from hub.services import Services
from hub.storage.facts import find_fact


async def enrol(services: Services, name: str | None = None, account: str | None = None) -> Mapping[str, Any]:
    """`hub enrol`: a one-time code for a phone, as text and as a picture for the terminal."""
    owner = await account_of(services, account)
    new = new_enrolment(
        owner.id, name, new_id=lambda: services.ids.next(services.clock.now()), random=secrets.token_bytes
    )
    view = await services.db.writer.submit(create_enrolment, new.command, *new.command.keys())
    text = enrolment_text(services.config.base_url, new.token, services.tls_pin)
    return {
        "id": render("enrolment", view.id),
        "text": text,
        "expires_at": rfc3339(view.expires_at),
        "picture": qr_terminal(text),
    }


async def device_add(
    services: Services, name: str | None = None, account: str | None = None, device_id: str | None = None
) -> Mapping[str, Any]:
    """`hub device add`: a word for a phone with the sms-gate.app app, and what to type there."""
    owner = await account_of(services, account)
    meant = None if device_id is None else bare("device", device_id)
    new = new_word(
        owner.id,
        name,
        transport=SMSGATE,
        device_id=meant,
        new_id=lambda: services.ids.next(services.clock.now()),
        random=secrets.token_bytes,
    )
    view = await services.db.writer.submit(create_enrolment, new.command, *new.command.keys())
    told = what_to_type(services.config.base_url, new.token)
    return {
        "id": render("enrolment", view.id),
        "expires_at": rfc3339(view.expires_at),
        "short_url": told.short_url,
        "api_url": told.api_url,
        "private_token": told.private_token,
        "code": told.code,
        "steps": list(told.steps),
        "warning": told.warning,
    }


async def status(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub status`: what an operator wants to see first."""
    owner = await account_of(services, account)
    page = await services.db.read(list_devices, owner.id, now=services.clock.now())
    return {
        "account": owner.name,
        "database": services.db.dialect,
        "held": await services.db.read(find_fact, "hold") is not None,
        "phones": [_shown(phone) for phone in page.items],
    }


async def device_list(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub device list`: every phone of an account, removed ones too."""
    owner = await account_of(services, account)
    found: list[DeviceView] = []
    after: str | None = None
    while True:
        page = await services.db.read(
            list_devices, owner.id, include_revoked=True, after=after, now=services.clock.now()
        )
        found += page.items
        after = page.next
        if after is None:
            return {"phones": [_shown(phone) for phone in found]}


async def device_rename(services: Services, device_id: str, name: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub device rename DEVICE NAME`."""
    owner = await account_of(services, account)
    command = RenameDevice(account_id=owner.id, device_id=bare("device", device_id), name=name)
    return _shown(await services.db.writer.submit(rename_device, command, *command.keys()))


async def device_suspend(services: Services, device_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub device suspend DEVICE`: it may not connect until it is let in again."""
    owner = await account_of(services, account)
    command = SuspendDevice(account_id=owner.id, device_id=bare("device", device_id))
    return _shown(await services.db.writer.submit(suspend_device, command, *command.keys()))


async def device_reinstate(services: Services, device_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub device reinstate DEVICE`."""
    owner = await account_of(services, account)
    command = ReinstateDevice(account_id=owner.id, device_id=bare("device", device_id))
    return _shown(await services.db.writer.submit(reinstate_device, command, *command.keys()))


async def device_revoke(services: Services, device_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub device revoke DEVICE`: for good; its texts stay."""
    owner = await account_of(services, account)
    command = RevokeDevice(account_id=owner.id, device_id=bare("device", device_id))
    return _shown(await services.db.writer.submit(revoke_device, command, *command.keys()))


def _shown(phone: DeviceView) -> Mapping[str, Any]:
    return {
        "id": render("device", phone.id),
        "name": phone.name,
        "state": phone.state,
        "last_seen_at": rfc3339(phone.last_seen_at) if phone.last_seen_at else None,
        "lines": [line.number or line.name for line in phone.lines],
        "risks": [risk.text for risk in phone.risks],
    }
