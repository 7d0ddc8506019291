"""Webhooks: where the account's events are sent, how, and how that goes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.events import EventType
from hub.core.ids import Kind
from hub.dialects.native_v1.attempts import Attempt, shown_attempt
from hub.dialects.native_v1.fields import (
    Count,
    DeviceId,
    LineId,
    Model,
    Query,
    Request,
    UtcTime,
    WebhookId,
    bare,
    moment_or_none,
    out,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.webhooks import records

State = Literal["active", "paused", "disabled"]
OrderMode = Literal["message", "conversation", "endpoint", "none"]
Url = Annotated[str, Meta(min_length=1, max_length=2048, examples=["https://example.com/hooks/sms"])]
Format = Annotated[
    str, Meta(min_length=1, max_length=32, description="`standard` (Standard Webhooks), `smsgate`, or a dialect's.")
]
Schedule = Annotated[
    str | list[float],
    Meta(description="A preset's name, or the waits between tries in seconds."),
]


class BasicAuth(Request, tag_field="kind", tag="basic"):
    """Send a user name and password (RFC 7617)."""

    username: Annotated[str, Meta(min_length=1, max_length=255)]
    password: Annotated[str, Meta(max_length=255)]


class BearerAuth(Request, tag_field="kind", tag="bearer"):
    """Send a token (RFC 6750)."""

    token: Annotated[str, Meta(min_length=1, max_length=4096)]


class WebhookSecret(Model):
    """A signing secret that is alive, without the secret."""

    hint: str
    created_at: UtcTime
    expires_at: UtcTime | None


class WebhookHealth(Model):
    """How sending goes."""

    failing_since: UtcTime | None
    last_ok_at: UtcTime | None
    tries_since_ok: Count
    paused_until: Annotated[
        UtcTime | None, Meta(description="The receiver asked for quiet, or the hub waits after failures.")
    ]
    breaker: str
    pending: Annotated[Count, Meta(description="Deliveries that wait.")]
    held: Annotated[Count, Meta(description="Deliveries held while it is switched off.")]


class Webhook(Model):
    """Where events are sent."""

    id: WebhookId
    url: str
    kind: Annotated[str, Meta(description="`http` or `mail`.")]
    is_implicit: Annotated[bool, Meta(description="Made by the hub for texts that carry their own target.")]
    description: str
    format: str
    template: str | None
    settings: Annotated[dict[str, str], Meta(description="The format's own.")]
    version: Annotated[Count, Meta(description="Rises with each change; a delivery keeps the one it was made with.")]
    state: State
    state_reason: str | None
    event_types: Annotated[list[str], Meta(description="Empty = all.")]
    device_ids: list[DeviceId]
    line_ids: list[LineId]
    peer_prefixes: list[str]
    header_names: Annotated[list[str], Meta(description="Your headers; their values are not shown again.")]
    auth_kind: str | None
    signing: Literal["hmac", "ed25519"]
    public_key: str | None
    timeout_seconds: int
    max_inflight: int
    rate_per_second: int | None
    order_mode: OrderMode
    schedule: Schedule
    max_age_seconds: int | None
    success_rule: str | None
    secrets: list[WebhookSecret]
    health: WebhookHealth
    created_at: UtcTime
    updated_at: UtcTime


class WebhookList(Model):
    """Webhooks, oldest first."""

    items: list[Webhook]


class NewWebhook(Model):
    """A webhook just made, with its secret: shown once."""

    webhook: Webhook
    secret: Annotated[
        str, Meta(description="`whsec_…`: verify signatures with it. It is in this answer and nowhere else.")
    ]
    public_key: Annotated[str | None, Meta(description="With Ed25519: what verifies.")]


class RotatedWebhook(Model):
    """A webhook with a new secret: shown once."""

    webhook: Webhook
    secret: str
    public_key: str | None
    old_expires_at: Annotated[UtcTime | None, Meta(description="Until then both secrets sign.")]


Template = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        description="A JMESPath expression over `{id, type, timestamp, seq, data}` that makes the JSON body.",
    ),
]
SuccessRule = Annotated[
    str, Meta(min_length=1, max_length=200, description="What the body of a 2xx must begin with, such as `+OK`.")
]
Settings = Annotated[dict[str, str], Meta(description="The format's own settings, such as an account SID.")]
Headers = Annotated[dict[str, str], Meta(description="Headers of yours, sent with each request.")]
Types = Annotated[list[EventType], Meta(description="Only these events; empty = all.")]
Devices = Annotated[list[DeviceId], Meta(description="Only events of these phones; empty = all.")]
Lines = Annotated[list[LineId], Meta(description="Only events of these lines; empty = all.")]
Prefixes = Annotated[list[str], Meta(description="Only events with a peer that begins so, such as `+49`; empty = all.")]
Timeout = Annotated[int, Meta(ge=1, le=60)]
InFlight = Annotated[int, Meta(ge=1, le=64)]
Rate = Annotated[int, Meta(ge=1, le=10_000)]
MaxAge = Annotated[int, Meta(ge=60, le=31_536_000)]


class WebhookToMake(Request):
    """A new webhook."""

    url: Url
    description: Annotated[str, Meta(max_length=200)] = ""
    format: Format = "standard"
    template: Template | None = None
    settings: Settings = field(default_factory=dict)
    event_types: Types = field(default_factory=list)
    device_ids: Devices = field(default_factory=list)
    line_ids: Lines = field(default_factory=list)
    peer_prefixes: Prefixes = field(default_factory=list)
    headers: Headers = field(default_factory=dict)
    auth: BasicAuth | BearerAuth | None = None
    signing: Literal["hmac", "ed25519"] = "hmac"
    timeout_seconds: Timeout = 30
    max_inflight: InFlight = 8
    rate_per_second: Rate | None = None
    order_mode: OrderMode = "message"
    schedule: Schedule = "default"
    max_age_seconds: MaxAge | None = 345_600
    success_rule: SuccessRule | None = None
    state: Literal["active", "paused"] = "active"


class WebhookChange(Request):
    """What to change; what is not named stays."""

    url: Url | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    template: Template | UnsetType | None = UNSET
    settings: Settings | UnsetType = UNSET
    event_types: Types | UnsetType = UNSET
    device_ids: Devices | UnsetType = UNSET
    line_ids: Lines | UnsetType = UNSET
    peer_prefixes: Prefixes | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    auth: BasicAuth | BearerAuth | UnsetType | None = UNSET
    signing: Literal["hmac", "ed25519"] | UnsetType = UNSET
    timeout_seconds: Timeout | UnsetType = UNSET
    max_inflight: InFlight | UnsetType = UNSET
    rate_per_second: Rate | UnsetType | None = UNSET
    order_mode: OrderMode | UnsetType = UNSET
    schedule: Schedule | UnsetType = UNSET
    max_age_seconds: MaxAge | UnsetType | None = UNSET
    success_rule: SuccessRule | UnsetType | None = UNSET
    state: Literal["active", "paused"] | UnsetType = UNSET


class SecretRotation(Request):
    """How one secret replaces another."""

    grace_seconds: Annotated[
        int, Meta(ge=0, le=604_800, description="How long the old one goes on signing beside the new.")
    ] = 86_400


class Enabling(Request):
    """What happens to what was held while the webhook was off."""

    held: Annotated[
        Literal["send", "since", "drop"], Meta(description="`send` all of it, what came `since` a time, or `drop` it.")
    ] = "send"
    since: UtcTime | None = None


class TestRequest(Request):
    """What to send as a test."""

    event_type: EventType = EventType.SMS_RECEIVED


class TestResult(Model):
    """What the receiver answered."""

    is_success: bool
    request_body: str
    attempt: Attempt


class PreviewRequest(Request):
    """A template to try."""

    template: Template
    event_type: EventType = EventType.SMS_RECEIVED


class Preview(Model):
    """What a template makes of a sample event."""

    body: str
    event: Annotated[str, Meta(description="The sample, as JSON.")]


class WebhooksQuery(Query):
    """Which webhooks to list."""

    include_implicit: bool = False


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
        health=_health(endpoint.health),
        created_at=time(endpoint.created_at),
        updated_at=time(endpoint.updated_at),
    )


def _health(health: records.EndpointHealth) -> WebhookHealth:
    return WebhookHealth(
        failing_since=time_or_none(health.failing_since),
        last_ok_at=time_or_none(health.last_ok_at),
        tries_since_ok=health.tries_since_ok,
        paused_until=time_or_none(health.paused_until),
        breaker=health.breaker,
        pending=health.pending,
        held=health.held,
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
