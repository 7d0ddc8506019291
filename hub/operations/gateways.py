"""The operator's commands about gateways: `hub gateway create`, `list`, `token`, `delete`, and `route`, `routes`, `unroute`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.accounts.users import username_of
from hub.core.address import BadAddress, parse_recipient
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError, invalid
from hub.core.ids import BadId, parse, render
from hub.gateways.desk import Gateway, MadeGateway, NewGateway
from hub.gateways.rules import DropRule, PutRule, Rule, drop_rules, opened, put_rules
from hub.operations.accounts import account_of
from hub.services import Services
from hub.storage.gateways import list_gateways
from hub.storage.inbound_rules import list_rules
from hub.storage.users import find_user_by_username
from hub.webhooks.signing import DEFAULT_GRACE_SECONDS

MOST_LISTED = 1000


async def gateway_create(
    services: Services,
    name: str,
    account: str | None = None,
    sid: str | None = None,
    token: str | None = None,
    sender: str | None = None,
    inbound_url: str | None = None,
    fallback_url: str | None = None,
    status_url: str | None = None,
) -> Mapping[str, Any]:
    """`hub gateway create NAME`: the token is in this answer and nowhere else."""
    owner = await account_of(services, account)
    new = NewGateway(
        name=name,
        sid=sid,
        token=token,
        sender=sender,
        inbound_url=inbound_url,
        fallback_url=fallback_url,
        status_url=status_url,
    )
    return _made(services, await services.gateways.create(owner.id, new))


async def gateway_list(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub gateway list`."""
    owner = await account_of(services, account)
    rows = await services.db.read(list_gateways, owner.id, None, MOST_LISTED)
    return {"gateways": [_shown(services, services.gateways.opened(row)) for row in reversed(rows)]}


async def gateway_token(
    services: Services, name: str, account: str | None = None, grace_seconds: int = DEFAULT_GRACE_SECONDS
) -> Mapping[str, Any]:
    """`hub gateway token NAME`: another token; the one before works beside it for the grace time."""
    gateway = await _named(services, name, account)
    made = await services.gateways.rotate_token(gateway.account_id, gateway.id, grace_seconds=grace_seconds)
    return _made(services, made)


async def gateway_delete(services: Services, name: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub gateway delete NAME`."""
    gateway = await _named(services, name, account)
    return _shown(services, await services.gateways.delete(gateway.account_id, gateway.id))


async def gateway_route(
    services: Services,
    number: str,
    gateway: str | None = None,
    webhooks: Sequence[str] = (),
    users: Sequence[str] = (),
    account: str | None = None,
) -> Mapping[str, Any]:
    """`hub gateway route NUMBER`: where inbound texts to this number go."""
    owner = await account_of(services, account)
    command = PutRule(
        account_id=owner.id,
        number=_number(services, number),
        gateway_id=None if gateway is None else (await _named(services, gateway, account)).id,
        webhook_ids=tuple(_webhook(shown) for shown in webhooks),
        user_ids=tuple([await _user(services, owner.id, username) for username in users]),
    )
    return _rule(await services.db.writer.submit(put_rules, command, *command.keys()))


async def gateway_routes(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub gateway routes`."""
    owner = await account_of(services, account)
    rows, _ = await services.db.read(list_rules, owner.id, None, MOST_LISTED)
    return {"rules": [_rule(opened(row)) for row in rows]}


async def gateway_unroute(services: Services, number: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub gateway unroute NUMBER`."""
    owner = await account_of(services, account)
    command = DropRule(account_id=owner.id, number=_number(services, number))
    return _rule(await services.db.writer.submit(drop_rules, command, *command.keys()))


def _number(services: Services, text: str) -> str:
    try:
        return parse_recipient(text, services.config.default_region).value
    except BadAddress as error:
        raise invalid("number", error.fault.value, str(error)) from error


def _webhook(shown: str) -> str:
    try:
        return parse("endpoint", shown)
    except BadId as error:
        raise invalid("webhook", "bad_id", f"{error}.") from error


async def _user(services: Services, account_id: str, username: str) -> str:
    row = await services.db.read(find_user_by_username, username_of(username))
    if row is None or row.account_id != account_id:
        raise HubError(Code.NOT_FOUND, f"Nobody signs in as {username}. See hub user list.")
    return row.id


def _rule(rule: Rule) -> Mapping[str, Any]:
    return {
        "number": rule.number,
        "gateway_id": None if rule.gateway_id is None else render("gateway", rule.gateway_id),
        "webhook_ids": [render("endpoint", id_) for id_ in rule.webhook_ids],
        "user_ids": [render("user", id_) for id_ in rule.user_ids],
    }


async def _named(services: Services, name: str, account: str | None) -> Gateway:
    owner = await account_of(services, account)
    gateway = await services.gateways.by_name(name)
    if gateway is None or gateway.account_id != owner.id:
        raise HubError(
            Code.NOT_FOUND, f"There is no gateway {name} in {owner.name}: hub gateway list shows those there are."
        )
    return gateway


def _made(services: Services, made: MadeGateway) -> Mapping[str, Any]:
    return {**_shown(services, made.gateway), "auth_token": made.token}


def _shown(services: Services, gateway: Gateway) -> Mapping[str, Any]:
    return {
        "id": render("gateway", gateway.id),
        "name": gateway.name,
        "account_sid": gateway.sid,
        "provider_url": f"{services.config.base_url}/sms/{gateway.name}/generic/send",
        "webhook_url": f"{services.config.base_url}/sms/{gateway.name}/generic",
        "delivery_status_url": f"{services.config.base_url}/sms/{gateway.name}/generic/status",
        "status_url": gateway.status_url,
        "sender": gateway.sender,
        "created_at": rfc3339(gateway.created_at),
    }
