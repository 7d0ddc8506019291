"""The app's JSON: what it sends is read leniently, what it is sent is made strictly (one bad item fails its whole list, for ever).

Absent values are left out. Ids on the phone are 21 characters for a text's first submission, and `<21>-<n>` for a later one: the app
knows texts by their ids and sends none twice, so another try needs another id, and each report says which try it speaks of.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from device_protocol.frames import Sim
from device_protocol.lines import sim_fingerprint
from hub.core.address import is_sealed
from hub.core.clock import UtcMs
from hub.core.commands import BULK, HIGH
from hub.core.ids import BadId, from_smsgate21, to_smsgate21
from hub.devices.listing import ListedText
from hub.phones.smsgate.times import write_time

_PHONE_ID: Final = re.compile(r"([A-Za-z0-9_-]{21})(?:-([1-9]\d{0,9}))?", re.ASCII)
PRIORITIES: Final = {BULK: -10, HIGH: 10}
"""Ours → the app's, of -128 to 127; from 100 on it would leave its pace aside."""
UNKNOWN_SLOT: Final = -1
"""`subscription_id` of the line of a phone that tells of no SIM: its own default one, whichever that is."""


class SimCard(msgspec.Struct, rename="camel"):
    """A SIM; numbers are masked except in `app:started` (`*******1234`)."""

    slot_index: int
    sim_number: int | None = None
    phone_number: str | None = None
    carrier_name: str | None = None
    iccid: str | None = None


class RegisterBody(msgspec.Struct, rename="camel"):
    """`POST /device`."""

    name: str = ""
    push_token: str | None = None
    sim_cards: list[SimCard] | None = None


class UpdateBody(msgspec.Struct, rename="camel"):
    """`PATCH /device`."""

    id: str = ""
    push_token: str | None = None
    sim_cards: list[SimCard] | None = None


class RecipientState(msgspec.Struct, rename="camel"):
    """How a text stands for its one recipient."""

    phone_number: str = ""
    state: str = ""
    error: str | None = None


class MessageState(msgspec.Struct, rename="camel"):
    """One item of `PATCH /message`: how a text stood when the phone's job ran, with the time it entered each state."""

    id: str
    state: str = ""
    recipients: list[RecipientState] = []
    states: dict[str, str] = {}


class Posted(msgspec.Struct, rename="camel"):
    """What the phone posts."""

    id: str
    event: str
    payload: dict[str, Any] = {}
    webhook_id: str = ""
    device_id: str = ""


def phone_id(message_id: str, submission: int) -> str:
    """A text's id on the phone."""
    id_ = to_smsgate21(message_id)
    return id_ if submission == 1 else f"{id_}-{submission}"


def read_phone_id(text: str) -> tuple[str, int] | None:
    """(message, submission) of such an id; None for one that this hub never gave out."""
    match = _PHONE_ID.fullmatch(text)
    if match is None:
        return None
    try:
        return from_smsgate21(match[1]), int(match[2] or 1)
    except BadId:
        return None


def text_for_phone(text: ListedText, clock_ahead_ms: int) -> dict[str, Any]:
    """An item of `GET /message`. `clock_ahead_ms`: the phone compares times with its own clock, so they are set by it."""
    row = text.row
    item: dict[str, Any] = {
        "id": phone_id(row.id, row.submission),
        "phoneNumbers": [row.peer],
        "withDeliveryReport": row.want_dlr,
        "isEncrypted": is_sealed(row.peer),
        "priority": PRIORITIES.get(row.priority, 0),
        "createdAt": write_time(row.created_at),
        "state": "Cancelling" if text.is_cancelling else "Pending",
    }
    if row.data_port is not None:
        item["dataMessage"] = {"data": row.text, "port": row.data_port}
    else:
        item |= {"message": row.text, "textMessage": {"text": row.text}}
    if text.slot is not None:
        item["simNumber"] = text.slot + 1
    if row.expires_at is not None:
        item["validUntil"] = write_time(row.expires_at + clock_ahead_ms)
    return item


def sims_of(cards: list[SimCard] | None) -> tuple[Sim, ...]:
    """The app's cards as the hub's SIMs."""
    sims = {card.slot_index: _sim(card) for card in cards or () if 0 <= card.slot_index <= 15}
    return tuple(sims.values())


DEFAULT_SIM: Final = Sim(0, UNKNOWN_SLOT, sim_fingerprint(None, None))
"""What a phone that may not see its SIMs, or whose app does not tell them, sends by: its own choice."""


def _sim(card: SimCard) -> Sim:
    """Android's subscription id is not told: slot and the end of the card's serial number stand for it."""
    carrier = (card.carrier_name or "").strip()[:200] or None
    number = card.phone_number or ""
    tail = "".join(char for char in (card.iccid or "")[-4:] if char.isdigit())
    subscription = card.slot_index + (100 * int(tail) + 100 if tail else 0)
    known = None if "*" in number or not number else number[:200]
    return Sim(card.slot_index, subscription, sim_fingerprint(carrier, number), carrier, known)


def is_far_ahead(clock_ahead_ms: int) -> bool:
    """Whether a phone's clock is wrong by more than a slow network explains."""
    return abs(clock_ahead_ms) >= MINUTE_OFF_MS


MINUTE_OFF_MS: Final = 60_000


def skew(timestamp: str, now: UtcMs) -> int:
    """How far the phone's clock is ahead, by the seconds it stamped a post with; 0 when it is about right or unreadable."""
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return 0
    ahead = int(timestamp) * 1000 - now
    return ahead if is_far_ahead(ahead) else 0
