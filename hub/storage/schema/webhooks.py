"""Customer events and their way to customers' servers."""

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from hub.storage.types import Bytes, CleanText, Int64, RowNumber, UtcMillis


class WebhookEndpoint(SQLModel, table=True):
    """A subscribed URL or mail address, or the implicit one behind messages' own targets (one per format and origin)."""

    __tablename__ = "wh_endpoint"
    __table_args__ = (
        Index("wh_endpoint_account", "account_id"),
        Index(
            "wh_endpoint_forwards",
            "account_id",
            "forwards_line_id",
            unique=True,
            sqlite_where=text("forwards_line_id is not null and deleted_at is null"),
            postgresql_where=text("forwards_line_id is not null and deleted_at is null"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    kind: str = Field(default="http", sa_type=CleanText)
    """`http` or `mail`."""
    url: str = Field(sa_type=CleanText)
    """For an implicit endpoint: the origin; each delivery carries its own target."""
    is_implicit: bool = Field(default=False)
    gateway_id: str | None = Field(default=None, sa_type=CleanText)
    """The gateway whose token signs instead of `secrets`."""
    forwards_line_id: str | None = Field(default=None, sa_type=CleanText)
    """The line whose inbound texts it forwards, one way or the other; a line has one such endpoint."""
    description: str = Field(default="", sa_type=CleanText)
    format: str = Field(default="standard", sa_type=CleanText)
    template: str | None = Field(default=None, sa_type=CleanText)
    settings: str = Field(default="{}", sa_type=CleanText)
    """JSON object of texts: the format's own settings (a vendor's account id, a header's name)."""
    version: int = Field(default=1, sa_type=Int64)
    """Raised by each change of what a request is made from; a delivery pins the one it was created with."""
    state: str = Field(default="active", sa_type=CleanText)
    """`active`, `paused` or `disabled`."""
    state_reason: str | None = Field(default=None, sa_type=CleanText)
    event_types: str = Field(default="[]", sa_type=CleanText)
    """JSON list; empty = all customer events."""
    device_ids: str = Field(default="[]", sa_type=CleanText)
    line_ids: str = Field(default="[]", sa_type=CleanText)
    peer_prefixes: str = Field(default="[]", sa_type=CleanText)
    secrets: bytes = Field(sa_type=Bytes)
    """Encrypted JSON (`hub.webhooks.signing.Keys`). Empty: an implicit endpoint that has not sent yet; made then."""
    headers: bytes | None = Field(default=None, sa_type=Bytes)
    """Encrypted JSON object: the endpoint's own request headers."""
    auth: bytes | None = Field(default=None, sa_type=Bytes)
    """Encrypted JSON: Basic or Bearer credentials the receiver asks for."""
    signing: str = Field(default="hmac", sa_type=CleanText)
    """`hmac`, or `ed25519` for a `v1a` signature beside the `v1` one."""
    timeout_seconds: int = Field(default=30, sa_type=Int64)
    max_inflight: int = Field(default=8, sa_type=Int64)
    rate_per_second: int | None = Field(default=None, sa_type=Int64)
    order_mode: str = Field(default="message", sa_type=CleanText)
    """`message`, `conversation`, `endpoint` or `none`."""
    schedule: str = Field(default='"default"', sa_type=CleanText)
    """JSON: a preset's name or a list of waits in seconds."""
    max_age_seconds: int | None = Field(default=96 * 3600, sa_type=Int64)
    """How long after the first try the last one may come; null = only the schedule counts."""
    success_rule: str | None = Field(default=None, sa_type=CleanText)
    """None: any 2xx. Otherwise what the body of a 2xx must begin with (`+OK`)."""
    created_at: int = Field(sa_type=UtcMillis)
    updated_at: int = Field(sa_type=UtcMillis)
    deleted_at: int | None = Field(default=None, sa_type=UtcMillis)


class WebhookEvent(SQLModel, table=True):
    """A customer event: one applied fact, numbered for every feed."""

    __tablename__ = "wh_event"
    __table_args__ = (
        Index("wh_event_account", "account_id", "txid", "seq"),
        Index(
            "wh_event_message",
            "message_id",
            sqlite_where=text("message_id is not null"),
            postgresql_where=text("message_id is not null"),
        ),
        {"sqlite_autoincrement": True},
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    id: str = Field(sa_type=CleanText, unique=True)
    txid: int | None = Field(default=None, sa_type=Int64)
    """PostgreSQL: the inserting transaction; a feed stops below the oldest one still open. Null on SQLite."""
    account_id: str = Field(sa_type=CleanText)
    type: str = Field(sa_type=CleanText)
    occurred_at: int = Field(sa_type=UtcMillis)
    created_at: int = Field(sa_type=UtcMillis)
    device_id: str | None = Field(default=None, sa_type=CleanText)
    line_id: str | None = Field(default=None, sa_type=CleanText)
    peer: str | None = Field(default=None, sa_type=CleanText)
    message_id: str | None = Field(default=None, sa_type=CleanText)
    conversation_id: str | None = Field(default=None, sa_type=CleanText)
    trace_id: str | None = Field(default=None, sa_type=CleanText)
    data: str = Field(sa_type=CleanText)
    """JSON of the event's `data` (`hub.core.events`)."""


class WebhookDelivery(SQLModel, table=True):
    """One event for one endpoint, until it ends `ok`, `dead` or `cancelled`."""

    __tablename__ = "wh_delivery"
    __table_args__ = (
        UniqueConstraint("event_seq", "endpoint_id", "run", "target_key"),
        # Only unfinished deliveries are in these three, so that the millions finished cost nothing.
        Index(
            "wh_due",
            "endpoint_id",
            "queue",
            "due_at",
            "id",
            sqlite_where=text("state = 0"),
            postgresql_where=text("state = 0"),
        ),
        Index("wh_held", "endpoint_id", "id", sqlite_where=text("state = 1"), postgresql_where=text("state = 1")),
        Index(
            "wh_order",
            "endpoint_id",
            "order_key",
            "id",
            sqlite_where=text("state < 2 and order_key <> ''"),
            postgresql_where=text("state < 2 and order_key <> ''"),
        ),
        Index("wh_delivery_endpoint", "endpoint_id", "id"),
        Index("wh_dead", "endpoint_id", "id", sqlite_where=text("state = 3"), postgresql_where=text("state = 3")),
        Index(
            "wh_delivery_replay",
            "replay_id",
            "state",
            sqlite_where=text("replay_id is not null"),
            postgresql_where=text("replay_id is not null"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    account_id: str = Field(sa_type=CleanText)
    endpoint_id: str = Field(sa_type=CleanText)
    endpoint_version: int = Field(sa_type=Int64)
    format: str = Field(sa_type=CleanText)
    template: str | None = Field(default=None, sa_type=CleanText)
    """Format and template are the endpoint's when the event happened: every try has the same bytes."""
    target: str | None = Field(default=None, sa_type=CleanText)
    """The delivery's own URL or mail address; null = the endpoint's."""
    target_key: str = Field(default="", sa_type=CleanText)
    """Tells two targets of one event apart; empty = the endpoint's own."""
    event_seq: int = Field(sa_type=Int64)
    run: int = Field(default=0, sa_type=Int64)
    """0 = the first; each replay is one more, with the same webhook-id."""
    queue: int = Field(default=0, sa_type=Int64)
    """0 = live, 1 = a replay: it waits until nothing live is due."""
    order_key: str = Field(default="", sa_type=CleanText)
    """Deliveries of an endpoint with the same key are sent one after the other; empty = in no order."""
    state: int = Field(default=0, sa_type=Int64)
    """0 pending · 1 held · 2 ok · 3 dead · 4 cancelled."""
    due_at: int = Field(sa_type=UtcMillis)
    attempts: int = Field(default=0, sa_type=Int64)
    """Tries that count; a probe of an endpoint that is down does not."""
    created_at: int = Field(sa_type=UtcMillis)
    first_at: int | None = Field(default=None, sa_type=UtcMillis)
    done_at: int | None = Field(default=None, sa_type=UtcMillis)
    why: str | None = Field(default=None, sa_type=CleanText)
    """Why it ended as it did, as one word (`hub.webhooks.sentences`)."""
    replay_id: str | None = Field(default=None, sa_type=CleanText)


class WebhookAttempt(SQLModel, table=True):
    """One HTTP try, with what support needs to explain it."""

    __tablename__ = "wh_attempt"
    __table_args__ = (Index("wh_attempt_delivery", "delivery_id", "n"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    account_id: str = Field(sa_type=CleanText)
    delivery_id: int = Field(sa_type=Int64)
    endpoint_id: str = Field(sa_type=CleanText)
    n: int = Field(sa_type=Int64)
    """Which try: one more than the tries that counted before."""
    is_probe: bool = Field(default=False)
    """Sent to find out whether the endpoint is back; its failure used up no try."""
    started_at: int = Field(sa_type=UtcMillis)
    ms_dns: int | None = Field(default=None, sa_type=Int64)
    ms_connect: int | None = Field(default=None, sa_type=Int64)
    ms_tls: int | None = Field(default=None, sa_type=Int64)
    ms_first: int | None = Field(default=None, sa_type=Int64)
    ms_total: int | None = Field(default=None, sa_type=Int64)
    address: str | None = Field(default=None, sa_type=CleanText)
    status: int | None = Field(default=None, sa_type=Int64)
    outcome: str = Field(sa_type=CleanText)
    """`ok`, or the word of why it failed (`timeout`, `refused`, `blocked`, `tls_expired`, `status` …)."""
    error: str | None = Field(default=None, sa_type=CleanText)
    request_headers: str | None = Field(default=None, sa_type=CleanText)
    response_headers: str | None = Field(default=None, sa_type=CleanText)
    response_body: bytes | None = Field(default=None, sa_type=Bytes)
    """At most 4 KiB."""
    node: str = Field(default="", sa_type=CleanText)


class WebhookLane(SQLModel, table=True):
    """The health of an endpoint, and on PostgreSQL which hub process may send to it."""

    __tablename__ = "wh_lane"
    __table_args__ = (
        Index(
            "wh_lane_chore",
            "endpoint_id",
            sqlite_where=text("chore is not null"),
            postgresql_where=text("chore is not null"),
        ),
    )

    endpoint_id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    owner: str | None = Field(default=None, sa_type=CleanText)
    fence: int = Field(default=0, sa_type=Int64)
    lease_until: int | None = Field(default=None, sa_type=UtcMillis)
    takeovers: str = Field(default="[]", sa_type=CleanText)
    paused_until: int | None = Field(default=None, sa_type=UtcMillis)
    breaker: str = Field(default="{}", sa_type=CleanText)
    failing_since: int | None = Field(default=None, sa_type=UtcMillis)
    last_ok_at: int | None = Field(default=None, sa_type=UtcMillis)
    tries_since_ok: int = Field(default=0, sa_type=Int64)
    noticed: int = Field(default=0, sa_type=Int64)
    """Notices given about the present failure: 1 after an hour, 2 after a day."""
    watch: str = Field(default="{}", sa_type=CleanText)
    """JSON (`hub.webhooks.watch.Watch`) of the last hour, where the format is held to limits."""
    chore: str | None = Field(default=None, sa_type=CleanText)
    """JSON (`hub.webhooks.chores.Chore`) of what is still to be done with the deliveries that wait; gone when it is done."""
    trying_id: int | None = Field(default=None, sa_type=Int64)
    """The delivery being tried, written before the try only while the lane is watched for one that kills its process."""
    trying_times: int = Field(default=0, sa_type=Int64)


class WebhookNode(SQLModel, table=True):
    """A hub process that sends webhooks, so that each knows its share of the lanes (PostgreSQL)."""

    __tablename__ = "wh_node"

    node: str = Field(primary_key=True, sa_type=CleanText)
    seen_at: int = Field(sa_type=UtcMillis)


class WebhookReplay(SQLModel, table=True):
    """A resumable replay of many events to one endpoint."""

    __tablename__ = "wh_replay"
    __table_args__ = (
        Index("wh_replay_account", "account_id", "id"),
        Index(
            "wh_replay_running",
            "id",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    endpoint_id: str = Field(sa_type=CleanText)
    filter: str = Field(sa_type=CleanText)
    """JSON (`hub.webhooks.replay.ReplayFilter`): {types, since, until, states, message_id}."""
    state: str = Field(default="running", sa_type=CleanText)
    """`running`, `done` or `cancelled`."""
    cursor: int = Field(default=0, sa_type=Int64)
    """The last event number looked at: it moves in the transaction that makes the deliveries, so each event is replayed once."""
    up_to: int = Field(sa_type=Int64)
    total: int = Field(default=0, sa_type=Int64)
    """Events that matched when it was asked for."""
    created: int = Field(default=0, sa_type=Int64)
    created_at: int = Field(sa_type=UtcMillis)
    done_at: int | None = Field(default=None, sa_type=UtcMillis)
