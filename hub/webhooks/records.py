"""What goes into webhooks' use cases and comes out of them. Ids are bare, times are milliseconds since the epoch."""

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from hub.core.clock import UtcMs
from hub.webhooks.answer import Timing
from hub.webhooks.watch import Sums

EndpointState = Literal["active", "paused", "disabled"]
DeliveryState = Literal["pending", "held", "ok", "dead", "cancelled"]
OrderMode = Literal["message", "conversation", "endpoint", "none"]
Signing = Literal["hmac", "ed25519"]
Held = Literal["send", "since", "drop"]
Schedule: TypeAlias = str | tuple[float, ...]


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="basic"):
    """RFC 7617."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "BasicAuth(…)"


class BearerAuth(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="bearer"):
    """RFC 6750."""

    token: str

    def __repr__(self) -> str:
        return "BearerAuth(…)"


Auth: TypeAlias = BasicAuth | BearerAuth


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription to make."""

    url: str
    description: str = ""
    format: str = "standard"
    template: str | None = None
    settings: dict[str, str] = {}
    """The format's own."""
    event_types: tuple[str, ...] = ()
    """Empty = all that the format tells."""
    device_ids: tuple[str, ...] = ()
    line_ids: tuple[str, ...] = ()
    peer_prefixes: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    auth: Auth | None = None
    signing: Signing = "hmac"
    timeout_seconds: int = 30
    max_inflight: int = 8
    rate_per_second: int | None = None
    order_mode: OrderMode = "message"
    schedule: Schedule = "default"
    """A preset's name, or the waits between tries in seconds."""
    max_age_seconds: int | None = 345_600
    success_rule: str | None = None
    """What the body of a 2xx must begin with."""
    state: Literal["active", "paused"] = "active"


class EndpointChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of one; UNSET stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    template: str | UnsetType | None = UNSET
    settings: dict[str, str] | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    device_ids: tuple[str, ...] | UnsetType = UNSET
    line_ids: tuple[str, ...] | UnsetType = UNSET
    peer_prefixes: tuple[str, ...] | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    auth: Auth | UnsetType | None = UNSET
    signing: Signing | UnsetType = UNSET
    timeout_seconds: int | UnsetType = UNSET
    max_inflight: int | UnsetType = UNSET
    rate_per_second: int | UnsetType | None = UNSET
    order_mode: OrderMode | UnsetType = UNSET
    schedule: Schedule | UnsetType = UNSET
    max_age_seconds: int | UnsetType | None = UNSET
    success_rule: str | UnsetType | None = UNSET
    state: Literal["active", "paused"] | UnsetType = UNSET


class SecretInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A signing secret that is alive, without the secret."""

    created_at: UtcMs
    expires_at: UtcMs | None
    hint: str
    """Its last four characters."""


class EndpointHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How sending goes."""

    failing_since: UtcMs | None
    last_ok_at: UtcMs | None
    tries_since_ok: int
    paused_until: UtcMs | None
    breaker: str
    """`closed`, `open` or `half_open`."""
    pending: int
    """At most `webhooks_endpoints.COUNTED`."""
    held: int
    watch: Sums
    """The last hour, where the format is watched; nothing but zeros elsewhere."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as its owner may see it."""

    id: str
    account_id: str
    kind: str
    url: str
    is_implicit: bool
    forwards_line_id: str | None
    """The line whose one forwarding this is; None for every other subscription."""
    description: str
    format: str
    template: str | None
    settings: dict[str, str]
    version: int
    state: EndpointState
    state_reason: str | None
    event_types: tuple[str, ...]
    device_ids: tuple[str, ...]
    line_ids: tuple[str, ...]
    peer_prefixes: tuple[str, ...]
    header_names: tuple[str, ...]
    auth_kind: str | None
    signing: Signing
    public_key: str | None
    timeout_seconds: int
    max_inflight: int
    rate_per_second: int | None
    order_mode: OrderMode
    schedule: Schedule
    max_age_seconds: int | None
    success_rule: str | None
    secrets: tuple[SecretInfo, ...]
    created_at: UtcMs
    updated_at: UtcMs
    health: EndpointHealth


class CreatedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription just made, with its secret: shown once."""

    endpoint: Endpoint
    secret: str
    public_key: str | None

    def __repr__(self) -> str:
        return f"CreatedEndpoint({self.endpoint.id})"


class RotatedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret: shown once."""

    endpoint: Endpoint
    secret: str
    public_key: str | None
    old_expires_at: UtcMs | None

    def __repr__(self) -> str:
        return f"RotatedSecret({self.endpoint.id})"


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries to list; everything named must hold."""

    endpoint_id: str | None = None
    event_id: str | None = None
    message_id: str | None = None
    event_type: str | None = None
    states: tuple[DeliveryState, ...] = ()
    since: UtcMs | None = None
    until: UtcMs | None = None
    replay_id: str | None = None


class LastTry(msgspec.Struct, frozen=True, kw_only=True):
    """How the newest try of a delivery went."""

    at: UtcMs
    status: int | None
    outcome: str
    milliseconds: int | None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint, and where that stands."""

    id: str
    account_id: str
    endpoint_id: str
    event_id: str
    event_type: str
    message_id: str | None
    state: DeliveryState
    url: str
    format: str
    run: int
    origin: Literal["live", "replay"]
    attempts: int
    due_at: UtcMs | None
    created_at: UtcMs
    first_at: UtcMs | None
    done_at: UtcMs | None
    why: str | None
    explanation: str
    last_try: LastTry | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try, with what support needs to explain it."""

    id: str
    n: int
    is_probe: bool
    started_at: UtcMs
    timing: Timing
    address: str | None
    status: int | None
    outcome: str
    explanation: str
    error: str | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str | None
    node: str


class DeliveryDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with its tries and the bytes that are sent."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    body: str


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver answered to a test event. Not stored."""

    attempt: Attempt
    is_success: bool
    request_body: str


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a template makes of a sample."""

    body: str
    event: str


class ReplayFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to send again; everything named must hold."""

    types: tuple[str, ...] = ()
    since: UtcMs | None = None
    until: UtcMs | None = None
    states: tuple[DeliveryState, ...] = ()
    """Of the event's latest delivery to the endpoint. Empty = whether or not there was one."""
    message_id: str | None = None


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A replay of many events and how far it has come."""

    id: str
    endpoint_id: str
    filter: ReplayFilter
    state: Literal["running", "done", "cancelled"]
    total: int
    created: int
    ok: int
    dead: int
    pending: int
    created_at: UtcMs
    done_at: UtcMs | None
