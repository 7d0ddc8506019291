"""A post of the phone, in the hub's words (`hub.devices.posted.Posted`).

The id of a post is the same on each of its tries; but the app is known to post one text twice, under two ids. So an inbound event also
has a fingerprint of everything that makes it this text: the app's message id (a 32-bit hash, which two different texts can share), sender,
time at the network, and the content. Posts that are the same in all of these are one event; two texts that differ in any are two.

    sms:received, sms:data-received, mms:received, mms:downloaded    texts in
    sms:sent, sms:failed, sms:cancelled                              facts about texts out; also told by PATCH, which may have been lost
    sms:delivered                                                    one for each segment: only told, the whole comes by PATCH
    system:ping                                                      battery
    app:started                                                      SIMs with their whole numbers
    anything else                                                    kept as it came
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from device_protocol.frames import DataContent, Status
from device_protocol.limits import NUMBER_MAX
from device_protocol.payloads import MediaRef, MmsReceived, SmsReceived
from device_protocol.wire_types import write_utc
from hub.core.clock import UtcMs
from hub.devices.posted import Posted as Told
from hub.messages.receive import IncomingPayload
from hub.phones.smsgate.results import word_of_event
from hub.phones.smsgate.times import read_time
from hub.phones.smsgate.wire import Posted, SimCard, sims_of

OUTBOUND: Final = frozenset({"sms:sent", "sms:delivered", "sms:failed", "sms:cancelled"})
INBOUND: Final = frozenset({"sms:received", "sms:data-received", "mms:received", "mms:downloaded"})
BATCHES: Final = {
    "sms:batch:received": "sms:received",
    "sms:batch:data-received": "sms:data-received",
    "mms:batch:received": "mms:received",
    "mms:batch:downloaded": "mms:downloaded",
}
"""An export in batches → the event each of its messages is."""
NO_SUBSCRIPTION: Final = -(2**31)
"""Android's subscription id is not told: the slot says by which SIM a text came."""
SENDER_MAX: Final = 200
DATA_PORT: Final = 53739
"""The only port the app listens on."""

_cards = msgspec.json.Decoder(list[SimCard])


def events_of(posted: Posted, device_id: str, raw: str, arrived: UtcMs) -> tuple[Told, ...]:
    """What a post says: one event, or one for each message of a batch."""
    single = BATCHES.get(posted.event)
    if single is None:
        return (_event(posted.event, posted.id, posted.payload, device_id, raw, arrived),)
    messages = posted.payload.get("messages")
    items = [item for item in messages if isinstance(item, dict)] if isinstance(messages, list) else []
    return tuple(
        _event(single, f"{posted.id}/{place}", item, device_id, msgspec.json.encode(item).decode(), arrived)
        for place, item in enumerate(items)
    )


def _event(kind: str, uuid: str, payload: dict[str, Any], device_id: str, raw: str, arrived: UtcMs) -> Told:
    try:
        return _read(kind, uuid, payload, device_id, raw, arrived)
    except (TypeError, ValueError, msgspec.ValidationError) as error:
        return Told(uuid=uuid, type=kind, at=arrived, raw=raw, why_unread=str(error)[:200])


def _read(kind: str, uuid: str, payload: dict[str, Any], device_id: str, raw: str, arrived: UtcMs) -> Told:
    told = Told(uuid=uuid, type=kind, at=arrived, raw=raw)
    if kind in INBOUND:
        at = read_time(_text(payload, "receivedAt"), arrived)
        return msgspec.structs.replace(
            told,
            received=_received(kind, payload, at, arrived),
            fingerprint=fingerprint(kind, payload),
        )
    if kind in OUTBOUND:
        times = {name: _text(payload, name) for name in ("sentAt", "deliveredAt", "failedAt", "cancelledAt")}
        about = _text(payload, "messageId") or ""
        word = word_of_event(kind, about, device_id, times, _text(payload, "reason"), arrived)
        at = arrived if word is None else word.at
        return msgspec.structs.replace(told, word=word, at=at, is_word_only_told=kind == "sms:delivered")
    if kind == "system:ping":
        return msgspec.structs.replace(told, status=status_of(payload))
    if kind == "app:started":
        cards = _cards.decode(msgspec.json.encode(payload.get("simCards") or []))
        return msgspec.structs.replace(told, sims=sims_of(cards) or None)
    return told


