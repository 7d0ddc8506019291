"""The operator's commands about webhooks: `hub webhook …`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.core.clock import rfc3339
from hub.core.ids import render
from hub.operations.accounts import account_of
from hub.operations.typed_ids import bare
from hub.services import Services
from hub.webhooks.records import Delivery, DeliveryFilter, Endpoint, NewEndpoint


async def webhook_create(
    services: Services,
    url: str,
    event_types: Sequence[str] | None = None,
    format: str = "standard",
    description: str = "",
    account: str | None = None,
) -> Mapping[str, Any]:
    """`hub webhook create URL`: its secret is in this answer and nowhere else."""
    owner = await account_of(services, account)
    new = NewEndpoint(url=url, event_types=tuple(event_types or ()), format=format, description=description)
    made = await services.webhooks.create(owner.id, new)
    return {**_shown(made.endpoint), "secret": made.secret}


async def webhook_list(services: Services, account: str | None = None) -> Mapping[str, Any]:
    """`hub webhook list`."""
    owner = await account_of(services, account)
    return {"webhooks": [_shown(endpoint) for endpoint in await services.webhooks.list(owner.id)]}


async def webhook_test(
    services: Services, webhook_id: str, event_type: str = "sms:received", account: str | None = None
) -> Mapping[str, Any]:
    """`hub webhook test WEBHOOK`: a sample event, sent now."""
    owner = await account_of(services, account)
    tried = await services.webhooks.test(owner.id, bare("endpoint", webhook_id), event_type)
    return {
        "is_success": tried.is_success,
        "status": tried.attempt.status,
        "explanation": tried.attempt.explanation,
        "request_body": tried.request_body,
    }


async def webhook_rotate(services: Services, webhook_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub webhook rotate WEBHOOK`: a new secret; the old one signs too for a day."""
    owner = await account_of(services, account)
    made = await services.webhooks.rotate(owner.id, bare("endpoint", webhook_id))
    old = rfc3339(made.old_expires_at) if made.old_expires_at else None
    return {**_shown(made.endpoint), "secret": made.secret, "old_expires_at": old}


async def webhook_enable(services: Services, webhook_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub webhook enable WEBHOOK`: what was held meanwhile is sent."""
    owner = await account_of(services, account)
    return _shown(await services.webhooks.enable(owner.id, bare("endpoint", webhook_id)))


async def webhook_delete(services: Services, webhook_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub webhook delete WEBHOOK`."""
    owner = await account_of(services, account)
    endpoint = await services.webhooks.get(owner.id, bare("endpoint", webhook_id))
    await services.webhooks.delete(owner.id, endpoint.id)
    return _shown(endpoint)


async def webhook_log(
    services: Services, webhook_id: str | None = None, most: int = 20, account: str | None = None
) -> Mapping[str, Any]:
    """`hub webhook log`: the newest deliveries and how they went."""
    owner = await account_of(services, account)
    asked = DeliveryFilter(endpoint_id=None if webhook_id is None else bare("endpoint", webhook_id))
    found = await services.webhooks.deliveries(owner.id, asked, limit=most)
    return {"deliveries": [_shown_delivery(delivery) for delivery in found]}


async def webhook_replay(services: Services, delivery_id: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub webhook replay DELIVERY`: send one again."""
    owner = await account_of(services, account)
    return _shown_delivery(await services.webhooks.replay(owner.id, bare("delivery", delivery_id)))


def _shown(endpoint: Endpoint) -> Mapping[str, Any]:
    return {
        "id": render("endpoint", endpoint.id),
        "url": endpoint.url,
        "format": endpoint.format,
        "event_types": list(endpoint.event_types),
        "state": endpoint.state,
        "state_reason": endpoint.state_reason,
        "failing_since": rfc3339(endpoint.health.failing_since) if endpoint.health.failing_since else None,
        "waiting": endpoint.health.pending + endpoint.health.held,
    }


def _shown_delivery(delivery: Delivery) -> Mapping[str, Any]:
    return {
        "id": render("delivery", delivery.id),
        "event_type": delivery.event_type,
        "state": delivery.state,
        "origin": delivery.origin,
        "created_at": rfc3339(delivery.created_at),
        "explanation": delivery.explanation,
    }
