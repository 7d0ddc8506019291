"""One request: the format's part, and what every request carries whatever its format."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from hub.core.clock import UtcMs
from hub.core.ids import render
from hub.core.ports import DeliveryView, EndpointView, EventView, RenderedRequest, Secrets, WebhookFormat
from hub.webhooks.opened import OpenEndpoint
from hub.webhooks.signing import sign


def _version() -> str:
    try:
        return version("handset-hub")
    except PackageNotFoundError:
        return "0"


USER_AGENT = f"Handset-Hub-Webhooks/{_version()}"
_EVERY = (("user-agent", USER_AGENT), ("accept-encoding", "identity"))


def build_request(
    form: WebhookFormat,
    endpoint: OpenEndpoint,
    view: EndpointView,
    event: EventView,
    delivery: DeliveryView,
    signed_at: UtcMs,
) -> RenderedRequest:
    """The whole request, signed for `signed_at`. Raises what the format raises (`BadTemplate`).

    Every format carries the Standard Webhooks headers, so that one verifier in a customer's code fits all.
    """
    keys = endpoint.alive_keys(signed_at)
    secrets = Secrets(
        keys=tuple(key.hmac for key in keys),
        ed25519=keys[0].ed25519 if keys else None,
        own_key=endpoint.keys.own,
        vendor=endpoint.settings,
    )
    rendered = form.render(view, event, delivery, secrets, signed_at)
    webhook_id = render("event", event.event_id)
    timestamp = signed_at // 1000
    headers = (
        *rendered.headers,
        ("webhook-id", webhook_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", sign(keys, webhook_id, timestamp, rendered.body)),
        *_EVERY,
        ("x-attempt", str(delivery.attempt)),
        *((("webhook-replay", str(delivery.run)),) if delivery.origin == "replay" else ()),
        *endpoint.own_headers,
    )
    return RenderedRequest(rendered.method, rendered.url, headers, rendered.body)


def endpoint_view(endpoint: OpenEndpoint, format_name: str, template: str | None, target: str | None) -> EndpointView:
    """What a format may know; `target` is the delivery's own URL."""
    return EndpointView(
        endpoint_id=endpoint.id,
        account_id=endpoint.account_id,
        url=endpoint.url if target is None else target,
        kind=endpoint.kind,
        format=format_name,
        template=template,
        settings=endpoint.settings,
        gateway_id=endpoint.gateway_id,
    )


def format_view(row: Any) -> EndpointView:
    """The same for a row of the delivery log (`webhooks_log.find_delivery`)."""
    return EndpointView(
        endpoint_id=row.endpoint_id,
        account_id=row.account_id,
        url=row.endpoint_url if row.target is None else row.target,
        kind=row.endpoint_kind,
        format=row.format,
        template=row.template,
        settings=msgspec.json.decode(row.endpoint_settings),
    )
