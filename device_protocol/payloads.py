"""Typed payloads of device events, read after the envelope: what does not parse is quarantined, never lost.

Per-segment reports name the message, the submission and the segment; the hub joins them to one status. Result codes
are Android's (`SmsManager.RESULT_*`, -1 = OK), `tp_status` is 3GPP TS 23.040 §9.2.3.15.
"""

from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw

from device_protocol.codec import sanitise_json, sanitise_text
from device_protocol.frames import DataContent, Record, Sims
from device_protocol.limits import MEDIA_MAX, RECEIVED_TEXT_BYTES, RECEIVED_TEXT_MAX
from device_protocol.wire_types import (
    Address,
    Count,
    Octet,
    OpaqueId,
    SegmentCount,
    SegmentIndex,
    Sha256Hex,
    ShortText,
    Signed,
    Slot,
    Submission,
    UtcTime,
    Word,
    read_utc,
)

RESULT_OK: Final = -1


class SmsReceived(Record, frozen=True):
    """An SMS came in. `received_at` is the phone's clock put right by the hub's; `service_centre_at` the SMSC's own.

    Exactly one of `text` and `data`. `is_cut` says that the text did not fit the frame and its end is on the phone.
    """

    sender: ShortText = msgspec.field(name="from")
    received_at: UtcTime
    subscription_id: Signed
    slot: Slot | None = None
    text: Annotated[str, Meta(max_length=RECEIVED_TEXT_MAX)] | None = None
    data: DataContent | None = None
    service_centre: ShortText | None = None
    service_centre_at: UtcTime | None = None
    segments: SegmentCount = 1
    is_cut: bool = False

    def __post_init__(self) -> None:
        _check_times(self.received_at, self.service_centre_at)
        if (self.text is None) == (self.data is None):
            raise ValueError("exactly one of text and data")


class SmsSent(Record, frozen=True):
    """The radio took one segment. `reference` is its TP-Message-Reference when the phone knows it."""

    id: OpaqueId
    submission: Submission
    segment: SegmentIndex
    segments: SegmentCount
    result_code: Signed = RESULT_OK
    reference: Octet | None = None

    def __post_init__(self) -> None:
        _check_segment(self.segment, self.segments)


class SmsDelivered(Record, frozen=True):
    """A delivery report for one segment; `tp_status` says which: below 0x20 delivered, from 0x40 on not delivered.

    Reports in between (still trying) are not sent.
    """

    id: OpaqueId
    submission: Submission
    segment: SegmentIndex
    segments: SegmentCount
    tp_status: Octet
    delivered_at: UtcTime | None = None

    def __post_init__(self) -> None:
        _check_segment(self.segment, self.segments)
        _check_times(self.delivered_at)


class SmsFailed(Record, frozen=True):
    """The radio refused a segment, or the phone the whole job, before anything of it went out.

    With `segment` and `segments`: Android's `result_code`, and the network's or modem's error code when there is one.
    Without: nothing was handed to the radio at all, `reason` is one of states.REFUSALS, or a newer word.
    """

    id: OpaqueId
    submission: Submission
    segment: SegmentIndex | None = None
    segments: SegmentCount | None = None
    result_code: Signed | None = None
    network_error_code: Signed | None = None
    reason: Word | None = None

    def __post_init__(self) -> None:
        if self.segment is None:
            if self.reason is None:
                raise ValueError("a failure without segment needs a reason")
        elif self.segments is None or self.result_code is None:
            raise ValueError("a failed segment needs segments and result_code")
        else:
            _check_segment(self.segment, self.segments)


class SmsUncertain(Record, frozen=True):
    """The whole job may have reached the radio and the phone cannot tell. Final for the phone.

    `reason` is one of states.UNCERTAIN_REASONS, or a newer word.
    """

    id: OpaqueId
    submission: Submission
    reason: Word


class SmsCancelled(Record, frozen=True):
    """The job was cancelled before the radio; never sent by this phone."""

    id: OpaqueId
    submission: Submission


class SmsExpired(Record, frozen=True):
    """Time to live was over before the radio; never sent by this phone."""

    id: OpaqueId
    submission: Submission


class MediaRef(Record, frozen=True):
    """One thing in an MMS. With `sha256` its bytes were put to the hub before; without, the phone could not hand them over."""

    content_type: ShortText
    sha256: Sha256Hex | None = None
    name: ShortText | None = None
    size_bytes: Count | None = None
    why: Word | None = None
    """Why there are no bytes: `type` or `size` (the hub did not take them), `missing` (the phone has not got them)."""


