"""One frozen record per frame of protocol v1, phone to hub first, hub to phone below.

A frame is one JSON object; `type` names it, unknown fields are ignored, known ones are strict. Times are `UtcTime`
text. The meaning of every frame, with an example, is in docs/device-protocol.md.
"""

from enum import Enum
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from device_protocol.limits import JOBS_HELD_MAX, MEDIA_MAX, RECALL_PAGE_MAX, TEXT_MAX
from device_protocol.wire_types import (
    Address,
    Count,
    EventNumber,
    OpaqueId,
    Percent,
    Positive,
    SegmentCount,
    Sha256Hex,
    ShortText,
    Signed,
    Slot,
    Submission,
    UtcTime,
    Word,
    read_utc,
)


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a frame; fields at their default are not written."""


class JobState(Enum):
    """What a phone says of a job it holds; states.py has the table of moves."""

    ACCEPTED = "accepted"
    """Stored, not yet permitted to touch the radio."""
    SUBMITTING = "submitting"
    """Permission used: the radio may have it."""
    SENT = "sent"
    """The radio took every segment."""
    PARTIAL = "partial"
    """The radio took some segments and refused others."""
    FAILED = "failed"
    """The radio refused every segment before the air."""
    UNCERTAIN = "uncertain"
    """May have reached the radio; the phone cannot tell."""
    EXPIRED = "expired"
    """Time to live over before the radio."""
    CANCELLED = "cancelled"
    """Cancelled before the radio; the record stays as a tombstone."""


class JobRef(Record, frozen=True):
    """Names one submission of one message."""

    id: OpaqueId
    submission: Submission


class HeldJob(Record, frozen=True):
    """A job as the phone holds it: an entry of `hello` and of `recalled`."""

    id: OpaqueId
    submission: Submission
    state: JobState


class Sim(Record, frozen=True):
    """A SIM as the phone sees it. `fingerprint` comes from `lines.sim_fingerprint`; `slot` is 0-based."""

    slot: Slot
    subscription_id: Signed
    fingerprint: ShortText
    carrier: ShortText | None = None
    number: ShortText | None = None
    country: ShortText | None = None
    is_roaming: bool = False


Sims: TypeAlias = Annotated[tuple[Sim, ...], Meta(max_length=16)]
Permissions: TypeAlias = Annotated[dict[ShortText, bool], Meta(max_length=64)]
Capabilities: TypeAlias = Annotated[tuple[Word, ...], Meta(max_length=64)]


class App(Record, frozen=True):
    """The phone and its app, in words an operator reads."""

    version: ShortText
    os_version: ShortText = ""
    manufacturer: ShortText = ""
    model: ShortText = ""


# --- phone to hub


class Frame(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """Root of all frames."""


class Hello(Frame, frozen=True, tag="hello"):
    """First frame of a connection. `connect` was raised durably before; `next` is the number of the next new event.

    `oldest_held` is the lowest event number on the phone's disk, `next` when it holds none. `hub_epoch` is the last
    one seen in a `welcome`, absent before the first. `jobs` are all whose final event is not acknowledged. `capabilities` are what the
    app can do beyond version 1, from `states.CAPABILITIES`; unknown words are ignored.
    """

    connect: Positive
    app: App
    stream: OpaqueId
    oldest_held: EventNumber
    next: EventNumber
    hub_epoch: OpaqueId | None = None
    is_diverged: bool = msgspec.field(name="diverged", default=False)
    jobs: Annotated[tuple[HeldJob, ...], Meta(max_length=JOBS_HELD_MAX)] = ()
    sims: Sims = ()
    permissions: Permissions = msgspec.field(default_factory=dict)
    capabilities: Capabilities = ()

    def __post_init__(self) -> None:
        if self.oldest_held > self.next:
            raise ValueError("oldest_held is above next")


class Accepted(Frame, frozen=True, tag="accepted"):
    """The job is on the phone's disk; the hub may bind it."""

    id: OpaqueId
    submission: Submission


