"""The operator's commands about phones: `hub enrol`, `hub device add`, `hub status`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import BadId, parse, render
from hub.devices import list_devices, new_enrolment
from hub.devices.app_guide import SMSGATE, what_to_type
from hub.devices.enrol import create_enrolment
from hub.devices.qr import enrolment_text, qr_terminal
from hub.devices.registration import new_word
from hub.operations.accounts import account_of
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
    try:
        meant = parse("device", device_id) if device_id is not None else None
    except BadId as error:
        raise HubError(Code.NOT_FOUND, str(error)) from None
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
        "phones": [
            {
                "id": render("device", phone.id),
                "name": phone.name,
                "state": phone.state,
                "last_seen_at": rfc3339(phone.last_seen_at) if phone.last_seen_at else None,
                "lines": [line.number or line.name for line in phone.lines],
                "risks": [risk.text for risk in phone.risks],
            }
            for phone in page.items
        ],
    }
