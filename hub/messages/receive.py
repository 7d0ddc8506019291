"""What handsets send us: texts, MMS and missed calls, each into the thread of its line and sender.

Duplicates are the event stream's matter: whatever comes here was not seen before. No text is lost over a strange sender, an
unknown SIM or an empty body; it is stored and shown as it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from device_protocol.payloads import CallMissed, MmsReceived, SmsReceived
from device_protocol.wire_types import read_utc
from hub.core.address import peer_address
from hub.core.clock import UtcMs, rfc3339
from hub.core.effects import Effect, LiveHint
from hub.core.encoding import measure
from hub.core.events import Data, EventType, MediaData, MissedCallData, MmsData, ReceivedData
from hub.core.ids import render
from hub.core.status import Status
from hub.core.text import sanitise
from hub.core.timeline import Kind
from hub.messages.announce import new_event, rendered
from hub.messages.attachments import Attachments
from hub.messages.consent import Heard, hear
from hub.messages.lines import read_account_settings
from hub.messages.threads import conversation_id, merged
from hub.storage.conversations import Touch, touch_conversations
from hub.storage.messages import Hop, MessageRow, insert_hops, insert_messages
from hub.storage.messages_lines import LineRow, lines_by_id, lines_in_devices
from hub.storage.transaction import Tx
from hub.webhooks.outbox import NewEvent, publish

HIDDEN_CALLER = "anonymous"
"""The peer of a call whose number is hidden, and of an MMS notice without a sender."""

IncomingPayload = SmsReceived | MmsReceived | CallMissed
_JSON = msgspec.json.Encoder()


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """One inbound event: of a phone, or of a carrier that posts its texts to the hub."""

    account_id: str
    device_id: str | None
    """None: a carrier posted it, no phone brought it."""
    event_uuid: str | None
    at: UtcMs
    """When the phone says it happened, on the hub's clock."""
    payload: IncomingPayload
    raw: str | None = None
    message_id: str | None = None
    """The id it is to have; None = a new one."""
    line_id: str | None = None
    """The line it came to, where that is known beforehand; else it is found by the SIM."""
    number: str | None = None
    """The number it came to, told where no line says it."""
    door: str = "phone"
    carrier: str | None = None
    """Who posted it, in words."""
    provider_id: str | None = None
    """The carrier's own id of it."""
    is_told_later: bool = False
    """Its event is published by whoever fetches what is attached to it."""


class Received(msgspec.Struct, frozen=True):
    """The message it became."""

    message_id: str
    conversation_id: str | None
    effects: tuple[Effect, ...] = ()


class _Arrival(NamedTuple):
    row: MessageRow
    hop: Hop
    event: NewEvent


def receive(tx: Tx, given: Sequence[Incoming]) -> list[Received]:
    """Store what came in, in the order given; one result each. Effects of the whole batch are with the first."""
    if not given:
        return []
    accounts = {one.account_id for one in given}
    lines = _lines(tx, given, accounts)
    regions = {id_: settings.default_region for id_, settings in read_account_settings(tx.conn, accounts).items()}
    contents = Attachments.of(tx, [(one.account_id, one.payload) for one in given])
    arrivals = [_arrive(tx, one, _line_of(one, lines), regions.get(one.account_id), contents) for one in given]
    rows = [arrival.row for arrival in arrivals]
    insert_messages(tx.conn, rows)
    contents.store(tx)
    touch_conversations(tx, merged([touch for row in rows if (touch := _touch(row)) is not None]))
    insert_hops(tx.conn, [arrival.hop for arrival in arrivals])
    told = [arrival.event for arrival, one in zip(arrivals, given, strict=True) if not one.is_told_later]
    published = publish(tx, told)
    hints = [LiveHint(row.account_id, "conversation", row.conversation_id) for row in rows if row.conversation_id]
    asked = hear(tx, [Heard(row.account_id, row.peer, row.text, row.created_at) for row in rows if row.kind == "sms"])
    results = [Received(row.id, row.conversation_id) for row in rows]
    results[0] = replace(results[0], effects=(*published, *hints, *asked))
    return results


def _lines(tx: Tx, given: Sequence[Incoming], accounts: set[str]) -> list[LineRow]:
    """Every line that these may have come to."""
    devices = {one.device_id for one in given if one.device_id is not None}
    named = {one.line_id for one in given if one.line_id is not None}
    found = {line.id: line for line in lines_in_devices(tx.conn, accounts, devices)}
    return list((found | lines_by_id(tx.conn, accounts, named)).values())


def _line_of(one: Incoming, lines: Sequence[LineRow]) -> LineRow | None:
    """The line that is named, or that of the SIM it came by: by subscription, else by slot, else the phone's only line."""
    if one.device_id is None or one.line_id is not None:
        return next((line for line in lines if (line.id, line.account_id) == (one.line_id, one.account_id)), None)
    here = [line for line in lines if line.device_id == one.device_id and line.account_id == one.account_id]
    payload = one.payload
    for line in here:
        if payload.subscription_id is not None and line.subscription_id == payload.subscription_id:
            return line
    for line in here:
        if payload.slot is not None and line.slot == payload.slot:
            return line
    return here[0] if len(here) == 1 else None


