"""Webhooks: where the account's events are sent, how, and how that goes."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.ids import Kind
from hub.dialects.native_v1.attempts import shown_attempt
from hub.dialects.native_v1.fields import bare, moment_or_none, out, time, time_or_none
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.dialects.native_v1.webhook_models import (
    BasicAuth,
    BearerAuth,
    Enabling,
    NewWebhook,
    Preview,
    PreviewRequest,
    RotatedWebhook,
    SecretRotation,
    TestRequest,
    TestResult,
    Webhook,
    WebhookChange,
    WebhookHealth,
    WebhookList,
    WebhookSecret,
    WebhooksQuery,
    WebhookToMake,
    WebhookWatch,
)
from hub.webhooks import records


def shown(endpoint: records.Endpoint) -> Webhook:
    """A webhook as customers see it."""
    return Webhook(
        id=out("endpoint", endpoint.id),
        url=endpoint.url,
        kind=endpoint.kind,
        is_implicit=endpoint.is_implicit,
        description=endpoint.description,
        format=endpoint.format,
        template=endpoint.template,
        settings=endpoint.settings,
        version=endpoint.version,
        state=endpoint.state,
        state_reason=endpoint.state_reason,
        event_types=list(endpoint.event_types),
        device_ids=[out("device", device_id) for device_id in endpoint.device_ids],
        line_ids=[out("line", line_id) for line_id in endpoint.line_ids],
        peer_prefixes=list(endpoint.peer_prefixes),
        header_names=list(endpoint.header_names),
        auth_kind=endpoint.auth_kind,
        signing=endpoint.signing,
        public_key=endpoint.public_key,
        timeout_seconds=endpoint.timeout_seconds,
        max_inflight=endpoint.max_inflight,
        rate_per_second=endpoint.rate_per_second,
        order_mode=endpoint.order_mode,
        schedule=endpoint.schedule if isinstance(endpoint.schedule, str) else list(endpoint.schedule),
        max_age_seconds=endpoint.max_age_seconds,
        success_rule=endpoint.success_rule,
        secrets=[
            WebhookSecret(hint=one.hint, created_at=time(one.created_at), expires_at=time_or_none(one.expires_at))
            for one in endpoint.secrets
        ],
        health=shown_health(endpoint.health),
        created_at=time(endpoint.created_at),
        updated_at=time(endpoint.updated_at),
    )


def shown_health(health: records.EndpointHealth) -> WebhookHealth:
    """How sending goes, as customers see it."""
    watch = health.watch
    return WebhookHealth(
        failing_since=time_or_none(health.failing_since),
        last_ok_at=time_or_none(health.last_ok_at),
        tries_since_ok=health.tries_since_ok,
        paused_until=time_or_none(health.paused_until),
        breaker=health.breaker,
        pending=health.pending,
        held=health.held,
        watch=WebhookWatch(
            tries=watch.tries,
            failed=watch.failed,
            slow=watch.slow,
            slowest_ms=watch.slowest_ms,
            missing=watch.missing,
            alerts=list(watch.broken()),
        ),
    )


def _stored(body: WebhookToMake | WebhookChange) -> dict[str, Any]:
    """The fields of a request as the engine takes them: bare ids, tuples, its own records."""
    values = {name: item for name, item in msgspec.structs.asdict(body).items() if item is not UNSET}
    kinds: tuple[tuple[str, Kind], ...] = (("device_ids", "device"), ("line_ids", "line"))
    for name, kind in kinds:
        if name in values:
            values[name] = tuple(bare(kind, shown_id, name) for shown_id in values[name])
    for name in ("event_types", "peer_prefixes"):
        if name in values:
            values[name] = tuple(str(item) for item in values[name])
    if isinstance(values.get("schedule"), list):
        values["schedule"] = tuple(values["schedule"])
    auth = values.get("auth")
    if isinstance(auth, BasicAuth):
        values["auth"] = records.BasicAuth(username=auth.username, password=auth.password)
    elif isinstance(auth, BearerAuth):
        values["auth"] = records.BearerAuth(token=auth.token)
    return values


async def list_webhooks(call: Call[WebhooksQuery, None]) -> WebhookList:
    """List webhooks with their health."""
    endpoints = await call.services.webhooks.list(call.account_id, implicit=call.query.include_implicit)
    return WebhookList(items=[shown(endpoint) for endpoint in endpoints])


async def create_webhook(call: Call[NoQuery, WebhookToMake]) -> NewWebhook:
    """Make a webhook. Its secret is generated and shown once."""
    made = await call.services.webhooks.create(call.account_id, records.NewEndpoint(**_stored(call.body)))
    return NewWebhook(webhook=shown(made.endpoint), secret=made.secret, public_key=made.public_key)


async def get_webhook(call: Call[NoQuery, None]) -> Webhook:
    """Read one webhook and its health."""
    return shown(await call.services.webhooks.get(call.account_id, call.path["webhook_id"]))


async def change_webhook(call: Call[NoQuery, WebhookChange]) -> Webhook:
    """Change a webhook. Deliveries already made keep the settings they were made with."""
    changes = records.EndpointChanges(**_stored(call.body))
    return shown(await call.services.webhooks.update(call.account_id, call.path["webhook_id"], changes))


async def delete_webhook(call: Call[NoQuery, None]) -> None:
    """Remove a webhook. What waits for it ends `cancelled`."""
    await call.services.webhooks.delete(call.account_id, call.path["webhook_id"])


async def rotate_webhook_secret(call: Call[NoQuery, SecretRotation | None]) -> RotatedWebhook:
    """Replace the secret. Both sign until the grace time is over."""
    grace = (call.body or SecretRotation()).grace_seconds
    made = await call.services.webhooks.rotate(call.account_id, call.path["webhook_id"], grace)
    return RotatedWebhook(
        webhook=shown(made.endpoint),
        secret=made.secret,
        public_key=made.public_key,
        old_expires_at=time_or_none(made.old_expires_at),
    )


async def enable_webhook(call: Call[NoQuery, Enabling | None]) -> Webhook:
    """Switch a webhook on again, and say what happens to the events held meanwhile."""
    body = call.body or Enabling()
    return shown(
        await call.services.webhooks.enable(
            call.account_id, call.path["webhook_id"], body.held, moment_or_none(body.since, "since")
        )
    )


async def test_webhook(call: Call[NoQuery, TestRequest | None]) -> TestResult:
    """Send a sample event now and show what the receiver answered."""
    body = call.body or TestRequest()
    result = await call.services.webhooks.test(call.account_id, call.path["webhook_id"], body.event_type)
    return TestResult(
        is_success=result.is_success, request_body=result.request_body, attempt=shown_attempt(result.attempt)
    )


async def preview_webhook_template(call: Call[NoQuery, PreviewRequest]) -> Preview:
    """Show what a template makes of a sample event. Nothing is sent or stored."""
    made = await call.services.webhooks.preview(call.body.template, call.body.event_type)
    return Preview(body=made.body, event=made.event)


_ALL = "/v1/webhooks"
_ONE = "/v1/webhooks/{webhook_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_webhooks, scope=Scope.WEBHOOKS_READ, query=WebhooksQuery, body=NoBody,
        returns=WebhookList,
    ),
    Operation(
        method="POST", path=_ALL, run=create_webhook, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=WebhookToMake,
        returns=NewWebhook, status=201, errors=(Code.TARGET_REFUSED, Code.CONFLICT),
        example={"url": "https://example.com/hooks/sms", "event_types": ["sms:received", "sms:delivered"]},
    ),
    Operation(
        method="POST", path=_ALL + "/preview", run=preview_webhook_template, scope=Scope.WEBHOOKS_READ, query=NoQuery,
        body=PreviewRequest, returns=Preview, example={"template": "{text: data.text, from: data.from}"},
    ),
    Operation(method="GET", path=_ONE, run=get_webhook, scope=Scope.WEBHOOKS_READ, query=NoQuery, body=NoBody, returns=Webhook),
    Operation(
        method="PATCH", path=_ONE, run=change_webhook, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=WebhookChange,
        returns=Webhook, errors=(Code.TARGET_REFUSED, Code.CONFLICT), example={"state": "paused"},
    ),
    Operation(
        method="DELETE", path=_ONE, run=delete_webhook, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=NoBody, returns=NoBody
    ),
    Operation(
        method="POST", path=_ONE + "/rotate", run=rotate_webhook_secret, scope=Scope.WEBHOOKS_WRITE, query=NoQuery,
        body=SecretRotation, is_body_optional=True, returns=RotatedWebhook, errors=(Code.CONFLICT,),
    ),
    Operation(
        method="POST", path=_ONE + "/enable", run=enable_webhook, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=Enabling,
        is_body_optional=True, returns=Webhook, errors=(Code.CONFLICT,), example={"held": "send"},
    ),
    Operation(
        method="POST", path=_ONE + "/test", run=test_webhook, scope=Scope.WEBHOOKS_WRITE, query=NoQuery, body=TestRequest,
        is_body_optional=True, returns=TestResult, errors=(Code.CONFLICT, Code.ENDPOINT_DISABLED, Code.TARGET_REFUSED),
    ),
)  # fmt: skip
