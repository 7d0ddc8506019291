"""The operator's commands: what `hub account`, `hub key`, `hub enrol`, `hub status` … do, in a running hub or without one.

Each is `async (services, **arguments) -> JSON object` and refuses by raising HubError. The command line only asks and prints.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from hub import credit_operations, forwarding_operations, gateway_operations, people, upkeep
from hub.accounts.keys import CreateKey, RevokeKey, create_keys, new_secret, revoke_keys
from hub.accounts.logins import name_key
from hub.accounts.scopes import Scope
from hub.admin import Command
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError, invalid
from hub.core.ids import BadId, parse, render
from hub.devices import list_devices, new_enrolment
from hub.devices.app_guide import SMSGATE, what_to_type
from hub.devices.enrol import create_enrolment
from hub.devices.qr import enrolment_text, qr_terminal
from hub.devices.registration import new_word
from hub.people import account_of, make_account
from hub.services import Services
from hub.storage.accounts import list_accounts, list_keys
from hub.storage.facts import find_fact
from hub.storage.logins import LoginRow, find_login_by_name, list_logins


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
    try:
        command = RevokeKey(account_id=owner.id, key_id=parse("key", key_id))
    except BadId as error:
        raise HubError(Code.NOT_FOUND, str(error)) from None
    row = await services.db.writer.submit(revoke_keys, command, *command.keys())
    return {"id": render("key", row.id), "name": row.name}


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


async def import_from_smsgate(
    services: Services, source: str, account: str | None = None, is_dry: bool = False, does_send: bool = False
) -> Mapping[str, Any]:
    """`hub import smsgate SOURCE`: users, phones, webhooks and messages of a server of that kind."""
    from hub.moving.smsgate import import_smsgate

    owner = None if account is None else (await account_of(services, account)).id
    report = await import_smsgate(services, source, owner, is_dry, does_send)
    return {"is_dry_run": is_dry, **report.as_json()}


async def _login_of(services: Services, username: str, account: str | None) -> LoginRow:
    owner = await account_of(services, account)
    row = await services.db.read(find_login_by_name, name_key(username))
    if row is None or row.account_id != owner.id:
        raise HubError(
            Code.NOT_FOUND, f"There is no login {username} in {owner.name}: hub login list shows those there are."
        )
    return row


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


COMMANDS: Mapping[str, Command] = {
    "account.create": account_create,
    "account.list": account_list,
    "key.create": key_create,
    "key.list": key_list,
    "key.revoke": key_revoke,
    "login.create": login_create,
    "login.list": login_list,
    "login.password": login_password,
    "login.delete": login_delete,
    "gateway.create": gateway_operations.gateway_create,
    "gateway.list": gateway_operations.gateway_list,
    "gateway.token": gateway_operations.gateway_token,
    "gateway.delete": gateway_operations.gateway_delete,
    "gateway.route": gateway_operations.gateway_route,
    "gateway.routes": gateway_operations.gateway_routes,
    "gateway.unroute": gateway_operations.gateway_unroute,
    "forward.webhook": forwarding_operations.forward_webhook,
    "forward.mail": forwarding_operations.forward_mail,
    "forward.show": forwarding_operations.forward_show,
    "forward.stop": forwarding_operations.forward_stop,
    "credits.price": credit_operations.credits_price,
    "credits.off": credit_operations.credits_off,
    "credits.add": credit_operations.credits_add,
    "credits.show": credit_operations.credits_show,
    "user.add": people.user_add,
    "user.list": people.user_list,
    "user.sign_ups": people.user_sign_ups,
    "user.setup": people.user_setup,
    "user.reset": people.user_reset,
    "user.disable": people.user_disable,
    "import.smsgate": import_from_smsgate,
    "enrol": enrol,
    "device.add": device_add,
    "status": status,
    "backup": upkeep.backup,
    "resume": upkeep.resume,
}
"""Every command by the name it has on the local socket."""