def _arrive(tx: Tx, one: Incoming, line: LineRow | None, region: str | None, contents: Attachments) -> _Arrival:
    row = _row(tx, one, line, region)
    facts = {
        "device_id": one.device_id,
        "line_id": row.line_id,
        "segments": row.segments,
        "carrier": one.carrier,
        "provider_id": one.provider_id,
    }
    known = {name: value for name, value in facts.items() if value is not None}
    hop = Hop(
        row.account_id,
        row.id,
        one.at,
        "phone" if one.device_id is not None else "network",
        Kind.RECEIVED.value,
        None,
        row.state,
        True,
        _JSON.encode(known).decode(),
        one.raw,
    )
    type_, data = _data(row, one, line, contents.attach(tx, row, one.payload))
    return _Arrival(row, hop, new_event(tx.new_id(), type_, row, data, one.at))


def _row(tx: Tx, one: Incoming, line: LineRow | None, region: str | None) -> MessageRow:
    kind, text, segments = _body(one.payload)
    peer = peer_address(one.payload.sender, region).value if one.payload.sender else HIDDEN_CALLER
    return MessageRow(
        id=one.message_id or tx.new_id(),
        account_id=one.account_id,
        direction="mo",
        kind=kind,
        state=Status.RECEIVED.value,
        peer=peer,
        text=text,
        encoding=measure(text).encoding,
        segments=segments,
        priority=1,
        created_at=tx.now,
        due_at=tx.now,
        scheduled_at=None,
        expires_at=None,
        ttl_seconds=None,
        door=one.door,
        trace_id=None,
        batch_id=None,
        conversation_id=conversation_id(one.account_id, line.id, peer) if line else None,
        retry_of=None,
        metadata_json=None,
        callback=None,
        want_dlr=False,
        sender=None,
        line_id=line.id if line else None,
        device_id=one.device_id,
        sent_at=_network_at(one.payload),
        final_at=tx.now,
        received_at=_received_at(one),
        device_event_uuid=one.event_uuid,
    )


def _body(payload: IncomingPayload) -> tuple[str, str, int]:
    """Kind, text and segments. A binary text shows what it is; its octets are in the raw report."""
    match payload:
        case SmsReceived(text=None, data=data):
            port = data.port if data is not None else 0
            return "sms", f"[binary message for port {port}]", payload.segments
        case SmsReceived():
            return "sms", sanitise(payload.text or ""), payload.segments
        case MmsReceived():
            return "mms", sanitise(payload.text or payload.subject or ""), 1
        case CallMissed():
            return "call", "", 0


def _received_at(one: Incoming) -> UtcMs:
    match one.payload:
        case SmsReceived(received_at=at) | MmsReceived(received_at=at) | CallMissed(called_at=at):
            return read_utc(at)


def _network_at(payload: IncomingPayload) -> UtcMs | None:
    if isinstance(payload, SmsReceived) and payload.service_centre_at is not None:
        return read_utc(payload.service_centre_at)
    return None


def _touch(row: MessageRow) -> Touch | None:
    if row.line_id is None or row.conversation_id is None:
        return None
    return Touch(row.conversation_id, row.account_id, row.line_id, row.peer, row.created_at, row.id, "mo", 1)


def _data(row: MessageRow, one: Incoming, line: LineRow | None, media: tuple[MediaData, ...]) -> tuple[EventType, Data]:
    number = line.number if line else one.number
    slot = line.slot if line else one.payload.slot
    at = rfc3339(row.received_at or row.created_at)
    ids = (render("message", row.id), rendered("line", row.line_id), rendered("device", row.device_id))
    thread = rendered("conversation", row.conversation_id)
    match one.payload:
        case SmsReceived():
            return EventType.SMS_RECEIVED, ReceivedData(
                id=ids[0],
                from_=row.peer,
                to=number,
                text=row.text,
                segments=row.segments,
                line_id=ids[1],
                device_id=ids[2],
                slot=slot,
                conversation_id=thread,
                received_at=at,
                network_at=None if row.sent_at is None else rfc3339(row.sent_at),
            )
        case MmsReceived(subject=subject, text=text, size_bytes=size):
            data = mms_data(row, line, one.number, media, slot=slot)
            told = sanitise(subject) if subject else None
            return EventType.MMS_RECEIVED, replace(data, subject=told, text=sanitise(text or ""), size_bytes=size)
        case CallMissed():
            return EventType.CALL_MISSED, MissedCallData(
                id=ids[0],
                from_=row.peer,
                to=number,
                line_id=ids[1],
                device_id=ids[2],
                slot=slot,
                conversation_id=thread,
                called_at=at,
            )


def mms_data(
    row: MessageRow, line: LineRow | None, number: str | None, media: tuple[MediaData, ...], *, slot: int | None = None
) -> MmsData:
    """What is told of an MMS by what is stored of it. `number` is ours, for one that no line has."""
    return MmsData(
        id=render("message", row.id),
        from_=row.peer,
        to=line.number if line else number,
        subject=None,
        text=row.text,
        size_bytes=None,
        media=media,
        line_id=rendered("line", row.line_id),
        device_id=rendered("device", row.device_id),
        slot=slot,
        conversation_id=rendered("conversation", row.conversation_id),
        received_at=rfc3339(row.received_at or row.created_at),
    )
