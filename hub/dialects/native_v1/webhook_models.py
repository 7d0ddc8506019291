"""What a webhook is made of, as customers write and read it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from hub.core.events import EventType
from hub.dialects.native_v1.attempts import Attempt
from hub.dialects.native_v1.fields import Count, DeviceId, LineId, Model, Query, Request, UtcTime, WebhookId

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


class WebhookWatch(Model):
    """How the last hour went, where a format's receivers are held to limits (`agile`); zeros elsewhere."""

    tries: Count
    failed: Count
    slow: Annotated[Count, Meta(description="Answers that took longer than 5 s.")]
    slowest_ms: Count
    missing: Annotated[Count, Meta(description="Texts given up: the receiver has a hole until they are replayed.")]
    alerts: Annotated[
        list[Literal["slow", "errors", "missing"]],
        Meta(description="Limits that are broken now: more than 1 in 100 slow, or failed; a text missing."),
    ]


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
    watch: WebhookWatch


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
