"""Texts in both directions, their threads and batches, and everything that happened to them."""

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from hub.storage.types import CleanText, Int64, RowNumber, UtcMillis

PENDING = "state in ('queued', 'retried')"
# A list of more than two words would be a table that SQLite makes anew for every row it writes, whichever index it looks at: 2 µs each.
EXPIRING = "(state = 'scheduled' or state = 'queued' or state = 'retried' or state = 'dispatched')"
UNBOUND = "(state = 'scheduled' or state = 'queued' or state = 'retried')"
ON_DEVICE = "(state = 'queued' or state = 'retried' or state = 'dispatched' or state = 'uncertain')"
"""Predicates of partial indexes. A statement says them in these words, else SQLite does not see that the index holds what it asks for."""


class Batch(SQLModel, table=True):
    """One request to many recipients."""

    __tablename__ = "batch"
    __table_args__ = (
        Index("batch_account", "account_id", "id"),
        Index(
            "batch_upload",
            "account_id",
            "upload_key",
            unique=True,
            sqlite_where=text("upload_key is not null"),
            postgresql_where=text("upload_key is not null"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    name: str | None = Field(default=None, sa_type=CleanText)
    total: int = Field(sa_type=Int64)
    refused: int = Field(default=0, sa_type=Int64)
    """Recipients that were answered with a reason and stored nowhere."""
    created_at: int = Field(sa_type=UtcMillis)
    cancelled_at: int | None = Field(default=None, sa_type=UtcMillis)
    paused_at: int | None = Field(default=None, sa_type=UtcMillis)
    options: str | None = Field(default=None, sa_type=CleanText)
    """A batch that is filled row by row: JSON of how its texts are sent (`hub.messages.bulk.Options`)."""
    rows_expected: int | None = Field(default=None, sa_type=Int64)
    """How many rows its maker will bring."""
    upload_key: str | None = Field(default=None, sa_type=CleanText)
    """`Idempotency-Key` it was made with: the same key finds this batch again."""
    upload_sha256: str | None = Field(default=None, sa_type=CleanText)


class BatchRow(SQLModel, table=True):
    """One row of a batch that is filled row by row: the text it became, or why it was left out.

    Its number is the maker's. A row that comes twice is known by it, so that an upload may be repeated from any place.
    """

    __tablename__ = "batch_row"
    __table_args__ = (
        Index("batch_row_peer", "batch_id", "peer"),
        Index(
            "batch_row_refused",
            "batch_id",
            "number",
            sqlite_where=text("code is not null"),
            postgresql_where=text("code is not null"),
        ),
    )

    batch_id: str = Field(primary_key=True, sa_type=CleanText)
    number: int = Field(primary_key=True, sa_type=Int64)
    account_id: str = Field(sa_type=CleanText)
    given: str = Field(sa_type=CleanText)
    """The recipient as it was written."""
    peer: str | None = Field(default=None, sa_type=CleanText)
    message_id: str | None = Field(default=None, sa_type=CleanText)
    code: str | None = Field(default=None, sa_type=CleanText)
    """Word for why it was left out."""
    sentence: str | None = Field(default=None, sa_type=CleanText)
    same_as: int | None = Field(default=None, sa_type=Int64)
    """A duplicate: the row with the same recipient that came first."""


class Conversation(SQLModel, table=True):
    """A thread: one line and one peer.

    Its id is a hash of account, line and peer (`hub.messages.threads`), so that it is unique by its key alone and two
    writers that open the same thread at once meet in one row, without a look-up before each message.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        Index("conversation_recent", "account_id", "last_at", "id"),
        Index("conversation_peer", "account_id", "peer"),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    line_id: str = Field(sa_type=CleanText)
    peer: str = Field(sa_type=CleanText)
    created_at: int = Field(sa_type=UtcMillis)
    last_at: int = Field(sa_type=UtcMillis)
    last_message_id: str | None = Field(default=None, sa_type=CleanText)
    last_direction: str | None = Field(default=None, sa_type=CleanText)
    unread: int = Field(default=0, sa_type=Int64)
    read_up_to: str | None = Field(default=None, sa_type=CleanText)
    archived_at: int | None = Field(default=None, sa_type=UtcMillis)
    muted_at: int | None = Field(default=None, sa_type=UtcMillis)


class Message(SQLModel, table=True):
    """One text to or from one peer, in one state (`hub.core.status`)."""

    __tablename__ = "message"
    __table_args__ = (
        Index("message_account", "account_id", "id"),
        # By peer: over the peer's conversations and this one. An index of its own would cost every accepted message.
        Index("message_thread", "conversation_id", "id"),
        Index(
            "message_batch",
            "batch_id",
            "id",
            sqlite_where=text("batch_id is not null"),
            postgresql_where=text("batch_id is not null"),
        ),
        # What dispatch claims: only waiting messages are in these indexes, so ten million finished ones cost nothing.
        Index(
            "message_waiting",
            "line_id",
            text("priority desc"),
            "due_at",
            "id",
            sqlite_where=text(PENDING),
            postgresql_where=text(PENDING),
        ),
        Index(
            "message_offered",
            "offered_at",
            sqlite_where=text("offered_at is not null"),
            postgresql_where=text("offered_at is not null"),
        ),
        Index(
            "message_scheduled",
            "scheduled_at",
            sqlite_where=text("state = 'scheduled'"),
            postgresql_where=text("state = 'scheduled'"),
        ),
        Index(
            "message_expiring",
            "expires_at",
            sqlite_where=text(EXPIRING),
            postgresql_where=text(EXPIRING),
        ),
        # Cancels of unbound texts wait only while a restored hub is held; the look for them would read the whole queue.
        Index(
            "message_cancel_waits",
            "cancel_requested_at",
            sqlite_where=text(f"cancel_requested_at is not null and {UNBOUND}"),
            postgresql_where=text(f"cancel_requested_at is not null and {UNBOUND}"),
        ),
        Index(
            "message_on_device",
            "device_id",
            sqlite_where=text(f"device_id is not null and {ON_DEVICE}"),
            postgresql_where=text(f"device_id is not null and {ON_DEVICE}"),
        ),
        Index(
            "message_uncertain",
            "uncertain_at",
            sqlite_where=text("state = 'uncertain'"),
            postgresql_where=text("state = 'uncertain'"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    direction: str = Field(sa_type=CleanText)
    """`mt` (hub → handset) or `mo` (handset → hub)."""
    kind: str = Field(default="sms", sa_type=CleanText)
    """`sms`, `data` (a data SMS), `mms`, `call` (a missed call in the thread)."""
    state: str = Field(sa_type=CleanText)
    peer: str = Field(sa_type=CleanText)
    text: str = Field(sa_type=CleanText)
    encoding: str = Field(sa_type=CleanText)
    segments: int = Field(sa_type=Int64)
    priority: int = Field(default=1, sa_type=Int64)
    """0 bulk, 1 normal, 2 high."""
    created_at: int = Field(sa_type=UtcMillis)
    due_at: int = Field(sa_type=UtcMillis)
    """When dispatch may take it: now, the scheduled time, or the end of a backoff."""
    scheduled_at: int | None = Field(default=None, sa_type=UtcMillis)
    expires_at: int | None = Field(default=None, sa_type=UtcMillis)
    ttl_seconds: int | None = Field(default=None, sa_type=Int64)
    door: str = Field(sa_type=CleanText)
    """Which API took it (`v1`, `twilio` …), or the transport an inbound text came by."""
    trace_id: str | None = Field(default=None, sa_type=CleanText)
    batch_id: str | None = Field(default=None, sa_type=CleanText)
    conversation_id: str | None = Field(default=None, sa_type=CleanText)
    retry_of: str | None = Field(default=None, sa_type=CleanText)
    metadata_json: str | None = Field(default=None, sa_type=CleanText)
    callback: str | None = Field(default=None, sa_type=CleanText)
    """JSON of the message's own webhook target: {format, url, events}."""
    want_dlr: bool = Field(default=True)

    sender: str | None = Field(default=None, sa_type=CleanText)
    """JSON of what the request asked for: {line_id} or {device_id, slot} or {from}; none = any line."""
    is_pinned: bool = Field(default=False)
    """The request named the line or phone: it waits for that one and never fails over."""
    line_id: str | None = Field(default=None, sa_type=CleanText)
    line_why: str | None = Field(default=None, sa_type=CleanText)
    """Code of why this line was chosen (`asked`, `sticky`, `least_loaded`, `only_line`, `failover` …)."""

    device_id: str | None = Field(default=None, sa_type=CleanText)
    """The phone it is offered to (state still queued/retried) or bound to (dispatched and later); inbound: where it arrived."""
    submission: int = Field(default=0, sa_type=Int64)
    """Counts the offers; a report names it."""
    offered_at: int | None = Field(default=None, sa_type=UtcMillis)
    """Set while an offer is open and not accepted."""
    bound_at: int | None = Field(default=None, sa_type=UtcMillis)
    tries: int = Field(default=0, sa_type=Int64)
    """Submissions that ended in a passing fault."""
    max_tries: int = Field(default=3, sa_type=Int64)
    """As set when it was accepted."""
    segment_reports: str | None = Field(default=None, sa_type=CleanText)
    """JSON: what is known of each segment of the current submission."""
    cancel_requested_at: int | None = Field(default=None, sa_type=UtcMillis)
    reason: str | None = Field(default=None, sa_type=CleanText)
    """Reason word of the last failure (`hub.core.results`)."""
    error_code: str | None = Field(default=None, sa_type=CleanText)
    sent_at: int | None = Field(default=None, sa_type=UtcMillis)
    delivered_at: int | None = Field(default=None, sa_type=UtcMillis)
    uncertain_at: int | None = Field(default=None, sa_type=UtcMillis)
    final_at: int | None = Field(default=None, sa_type=UtcMillis)
    received_at: int | None = Field(default=None, sa_type=UtcMillis)
    """Inbound: when the hub stored it. `sent_at` is then the network's own time stamp, when told."""
    device_event_uuid: str | None = Field(default=None, sa_type=CleanText)
    data_port: int | None = Field(default=None, sa_type=Int64)
    """Of a data SMS (`kind` is `data`, `text` is base64): the port of the application it is for."""


class CarrierText(SQLModel, table=True):
    """A text that a carrier posted to the hub, by what makes it itself: the same one posted again is known."""

    __tablename__ = "carrier_text"
    __table_args__ = (Index("carrier_text_received", "received_at"),)

    account_id: str = Field(primary_key=True, sa_type=CleanText)
    door: str = Field(primary_key=True, sa_type=CleanText)
    key: str = Field(primary_key=True, sa_type=CleanText)
    """The carrier's own id of the text, or a hash of all it said."""
    message_id: str = Field(sa_type=CleanText)
    received_at: int = Field(sa_type=UtcMillis)


class TimelineEntry(SQLModel, table=True):
    """One hop of a message: who did what, when, and whether it changed the state."""

    __tablename__ = "timeline"
    __table_args__ = (Index("timeline_message", "message_id", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    account_id: str = Field(sa_type=CleanText)
    message_id: str = Field(sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)
    actor: str = Field(sa_type=CleanText)
    """`api`, `hub`, `phone`, `operator`, `network`."""
    kind: str = Field(sa_type=CleanText)
    from_state: str | None = Field(default=None, sa_type=CleanText)
    to_state: str | None = Field(default=None, sa_type=CleanText)
    is_applied: bool = Field(default=True)
    data: str = Field(default="{}", sa_type=CleanText)
    """JSON: the facts the sentence is made of."""
    raw: str | None = Field(default=None, sa_type=CleanText)
    """The raw report, as it came."""
