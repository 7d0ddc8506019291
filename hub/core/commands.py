"""What the north asks: every door translates its own words into these records."""

from typing import TypeAlias

import msgspec

from hub.core.address import Address
from hub.core.clock import UtcMs

BULK, NORMAL, HIGH = 0, 1, 2
PRIORITIES: dict[str, int] = {"bulk": BULK, "normal": NORMAL, "high": HIGH}
"""Bulk < normal < high. Replies typed by a person and one-time codes are high: they overtake a campaign that fills the queue."""
PRIORITY_WORDS: dict[int, str] = {number: word for word, number in PRIORITIES.items()}


class ByLine(msgspec.Struct, frozen=True, tag="line"):
    """Send from this line and no other."""

    line_id: str


class ByDevice(msgspec.Struct, frozen=True, tag="device"):
    """Send from this phone; `slot` (0-based) names one of its SIMs, None lets the hub choose among them."""

    device_id: str
    slot: int | None = None


class ByName(msgspec.Struct, frozen=True, tag="from"):
    """Send from the line with this number, alias, or from the pool of this name."""

    name: str


class AnyLine(msgspec.Struct, frozen=True, tag="any"):
    """The hub chooses."""


Sender: TypeAlias = ByLine | ByDevice | ByName | AnyLine


class CallbackTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message's own webhook target."""

    format: str
    url: str
    events: tuple[str, ...] = ()
    """Customer events it wants; empty = those that its format sends by itself."""
    gateway_id: str | None = None
    """The gateway whose token signs."""
    settings: dict[str, str] = {}
    """The format's own, as an endpoint has them."""


class SentMedium(msgspec.Struct, frozen=True):
    """One thing to attach, whose bytes the hub has."""

    sha256: str
    """In hex."""
    type: str
    size_bytes: int
    name: str | None = None


class Recipient(msgspec.Struct, frozen=True):
    """One recipient of a request, with the id its message will have."""

    message_id: str
    address: Address


class SendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Send a text to one or many. Checked completely before it is queued for writing."""

    account_id: str
    door: str
    """Which API took it: `v1`, `twilio` …; idempotency keys count within (account, door)."""
    recipients: tuple[Recipient, ...]
    text: str
    data_port: int | None = None
    """Set for a data SMS to this port of an application (3GPP TS 23.040 §9.2.3.24.4): `text` is then base64 of its octets."""
    media: tuple[SentMedium, ...] = ()
    """With any it is an MMS: one message whatever its length, and `text` may be empty."""
    batch_id: str | None = None
    """Set when the request was for many, also if one was left."""
    batch_name: str | None = None
    is_batch_made: bool = False
    """`batch_id` is a batch that is there already, and that this text joins."""
    refused: int = 0
    """Recipients already answered with a reason; they are stored nowhere."""
    sender: Sender = AnyLine()
    strict_sender: bool = False
    """An unknown `from` is an error instead of falling back to the default pool. Doors put in the account's setting."""
    priority: int = NORMAL
    ttl_seconds: int | None = None
    """How long it may wait and be on a phone unsent, counted from `scheduled_at` or acceptance; None = the account's default."""
    scheduled_at: UtcMs | None = None
    metadata: dict[str, str] = {}
    idempotency_key: str | None = None
    request_sha256: str | None = None
    """Hash of the request as it came: the same key with another hash is a conflict."""
    callback: CallbackTarget | None = None
    retry_of: str | None = None
    """The final message that this one sends again."""
    want_dlr: bool = True
    trace_id: str | None = None
    all_or_nothing: bool = False
    """One bad recipient refuses all, instead of an answer for each."""


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Stop a message. Free before it is bound to a phone; after that the phone decides."""

    account_id: str
    message_id: str
    by: str = "api"
    """`api` or `operator`, for the timeline."""


class ReplayDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An operator puts a dead letter back into the queue, with its tries counted anew."""

    account_id: str
    message_id: str
