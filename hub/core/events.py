"""What customers are told: the closed list of events, which applied move makes which, and the shape of their `data`.

Events come from applied transitions only, never from a phone's raw report. `data` is in the customer's words: ids with their prefix,
times in RFC 3339, so that the standard webhook format, the stream and the inbox pass it on as it is; other formats translate from it.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import msgspec

from hub.core.status import Status, Transition

Rfc3339: TypeAlias = str
"""`2026-01-31T09:00:00.123Z` (`hub.core.clock.rfc3339`)."""


class EventType(StrEnum):
    """Every event a customer can subscribe to."""

    SMS_RECEIVED = "sms:received"
    SMS_QUEUED = "sms:queued"
    SMS_SENT = "sms:sent"
    SMS_DELIVERED = "sms:delivered"
    SMS_UNDELIVERED = "sms:undelivered"
    SMS_FAILED = "sms:failed"
    SMS_EXPIRED = "sms:expired"
    SMS_CANCELLED = "sms:cancelled"
    SMS_UNCERTAIN = "sms:uncertain"
    SMS_DEAD_LETTER = "sms:dead_letter"
    MMS_RECEIVED = "mms:received"
    CALL_MISSED = "call:missed"
    SIM_CHANGED = "sim:changed"
    DEVICE_ONLINE = "device:online"
    DEVICE_OFFLINE = "device:offline"
    ENDPOINT_FAILING = "endpoint:failing"
    ENDPOINT_DISABLED = "endpoint:disabled"
    ENDPOINT_RECOVERED = "endpoint:recovered"
    SYSTEM_PING = "system:ping"


EVENT_TYPES: Mapping[str, EventType] = MappingProxyType({type_.value: type_ for type_ in EventType})
"""`EventType(word)` for the words that rows hold, as `hub.core.status.STATUSES` is for theirs."""

EVENT_OF: Mapping[Status, EventType] = MappingProxyType(
    {
        Status.RECEIVED: EventType.SMS_RECEIVED,
        Status.QUEUED: EventType.SMS_QUEUED,
        Status.SENT: EventType.SMS_SENT,
        Status.DELIVERED: EventType.SMS_DELIVERED,
        Status.UNDELIVERED: EventType.SMS_UNDELIVERED,
        Status.FAILED: EventType.SMS_FAILED,
        Status.EXPIRED: EventType.SMS_EXPIRED,
        Status.CANCELLED: EventType.SMS_CANCELLED,
        Status.UNCERTAIN: EventType.SMS_UNCERTAIN,
        Status.DEAD_LETTER: EventType.SMS_DEAD_LETTER,
    }
)
"""What entering a status announces; `scheduled`, `dispatched` and `retried` announce nothing."""

_PASSED_THROUGH = frozenset({Status.QUEUED})
"""Not announced when a message only passes through it to somewhere else in the same step."""


def events_of(transitions: Iterable[Transition]) -> tuple[EventType, ...]:
    """The events of one decision's transitions, in order."""
    afters = [transition.after for transition in transitions]
    return tuple(
        EVENT_OF[after]
        for position, after in enumerate(afters)
        if after in EVENT_OF and not (after in _PASSED_THROUGH and position + 1 < len(afters))
    )


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What every event's data can be encoded as."""


class MediaData(msgspec.Struct, frozen=True, kw_only=True):
    """One thing attached to an MMS."""

    id: str
    content_type: str
    name: str | None = None
    size_bytes: int | None = None
    url: str | None = None
    """Where it can be fetched without credentials, for a while."""
    why: str | None = None
    """Why it cannot be fetched: `type`, `size`, `missing`, `deleted`."""


class MessageData(Data, frozen=True, kw_only=True):
    """`sms:queued` … `sms:dead_letter`: an outbound message after the move."""

    id: str
    status: str
    to: str
    from_: str | None = msgspec.field(name="from", default=None)
    """The line's number, once one was chosen."""
    text: str
    encoding: str
    segments: int
    segments_sent: int | None = None
    line_id: str | None = None
    device_id: str | None = None
    slot: int | None = None
    conversation_id: str | None = None
    batch_id: str | None = None
    retry_of: str | None = None
    reason: str | None = None
    """Reason word, for the statuses that have one."""
    error_code: str | None = None
    """The phone's or carrier's own code."""
    explanation: str | None = None
    """The same in one sentence."""
    metadata: dict[str, str] = {}
    created_at: Rfc3339
    scheduled_at: Rfc3339 | None = None
    sent_at: Rfc3339 | None = None
    delivered_at: Rfc3339 | None = None
    changed_at: Rfc3339
    """When it came into this status."""
    refunded: bool = False
    """This move gave back what the text had cost; false as well where nothing is charged."""
    media: tuple[MediaData, ...] = ()
    """What is attached to an MMS."""