def fingerprint(kind: str, payload: dict[str, Any]) -> str:
    """SHA-256 over what makes an inbound event itself."""
    content = next((_text(payload, name) for name in ("message", "data", "body", "subject") if name in payload), None)
    parts = [kind, _text(payload, "messageId"), _sender(payload), _text(payload, "receivedAt"), content]
    parts += [one.sha256 for one in _media(payload)]
    digest = hashlib.sha256()
    for part in parts:
        text = (part or "").encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(4, "big") + text)
    return digest.hexdigest()


def _received(kind: str, payload: dict[str, Any], network_at: UtcMs, arrived: UtcMs) -> IncomingPayload:
    sim_number = payload.get("simNumber")
    slot = sim_number - 1 if isinstance(sim_number, int) and 1 <= sim_number <= 16 else None
    if kind.startswith("mms:"):
        size = payload.get("size")
        return MmsReceived(
            received_at=write_utc(arrived),
            subscription_id=NO_SUBSCRIPTION,
            sender=_sender(payload) or None,
            slot=slot,
            subject=_short(payload, "subject"),
            text=_text(payload, "body"),
            media=_media(payload),
            size_bytes=size if isinstance(size, int) and size >= 0 else None,
            transaction_id=_text(payload, "transactionId"),
        )
    is_data = kind == "sms:data-received"
    data = DataContent(_text(payload, "data") or "", DATA_PORT) if is_data else None
    text = None if is_data else _text(payload, "message")
    if not is_data and text is None:
        raise ValueError("a text without its text")
    return SmsReceived(
        sender=_sender(payload),
        received_at=write_utc(arrived),
        subscription_id=NO_SUBSCRIPTION,
        slot=slot,
        text=text,
        data=data,
        service_centre_at=write_utc(network_at),
    )


def _media(payload: dict[str, Any]) -> tuple[MediaRef, ...]:
    """The attachments, whose bytes were taken out (`hub.phones.smsgate.attachments`)."""
    parts = payload.get("attachments")
    return tuple(
        MediaRef(
            content_type=_short(part, "contentType") or "",
            sha256=_text(part, "sha256"),
            name=_short(part, "name"),
            size_bytes=size if isinstance(size := part.get("size"), int) and 0 <= size <= NUMBER_MAX else None,
            why=_text(part, "why"),
        )
        for part in (parts if isinstance(parts, list) else ())
        if isinstance(part, dict)
    )


def status_of(payload: dict[str, Any]) -> Status:
    """Battery and charging out of a ping's checks. Bits of `battery:charging`: 1 charging, 2 mains, 4 USB."""
    found = dict(_values(payload))
    level = found.get("battery:level")
    charging = found.get("battery:charging")
    return Status(
        battery_percent=level if level is not None and 0 <= level <= 100 else None,
        is_charging=None if charging is None else bool(charging & 1),
    )


def _values(payload: dict[str, Any]) -> Iterator[tuple[str, int]]:
    health = payload.get("health")
    checks = health.get("checks") if isinstance(health, dict) else None
    for name, check in checks.items() if isinstance(checks, dict) else ():
        value = check.get("observedValue") if isinstance(check, dict) else None
        if isinstance(value, int | float):
            yield name, int(value)


def _sender(payload: dict[str, Any]) -> str:
    """Raw from the network: a number, a name, or nothing."""
    return (_text(payload, "sender") or _text(payload, "phoneNumber") or "")[:SENDER_MAX]


def _short(payload: dict[str, Any], name: str) -> str | None:
    value = _text(payload, name)
    return None if value is None else value[:SENDER_MAX]


def _text(payload: dict[str, Any], name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) else None