class Refused(Frame, frozen=True, tag="refused"):
    """The phone does not take this job; `reason` from `states.REFUSALS`.

    `held` tells, with reason `at_radio`, which earlier submission of the same id this phone already carried and how
    that stands: the hub adopts it instead of offering the message elsewhere.
    """

    id: OpaqueId
    submission: Submission
    reason: Word
    detail: ShortText = ""
    held: HeldJob | None = None

    def __post_init__(self) -> None:
        if self.held is not None and self.held.id != self.id:
            raise ValueError("held names another job")


class TooLate(Frame, frozen=True, tag="too_late"):
    """Answer to a `cancel` that can no longer be done; `state` is absent when the phone does not hold the job."""

    id: OpaqueId
    submission: Submission
    state: JobState | None = None


class Event(Frame, frozen=True, tag="event"):
    """A numbered event. The envelope is `stream`, `n`, `uuid` and `event`; `at` and `payload` are read afterwards.

    `event_type` is one of `payloads.EVENT_TYPES`, or a word from a newer app. Read `payload` with
    `payloads.decode_payload`, `at` with `payloads.event_time`.
    """

    stream: OpaqueId
    n: EventNumber
    uuid: OpaqueId
    event_type: Word = msgspec.field(name="event")
    at: Raw = Raw(b"null")
    payload: Raw = Raw(b"null")


class Gone(Frame, frozen=True, tag="gone"):
    """The phone has no event with these numbers (both ends included) and never will; shown as a gap."""

    stream: OpaqueId
    first: EventNumber = msgspec.field(name="from")
    last: EventNumber = msgspec.field(name="to")
    reason: Word

    def __post_init__(self) -> None:
        _ordered(self.first, self.last)


class Recalled(Frame, frozen=True, tag="recalled"):
    """One page of the last 7 days of jobs; `cursor` asks for the next page and is absent on the last one."""

    jobs: Annotated[tuple[HeldJob, ...], Meta(max_length=RECALL_PAGE_MAX)] = ()
    cursor: Positive | None = None


class Ping(Frame, frozen=True, tag="ping"):
    """Sign of life; the answer `pong` also carries the hub's clock."""

    n: Count


class Status(Frame, frozen=True, tag="status"):
    """How the phone is. `signal` is percent per SIM in the order of `sims`; `queue` counts unacknowledged events."""

    battery_percent: Percent | None = None
    is_charging: bool | None = None
    signal_percent: Annotated[tuple[Percent | None, ...], Meta(max_length=16)] = ()
    queued_events: Count = 0
    queued_jobs: Count = 0
    sims: Sims = ()
    permissions: Permissions = msgspec.field(default_factory=dict)


class Bye(Frame, frozen=True, tag="bye"):
    """Last frame of either side before it closes; `code` and `reason` from errors.py.

    `connect` comes with `stale_hello`: the highest connect counter the hub has seen.
    """

    code: Annotated[int, Meta(ge=4000, le=4999)]
    reason: Word
    detail: ShortText = ""
    retry_after_seconds: Count | None = None
    connect: Positive | None = None


# --- hub to phone


class AckPoint(Record, frozen=True):
    """Highest contiguous number the hub stored, and the uuid it stored there (absent for 0 and for a gap)."""

    n: Count
    uuid: OpaqueId | None = None


class Welcome(Frame, frozen=True, tag="welcome"):
    """Answer to `hello`, after the commit that made this connection the device's only one.

    `acks` are authoritative, also when lower than the phone remembers. `keep`: bound to this phone, not a permission.
    `drop`: delete if not at the radio. With `new_stream` the phone renumbers and says hello again.
    """

    session_no: Positive
    hub_epoch: OpaqueId
    hub_time: UtcTime
    acks: Annotated[dict[OpaqueId, AckPoint], Meta(max_length=4)]
    keep: Annotated[tuple[JobRef, ...], Meta(max_length=JOBS_HELD_MAX)] = ()
    drop: Annotated[tuple[JobRef, ...], Meta(max_length=JOBS_HELD_MAX)] = ()
    new_stream: OpaqueId | None = None

    def __post_init__(self) -> None:
        read_utc(self.hub_time)


class Line(Record, frozen=True):
    """The SIM a job must use; when `fingerprint` is not that of the SIM found there, the phone refuses."""

    subscription_id: Signed
    slot: Slot
    fingerprint: ShortText


