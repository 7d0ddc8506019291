"""The operator's commands about gateways: `hub gateway create`, `list`, `token`, `delete`.

As in `hub.operations`, each is `async (services, **arguments) -> JSON object`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.gateways.desk import Gateway, MadeGateway, NewGateway
from hub.people import account_of
from hub.services import Services
from hub.storage.gateways import list_gateways
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
        "status_url": gateway.status_url,
        "sender": gateway.sender,
        "created_at": rfc3339(gateway.created_at),
    }