class MmsReceived(Record, frozen=True):
    """An MMS: the whole of it where the phone could read it, else the notice that one waits at the operator's server.

    Notices are OMA MMS 1.3 M-Notification.ind, whole ones M-Retrieve.conf. `text` and `media` came after version 1 was published: a hub
    that does not know them shows the notice.
    """

    received_at: UtcTime
    subscription_id: Signed
    sender: ShortText | None = msgspec.field(name="from", default=None)
    slot: Slot | None = None
    subject: ShortText | None = None
    size_bytes: Count | None = None
    transaction_id: ShortText | None = None
    text: Annotated[str, Meta(max_length=RECEIVED_TEXT_MAX)] | None = None
    media: Annotated[tuple[MediaRef, ...], Meta(max_length=MEDIA_MAX)] = ()

    def __post_init__(self) -> None:
        _check_times(self.received_at)


class CallMissed(Record, frozen=True):
    """A call nobody took; `from` is absent when the caller hides the number."""

    called_at: UtcTime
    sender: Address | None = msgspec.field(name="from", default=None)
    subscription_id: Signed | None = None
    slot: Slot | None = None

    def __post_init__(self) -> None:
        _check_times(self.called_at)


class SimChanged(Record, frozen=True):
    """All SIMs as they are now, not the difference."""

    sims: Sims


Payload: TypeAlias = (
    SmsReceived
    | SmsSent
    | SmsDelivered
    | SmsFailed
    | SmsUncertain
    | SmsCancelled
    | SmsExpired
    | MmsReceived
    | CallMissed
    | SimChanged
)

EVENT_TYPES: Final[dict[str, type[Payload]]] = {
    "sms:received": SmsReceived,
    "sms:sent": SmsSent,
    "sms:delivered": SmsDelivered,
    "sms:failed": SmsFailed,
    "sms:uncertain": SmsUncertain,
    "sms:cancelled": SmsCancelled,
    "sms:expired": SmsExpired,
    "mms:received": MmsReceived,
    "call:missed": CallMissed,
    "sim:changed": SimChanged,
}
"""Event word to payload type; the closed list of protocol v1."""

_WORDS: Final = {payload: word for word, payload in EVENT_TYPES.items()}
_decoders: Final = {word: msgspec.json.Decoder(payload) for word, payload in EVENT_TYPES.items()}
_encoder: Final = msgspec.json.Encoder()
_time_decoder: Final = msgspec.json.Decoder(UtcTime)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A payload kept raw: `reason` is `unknown_type` (stored, not shown as an error) or `malformed`."""

    reason: str
    detail: str


def event_type_of(payload: Payload) -> str:
    """The `event` word of a payload."""
    return _WORDS[type(payload)]


def encode_payload(payload: Payload) -> Raw:
    """JSON of a payload, every text storable and the text of an SMS short enough for one frame."""
    fields = {name: getattr(payload, name) for name in payload.__struct_fields__}
    texts = {name: sanitise_text(value) for name, value in fields.items() if isinstance(value, str)}
    if isinstance(payload, SmsReceived) and payload.text is not None:
        short = _cut(texts["text"])
        payload = msgspec.structs.replace(payload, is_cut=payload.is_cut or short != texts["text"])
        texts["text"] = short
    return Raw(_encoder.encode(msgspec.structs.replace(payload, **texts)))


def _cut(text: str) -> str:
    """The longest beginning of `text` whose JSON is at most RECEIVED_TEXT_BYTES."""
    if len(_encoder.encode(text)) <= RECEIVED_TEXT_BYTES:
        return text
    kept, dropped = 0, len(text)
    while dropped - kept > 1:
        middle = (kept + dropped) // 2
        if len(_encoder.encode(text[:middle])) <= RECEIVED_TEXT_BYTES:
            kept = middle
        else:
            dropped = middle
    return text[:kept]


def decode_payload(event_type: str, raw: Raw | bytes | str) -> Payload | Quarantined:
    """The typed payload of an event, or why it is quarantined. Never raises."""
    decoder = _decoders.get(event_type)
    if decoder is None:
        return Quarantined("unknown_type", event_type)
    try:
        return decoder.decode(sanitise_json(_text(raw)))
    except (msgspec.DecodeError, RecursionError) as error:
        return Quarantined("malformed", str(error)[:200])


def event_time(raw: Raw | bytes | str) -> int | None:
    """Milliseconds since the epoch of an event's `at`, or None when it is absent or not a wire time."""
    try:
        return read_utc(_time_decoder.decode(_text(raw)))
    except (msgspec.DecodeError, ValueError):
        return None


def _text(raw: Raw | bytes | str) -> str:
    return raw if isinstance(raw, str) else bytes(raw).decode(errors="replace")


def _check_segment(segment: int, segments: int) -> None:
    if segment >= segments:
        raise ValueError("segment is not below segments")


def _check_times(*times: str | None) -> None:
    for text in times:
        if text is not None:
            read_utc(text)