class DataContent(Record, frozen=True):
    """A binary message: base64 octets for an application port (3GPP TS 23.040 §9.2.3.24.4)."""

    base64: Annotated[str, Meta(max_length=48_000)]
    port: Annotated[int, Meta(ge=0, le=65535)]


class JobMedia(Record, frozen=True):
    """One thing to attach; its bytes are at `GET /device/v1/media/<sha256>` for as long as the phone has the job."""

    sha256: Sha256Hex
    content_type: ShortText
    size_bytes: Count
    name: ShortText | None = None


class Job(Frame, frozen=True, tag="job"):
    """An offer to send one message to one recipient; exactly one of `text` and `data`.

    Time to live counts from `issued` on the hub's clock. `priority` -128 to 127, higher first. With `media` it is an MMS, whose `text` may
    be empty; only a phone that said `send_mms` is offered one.
    """

    id: OpaqueId
    submission: Submission
    issued: UtcTime
    ttl_seconds: Annotated[int, Meta(ge=1, le=31_536_000)]
    line: Line
    to: Address
    text: Annotated[str, Meta(max_length=TEXT_MAX)] | None = None
    data: DataContent | None = None
    max_segments: SegmentCount = 20
    wants_delivery_report: bool = True
    priority: Annotated[int, Meta(ge=-128, le=127)] = 0
    media: Annotated[tuple[JobMedia, ...], Meta(max_length=MEDIA_MAX)] = ()

    def __post_init__(self) -> None:
        read_utc(self.issued)
        if (self.text is None) == (self.data is None):
            raise ValueError("exactly one of text and data")
        if self.media and self.data is not None:
            raise ValueError("media go with a text")


class Go(Frame, frozen=True, tag="go"):
    """Bound to this phone by a commit: in this connection the phone may hand it to the radio."""

    id: OpaqueId
    submission: Submission


class Drop(Frame, frozen=True, tag="drop"):
    """Not this phone's: delete it if it is not at the radio."""

    id: OpaqueId
    submission: Submission


class Cancel(Frame, frozen=True, tag="cancel"):
    """Cancel if not at the radio; the phone answers `too_late` or the event `sms:cancelled`."""

    id: OpaqueId
    submission: Submission


class Ack(Frame, frozen=True, tag="ack"):
    """Every number up to `n` is stored or a known gap; `uuid` is what is stored at `n`."""

    stream: OpaqueId
    n: Count
    uuid: OpaqueId | None = None


class Resend(Frame, frozen=True, tag="resend"):
    """The hub misses these numbers (both ends included); answered by events or `gone`."""

    stream: OpaqueId
    first: EventNumber = msgspec.field(name="from")
    last: EventNumber = msgspec.field(name="to")

    def __post_init__(self) -> None:
        _ordered(self.first, self.last)


class Recall(Frame, frozen=True, tag="recall"):
    """A restored hub asks for the jobs of the last days; `cursor` continues from a page."""

    since: UtcTime
    cursor: Positive | None = None

    def __post_init__(self) -> None:
        read_utc(self.since)


class Pong(Frame, frozen=True, tag="pong"):
    """Answer to `ping`, with the hub's clock."""

    n: Count
    hub_time: UtcTime

    def __post_init__(self) -> None:
        read_utc(self.hub_time)


class Config(Frame, frozen=True, tag="config"):
    """Settings of this phone; an absent field leaves the setting as it is."""

    segments_per_minute: Annotated[int, Meta(ge=1, le=6000)] | UnsetType = UNSET
    is_paused: bool | UnsetType = UNSET
    reports_missed_calls: bool | UnsetType = UNSET
    status_seconds: Annotated[int, Meta(ge=60, le=86_400)] | UnsetType = UNSET


def _ordered(first: int, last: int) -> None:
    if first > last:
        raise ValueError("from is above to")


PhoneFrame: TypeAlias = Hello | Accepted | Refused | TooLate | Event | Gone | Recalled | Ping | Status | Bye
"""What a phone sends."""

HubFrame: TypeAlias = Welcome | Job | Go | Drop | Cancel | Ack | Resend | Recall | Pong | Config | Bye
"""What a hub sends."""

AnyFrame: TypeAlias = PhoneFrame | HubFrame
