"""Phones, their enrolment, their event streams, and the lines (SIMs) they carry."""

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from hub.storage.types import CleanText, Int64, UtcMillis


class Enrolment(SQLModel, table=True):
    """A one-time token shown as a QR code; only its SHA-256 is kept."""

    __tablename__ = "enrolment"
    __table_args__ = (
        Index("enrolment_account", "account_id", "id"),
        Index("enrolment_expires", "expires_at"),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    token_sha256: str = Field(sa_type=CleanText, unique=True)
    name: str | None = Field(default=None, sa_type=CleanText)
    """What the phone will be called; without it, its maker and model."""
    created_at: int = Field(sa_type=UtcMillis)
    expires_at: int = Field(sa_type=UtcMillis)
    revoked_at: int | None = Field(default=None, sa_type=UtcMillis)
    used_at: int | None = Field(default=None, sa_type=UtcMillis)
    used_secret_sha256: str | None = Field(default=None, sa_type=CleanText)
    """The phone's secret it was used with: the same pair again is answered the same, another is `token_used`."""
    device_id: str | None = Field(default=None, sa_type=CleanText)
    """The phone that used it."""
    for_device_id: str | None = Field(default=None, sa_type=CleanText)
    """Set when the operator made it to let one particular phone in again: that phone keeps its row, lines and threads."""
    is_sandbox: bool = Field(default=False)
    """Made for an emulated phone that the hub starts itself."""
    transport: str = Field(default="native", sa_type=CleanText)
    """The phone transport it lets in by."""


class DeviceReturn(SQLModel, table=True):
    """A secret that stays in a phone's settings, and by which its app registers by itself, the first time and again.

    Apps of other makers know no one-time codes for that: the code an operator gave out becomes the phone's own when it is first used.
    """

    __tablename__ = "device_return"
    __table_args__ = (Index("device_return_device", "device_id"),)

    token_sha256: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    device_id: str | None = Field(default=None, sa_type=CleanText)
    """The phone whose it is; without one, any number of phones come in by it, each as a row of its own."""
    created_at: int = Field(sa_type=UtcMillis)


class Device(SQLModel, table=True):
    """An enrolled phone: what proves it, where its event stream stands, and how it was last seen."""

    __tablename__ = "device"
    __table_args__ = (
        Index("device_account", "account_id", "id"),
        Index("device_secret", "secret_sha256"),
        # The two questions of the presence loop. `last_seen_at` is in no index, so that writing it stays cheap on PostgreSQL.
        Index(
            "device_online",
            "id",
            sqlite_where=text("is_online"),
            postgresql_where=text("is_online"),
        ),
        Index(
            "device_unannounced",
            "offline_since",
            sqlite_where=text("is_announced and not is_online"),
            postgresql_where=text("is_announced and not is_online"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    name: str = Field(sa_type=CleanText)
    transport: str = Field(default="native", sa_type=CleanText)
    """The name of its phone transport: `native`, `smsgate` …"""
    secret_sha256: str | None = Field(default=None, sa_type=CleanText)
    former_secret_sha256: str | None = Field(default=None, sa_type=CleanText)
    """The secret before this one: who still holds it is the same phone, with its memory."""
    nonce: str | None = Field(default=None, sa_type=CleanText)
    """The token nonce given last; `nonce_before` is the one older value that is accepted too, because an answer may be lost."""
    nonce_before: str | None = Field(default=None, sa_type=CleanText)
    nonce_epoch: str | None = Field(default=None, sa_type=CleanText)
    """The hub epoch these nonces were given in: after a restore they are the hub's older ones, and the chain starts anew."""
    credential_no: int = Field(default=1, sa_type=Int64)
    """Stands in each access token; raised when tokens already given must stop working."""
    created_at: int = Field(sa_type=UtcMillis)
    enrolled_at: int = Field(sa_type=UtcMillis)
    revoked_at: int | None = Field(default=None, sa_type=UtcMillis)
    suspended_at: int | None = Field(default=None, sa_type=UtcMillis)
    suspended_reason: str | None = Field(default=None, sa_type=CleanText)
    paused_at: int | None = Field(default=None, sa_type=UtcMillis)

    session_no: int = Field(default=0, sa_type=Int64)
    """Raised by each accepted hello; every write for the phone checks it, so the newest socket wins."""
    connect_counter: int = Field(default=0, sa_type=Int64)
    hub_epoch_seen: str | None = Field(default=None, sa_type=CleanText)
    stream: str | None = Field(default=None, sa_type=CleanText)
    """The phone's event stream that counts now; its numbers are in `device_stream`."""
    recalled_epoch: str | None = Field(default=None, sa_type=CleanText)
    """The hub epoch for which the phone has answered `recall` completely (a restored hub waits for it)."""

    is_online: bool = Field(default=False)
    """What the last written presence change said; live truth is the session table of the process that holds the socket."""
    online_since: int | None = Field(default=None, sa_type=UtcMillis)
    offline_since: int | None = Field(default=None, sa_type=UtcMillis)
    offline_reason: str | None = Field(default=None, sa_type=CleanText)
    """Why its last connection ended: the protocol's close word, or `closed`."""
    is_announced: bool = Field(default=False)
    """Whether `device:online` was the last of the two that customers were told."""
    pinged_at: int | None = Field(default=None, sa_type=UtcMillis)
    """When the last `system:ping` was made for it."""
    last_seen_at: int | None = Field(default=None, sa_type=UtcMillis)
    quiet_seconds: int | None = Field(default=None, sa_type=Int64)
    """How long it may be silent and still count as there: a phone that only asks from time to time. None = it holds a connection."""
    manufacturer: str | None = Field(default=None, sa_type=CleanText)
    model: str | None = Field(default=None, sa_type=CleanText)
    os_version: str | None = Field(default=None, sa_type=CleanText)
    app_version: str | None = Field(default=None, sa_type=CleanText)
    permissions: str = Field(default="{}", sa_type=CleanText)
    sends_mms: bool = Field(default=False)
    """Its app said that it sends MMS."""
    """JSON object of permission word → granted."""
    status: str = Field(default="{}", sa_type=CleanText)
    """JSON of the last `status` frame: battery, charging, signal, queue."""
    status_at: int | None = Field(default=None, sa_type=UtcMillis)
    settings: str = Field(default="{}", sa_type=CleanText)
    """JSON: what the hub tells the phone in `config`; an adapter's own settings."""
    is_sandbox: bool = Field(default=False)
    """The emulator, started by the hub: what it sends reaches nobody, and what names no line never goes by it while there is a real one."""


class DeviceStream(SQLModel, table=True):
    """Where one numbered event stream of a phone stands."""

    __tablename__ = "device_stream"

    device_id: str = Field(primary_key=True, sa_type=CleanText)
    stream: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    contiguous: int = Field(default=0, sa_type=Int64)
    """Every number up to this one is stored or known to be gone."""
    contiguous_uuid: str | None = Field(default=None, sa_type=CleanText)
    given_out: int = Field(default=0, sa_type=Int64)
    """The highest number the phone is known to have used."""
    received: int = Field(default=0, sa_type=Int64)
    """The highest number that came on the current connection."""
    asked: int = Field(default=0, sa_type=Int64)
    """The end of the last `resend` of the current connection."""
    beyond: str = Field(default="[]", sa_type=CleanText)
    """JSON [[n, uuid, at], …]: numbers above `contiguous` that arrived already."""
    used_no: int = Field(default=0, sa_type=Int64)
    """The session that used it last: the order in which the phone's streams are remembered."""
    last_event_at: int | None = Field(default=None, sa_type=UtcMillis)
    complete_up_to: int | None = Field(default=None, sa_type=UtcMillis)
    """Phone time of the event at the highest contiguous number: everything up to here has arrived."""
    clock_ahead_ms: int | None = Field(default=None, sa_type=Int64)
    """By how much the phone's events lie in the future, while they do: its clock, or its idea of ours, is wrong."""
    created_at: int = Field(sa_type=UtcMillis)


class DeviceGap(SQLModel, table=True):
    """Event numbers a phone said it no longer has; shown, never forgotten."""

    __tablename__ = "device_gap"
    __table_args__ = (Index("device_gap_device", "device_id", "at"),)

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    device_id: str = Field(sa_type=CleanText)
    stream: str = Field(sa_type=CleanText)
    first_n: int = Field(sa_type=Int64)
    last_n: int = Field(sa_type=Int64)
    reason: str = Field(sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)


class DeviceEvent(SQLModel, table=True):
    """Each event a phone sent, once by its uuid, as it came: the evidence behind every state and thread."""

    __tablename__ = "device_event"
    __table_args__ = (
        Index("device_event_received", "received_at"),
        Index("device_event_n", "device_id", "stream", "n"),
        Index(
            "device_event_quarantined",
            "device_id",
            "received_at",
            sqlite_where=text("outcome = 'quarantined'"),
            postgresql_where=text("outcome = 'quarantined'"),
        ),
        Index(
            "device_event_deferred",
            "received_at",
            sqlite_where=text("outcome = 'deferred'"),
            postgresql_where=text("outcome = 'deferred'"),
        ),
        Index(
            "device_event_fingerprint",
            "device_id",
            "fingerprint",
            sqlite_where=text("fingerprint is not null"),
            postgresql_where=text("fingerprint is not null"),
        ),
    )

    device_id: str = Field(primary_key=True, sa_type=CleanText)
    uuid: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    stream: str = Field(sa_type=CleanText)
    n: int = Field(sa_type=Int64)
    type: str = Field(sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)
    """The phone's time, corrected by its offset to the hub."""
    received_at: int = Field(sa_type=UtcMillis)
    outcome: str = Field(sa_type=CleanText)
    """`applied`, `not_applied`, `stored` (nothing to apply: a type this version does not know), `quarantined` (its payload did not
    parse), or `deferred` (a failure told to a restored hub: judged when the hold ends)."""
    why: str | None = Field(default=None, sa_type=CleanText)
    message_id: str | None = Field(default=None, sa_type=CleanText)
    payload: str = Field(sa_type=CleanText)
    """The payload's JSON, with U+FFFD for NUL and lone surrogates."""
    raw: str | None = Field(default=None, sa_type=CleanText)
    """The whole frame as it came, where `payload` differs from it; a NUL is written as its escape."""
    fingerprint: str | None = Field(default=None, sa_type=CleanText)
    """Hash of what makes an event itself, for phones that may tell one of them under two uuids."""


class DeviceConnection(SQLModel, table=True):
    """One row per connection of a phone: the timeline of its presence."""

    __tablename__ = "device_connection"
    __table_args__ = (
        Index("device_connection_at", "connected_at"),
        # What a hub that starts again finds open under its own name.
        Index(
            "device_connection_open",
            "node",
            sqlite_where=text("closed_at is null"),
            postgresql_where=text("closed_at is null"),
        ),
    )

    device_id: str = Field(primary_key=True, sa_type=CleanText)
    session_no: int = Field(primary_key=True, sa_type=Int64)
    account_id: str = Field(sa_type=CleanText)
    connected_at: int = Field(sa_type=UtcMillis)
    closed_at: int | None = Field(default=None, sa_type=UtcMillis)
    close_reason: str | None = Field(default=None, sa_type=CleanText)
    node: str = Field(sa_type=CleanText)
    """The hub process that held the socket."""


class Line(SQLModel, table=True):
    """A sending identity (a SIM, or a carrier's number): keeps its id, threads and mark when the SIM moves."""

    __tablename__ = "line"
    __table_args__ = (
        Index("line_account", "account_id", "mark"),
        Index("line_device", "device_id"),
        Index("line_number", "account_id", "number"),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText, foreign_key="account.id")
    name: str = Field(sa_type=CleanText)
    alias: str | None = Field(default=None, sa_type=CleanText)
    """An alphanumeric sender name that picks this line as `from`."""
    pool: str | None = Field(default=None, sa_type=CleanText)
    number: str | None = Field(default=None, sa_type=CleanText)
    """E.164, when the phone or the operator told it."""
    mark: int = Field(default=0, sa_type=Int64)
    """0-based: which colour and shape the dashboard gives it, for life."""
    device_id: str | None = Field(default=None, sa_type=CleanText)
    subscription_id: int | None = Field(default=None, sa_type=Int64)
    slot: int | None = Field(default=None, sa_type=Int64)
    carrier: str | None = Field(default=None, sa_type=CleanText)
    fingerprint: str | None = Field(default=None, sa_type=CleanText)
    """`carrier/number tail` as the phone tells it: a job names it, and a SIM that does not match refuses the job."""
    is_present: bool = Field(default=True)
    """Whether the phone listed the SIM in its last hello or `sim:changed`."""
    is_enabled: bool = Field(default=True)
    paused_until: int | None = Field(default=None, sa_type=UtcMillis)
    paused_reason: str | None = Field(default=None, sa_type=CleanText)
    awaiting_confirmation: bool = Field(default=False)
    """A SIM without a number that showed up in another phone: the operator says whether it is this line."""
    per_minute: int = Field(default=20, sa_type=Int64)
    per_hour: int | None = Field(default=None, sa_type=Int64)
    per_day: int | None = Field(default=None, sa_type=Int64)
    per_month: int | None = Field(default=None, sa_type=Int64)
    created_at: int = Field(sa_type=UtcMillis)
    removed_at: int | None = Field(default=None, sa_type=UtcMillis)


class LineUsage(SQLModel, table=True):
    """Segments handed to a line's radio, added up over five seconds: what pacing and budgets are counted from."""

    __tablename__ = "line_usage"
    __table_args__ = (Index("line_usage_at", "at"),)

    line_id: str = Field(primary_key=True, sa_type=CleanText)
    at: int = Field(primary_key=True, sa_type=UtcMillis)
    """When the five seconds began (`hub.core.pacing.bucket_of`)."""
    account_id: str = Field(sa_type=CleanText)
    segments: int = Field(sa_type=Int64)


class DeviceNotice(SQLModel, table=True):
    """What an operator must know of a phone: a cloned credential, a diverged stream, a quarantined payload …"""

    __tablename__ = "device_notice"
    __table_args__ = (
        Index("device_notice_device", "device_id", "at"),
        Index("device_notice_account", "account_id", "id"),
    )

    id: str = Field(primary_key=True, sa_type=CleanText)
    account_id: str = Field(sa_type=CleanText)
    device_id: str = Field(sa_type=CleanText)
    kind: str = Field(sa_type=CleanText)
    text: str = Field(sa_type=CleanText)
    at: int = Field(sa_type=UtcMillis)
