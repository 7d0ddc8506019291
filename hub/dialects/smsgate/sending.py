"""A message as a client posts it, turned into the hub's words.

https://docs.sms-gate.app/integration/api/ and https://api.sms-gate.app/ describe the API. Older clients send the text as `message`, newer
ones as `textMessage.text`; both spellings of each path take both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hub.core.address import Address, AddressKind, BadAddress, parse_recipient, sealed_recipient
from hub.core.clock import UtcMs
from hub.core.commands import BULK, HIGH, NORMAL, AnyLine, ByDevice, Sender, SendRequest
from hub.core.errors import Code, HubError
from hub.core.ids import to_smsgate21
from hub.devices.views import DeviceView
from hub.dialects.smsgate.answers import wrong
from hub.dialects.smsgate.attaching import Attached, kept, read_mms
from hub.dialects.smsgate.reading import as_object, flag, moment, number, query_flag, query_number, text
from hub.dialects.smsgate.serving import Ask
from hub.dialects.smsgate.taking import DOOR, Take, own_id
from hub.messages.limits import send_limits
from hub.messages.prepare import prepare
from hub.storage.smsgate_messages import ParentRow

LONGEST_ID = 36
LONGEST_TEXT = 65_535
LONGEST_NUMBER = 512
MOST_RECIPIENTS = 100
LONGEST_TTL_SECONDS = 31_536_000
PRIORITY_AT_ONCE = 100
"""From here on a phone sends without regard to its pace: the hub's highest priority."""
NO_DEVICE = "record not found: the account has no phone that could send this"
_HOUR_MS = 3_600_000
_SIGNS = frozenset("+*#0123456789")


class Posted(NamedTuple):
    """What a client asks for."""

    shown_id: str | None
    device_id: str | None
    content: str
    data_port: int | None
    phone_numbers: tuple[str, ...]
    is_encrypted: bool
    sim_number: int | None
    want_dlr: bool
    priority: int
    ttl_seconds: int | None
    valid_until: UtcMs | None
    schedule_at: UtcMs | None
    attachments: tuple[Attached, ...] = ()


def read_posted(value: Any) -> Posted:
    """The body of `POST /messages`. Raises what is told as 400."""
    body = as_object(value)
    content, data_port, attachments = _content(body)
    ttl, until = number(body, "ttl", least=5, most=LONGEST_TTL_SECONDS), moment(body, "validUntil")
    if ttl is not None and until is not None:
        raise wrong("Give ttl or validUntil, not both.")
    return Posted(
        shown_id=text(body, "id", most=LONGEST_ID),
        device_id=text(body, "deviceId", "device_id", most=LONGEST_ID),
        content=content,
        data_port=data_port,
        phone_numbers=_phone_numbers(body.get("phoneNumbers")),
        is_encrypted=flag(body, "isEncrypted", default=False),
        sim_number=number(body, "simNumber", least=1, most=3),
        want_dlr=flag(body, "withDeliveryReport", default=True),
        priority=number(body, "priority", least=-128, most=127) or 0,
        ttl_seconds=ttl,
        valid_until=until,
        schedule_at=moment(body, "scheduleAt"),
        attachments=attachments,
    )


def _content(body: Mapping[str, Any]) -> tuple[str, int | None, tuple[Attached, ...]]:
    """The text, or the data and its port, and what is attached."""
    given = [
        name for name in ("textMessage", "dataMessage", "mmsMessage", "message") if body.get(name) not in (None, "")
    ]
    if len(given) != 1:
        raise wrong(
            "no text or data content: give textMessage, dataMessage, mmsMessage or message."
            if not given
            else f"Give one content, not {' and '.join(given)}."
        )
    match given[0]:
        case "message":
            return text(body, "message", most=LONGEST_TEXT, needed=True) or "", None, ()
        case "textMessage":
            part = as_object(body["textMessage"], "textMessage")
            return text(part, "text", least=1, most=LONGEST_TEXT, needed=True) or "", None, ()
        case "dataMessage":
            part = as_object(body["dataMessage"], "dataMessage")
            port = number(part, "port", least=1, most=65_535)
            if port is None:
                raise wrong("dataMessage.port is required.")
            return text(part, "data", least=4, most=LONGEST_TEXT, needed=True) or "", port, ()
        case _:
            if flag(body, "isEncrypted", default=False):
                raise wrong("An MMS cannot be encrypted: the hub has to know what its attachments are.")
            mms = read_mms(body["mmsMessage"], LONGEST_TEXT)
            return mms.text, None, mms.attachments