class ReceivedData(Data, frozen=True, kw_only=True):
    """`sms:received`."""

    id: str
    from_: str = msgspec.field(name="from")
    to: str | None = None
    """The line's number, when it is known."""
    text: str
    segments: int = 1
    line_id: str | None = None
    device_id: str | None = None
    slot: int | None = None
    conversation_id: str | None = None
    received_at: Rfc3339
    """When the phone got it."""
    network_at: Rfc3339 | None = None
    """The message centre's time stamp."""


class MmsData(Data, frozen=True, kw_only=True):
    """`mms:received`: what the phone may read of it, and what it handed over."""

    id: str
    from_: str = msgspec.field(name="from")
    to: str | None = None
    subject: str | None = None
    text: str = ""
    size_bytes: int | None = None
    media: tuple[MediaData, ...] = ()
    line_id: str | None = None
    device_id: str | None = None
    slot: int | None = None
    conversation_id: str | None = None
    received_at: Rfc3339


class MissedCallData(Data, frozen=True, kw_only=True):
    """`call:missed`."""

    id: str
    from_: str = msgspec.field(name="from")
    to: str | None = None
    line_id: str | None = None
    device_id: str | None = None
    slot: int | None = None
    conversation_id: str | None = None
    called_at: Rfc3339


class SimData(Data, frozen=True, kw_only=True):
    """One SIM in `sim:changed`."""

    slot: int
    line_id: str | None = None
    number: str | None = None
    carrier: str | None = None


class SimChangedData(Data, frozen=True, kw_only=True):
    """`sim:changed`: what is in the phone now."""

    device_id: str
    sims: tuple[SimData, ...] = ()
    changed_at: Rfc3339


class DeviceData(Data, frozen=True, kw_only=True):
    """`device:online`, `device:offline`, and `system:ping` (every 15 minutes while a phone is online)."""

    device_id: str
    name: str
    last_seen_at: Rfc3339 | None = None
    reason: str | None = None
    battery_percent: int | None = None
    is_charging: bool | None = None
    app_version: str | None = None


class EndpointData(Data, frozen=True, kw_only=True):
    """`endpoint:failing`, `endpoint:disabled`, `endpoint:recovered`: told to the account's *other* endpoints."""

    endpoint_id: str
    url: str
    """Without its query, which may hold a secret."""
    state: Literal["active", "paused", "disabled"]
    reason: str | None = None
    failing_since: Rfc3339 | None = None
    waiting: int | None = None
    """Deliveries held or waiting for it."""


DATA_OF: Mapping[EventType, type[Data]] = MappingProxyType(
    {
        **{event: MessageData for status, event in EVENT_OF.items() if status is not Status.RECEIVED},
        EventType.SMS_RECEIVED: ReceivedData,
        EventType.MMS_RECEIVED: MmsData,
        EventType.CALL_MISSED: MissedCallData,
        EventType.SIM_CHANGED: SimChangedData,
        EventType.DEVICE_ONLINE: DeviceData,
        EventType.DEVICE_OFFLINE: DeviceData,
        EventType.SYSTEM_PING: DeviceData,
        EventType.ENDPOINT_FAILING: EndpointData,
        EventType.ENDPOINT_DISABLED: EndpointData,
        EventType.ENDPOINT_RECOVERED: EndpointData,
    }
)

_DECODERS: Mapping[type[Data], msgspec.json.Decoder[Any]] = {
    shape: msgspec.json.Decoder(shape) for shape in set(DATA_OF.values())
}
_ENCODER = msgspec.json.Encoder()


def encode(data: Data) -> str:
    """`data` as it is stored and sent."""
    return _ENCODER.encode(data).decode()


def decode(event: EventType, data: str | bytes) -> Data:
    """Stored `data` of an event, for formats that translate it. msgspec.ValidationError when it is no such data."""
    decoded: Data = _DECODERS[DATA_OF[event]].decode(data)
    return decoded