def _phone_numbers(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_RECIPIENTS:
        raise wrong(f"phoneNumbers must be a list of 1 to {MOST_RECIPIENTS} numbers.")
    numbers = [text({"phoneNumbers": one}, "phoneNumbers", least=1, most=LONGEST_NUMBER, needed=True) for one in value]
    return tuple(one for one in numbers if one is not None)


async def prepared(ask: Ask, posted: Posted, devices: Sequence[DeviceView], device_id: str | None) -> Take:
    """The command that stores it. `device_id`: the stored id of the phone it asks for."""
    settings = await ask.services.credentials.settings_of(ask.account_id)
    limits = send_limits(ask.services.config, settings)
    addresses = _addresses(posted, limits.default_region, skip=query_flag(ask.query, "skipPhoneValidation"))
    parent_id = ask.new_id()
    request = SendRequest(
        account_id=ask.account_id,
        door=DOOR,
        recipients=(),
        text=posted.content,
        data_port=posted.data_port,
        sender=_sender(ask, posted, devices, device_id),
        priority=BULK if posted.priority < 0 else HIGH if posted.priority >= PRIORITY_AT_ONCE else NORMAL,
        ttl_seconds=_ttl(posted, ask.now),
        scheduled_at=_schedule(posted, ask.now),
        metadata=own_id(posted.shown_id, parent_id, len(addresses)),
        want_dlr=posted.want_dlr,
        trace_id=ask.trace_id,
        all_or_nothing=True,
        media=await kept(ask, posted.attachments),
    )
    ready = prepare(request, addresses, limits, now=ask.now, new_id=ask.new_id)
    recipients = ready.request.recipients
    if len(recipients) == 1:
        parent_id = recipients[0].message_id
    return Take(
        parent=ParentRow(
            id=parent_id,
            account_id=ask.account_id,
            shown_id=posted.shown_id or to_smsgate21(parent_id),
            device_id=device_id,
            is_encrypted=posted.is_encrypted,
            content_hash=None,
        ),
        phone_numbers=tuple(address.value for address in addresses),
        prepared=ready,
    )


def _addresses(posted: Posted, region: str | None, *, skip: bool) -> list[Address]:
    try:
        addresses = [_address(one, region, posted.is_encrypted, skip) for one in posted.phone_numbers]
    except BadAddress as error:
        raise wrong(f"failed to parse phone number: {error}") from None
    if len({address.value for address in addresses}) < len(addresses):
        raise wrong("phone numbers must be unique")
    return addresses


def _address(number: str, region: str | None, is_encrypted: bool, skip: bool) -> Address:
    if is_encrypted:
        return sealed_recipient(number)
    kept = "".join(sign for sign in number if sign in _SIGNS) if skip else ""
    return Address(AddressKind.OPAQUE, kept) if kept else parse_recipient(number, region)


def _ttl(posted: Posted, now: UtcMs) -> int | None:
    """How long it may wait from when it may go."""
    if posted.valid_until is None:
        return posted.ttl_seconds
    left = (posted.valid_until - max(posted.schedule_at or now, now)) // 1000
    if left < 1:
        raise wrong(
            "validUntil is over."
            if posted.valid_until <= now
            else "scheduleAt must be less than or equal to validUntil"
        )
    return min(left, LONGEST_TTL_SECONDS)


def _schedule(posted: Posted, now: UtcMs) -> UtcMs | None:
    if posted.schedule_at is not None and posted.schedule_at <= now:
        raise wrong("scheduleAt must be in the future.")
    return posted.schedule_at


def _sender(ask: Ask, posted: Posted, devices: Sequence[DeviceView], device_id: str | None) -> Sender:
    """The phone and SIM that are asked for. Raises 400 when the account has no such phone, or none that was active."""
    hours = query_number(ask.query, "deviceActiveWithin", least=0, most=100_000, default=0)
    since = ask.now - hours * _HOUR_MS if hours else 0
    fitting = [
        device
        for device in devices
        if device_id in (None, device.id) and (not hours or device.is_online or (device.last_seen_at or 0) >= since)
    ]
    if not fitting:
        raise wrong(NO_DEVICE)
    if device_id is None and posted.sim_number is None:
        return AnyLine()
    slot = None if posted.sim_number is None else posted.sim_number - 1
    with_sim = [device for device in fitting if slot is None or any(line.slot == slot for line in device.lines)]
    if not with_sim:
        raise HubError(Code.VALIDATION, f"No phone has a SIM in place {posted.sim_number}.")
    chosen = max(with_sim, key=lambda device: (device.is_online, device.last_seen_at or 0))
    return ByDevice(chosen.id, slot)
