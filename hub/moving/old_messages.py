"""A message of an sms-gate.app server as this hub keeps it.

there                    here
Pending                  dead_letter: it may be on a phone already, so a person decides; queued where the move was told to send
Processed                uncertain: the phone had it when the server was left
Sent, Delivered          sent, delivered
Failed                   failed, with the server's words
Cancelling, Cancelled    cancelled
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from hub.core.clock import UtcMs
from hub.core.commands import ByDevice
from hub.core.encoding import measure, measure_sealed
from hub.core.ids import RANDOM_BYTES, new_id
from hub.core.text import sanitise
from hub.dialects.smsgate.taking import DOOR
from hub.moving.rows import MoveMessage
from hub.storage.messages import MessageRow
from hub.storage.mysql_dump import Row
from hub.storage.smsgate_messages import ParentRow
from hub.storage.smsgate_staging import OldMessage, time_of
from hub.webhooks.formats.smsgate import SHOWN_ID

DAY_MS = 86_400_000
_FINAL = frozenset({"delivered", "failed", "cancelled", "dead_letter"})
_STATES: Mapping[str, str] = MappingProxyType(
    {
        "Pending": "dead_letter",
        "Processed": "uncertain",
        "Sent": "sent",
        "Delivered": "delivered",
        "Failed": "failed",
        "Cancelling": "cancelled",
        "Cancelled": "cancelled",
    }
)
LEFT_WAITING = "Left waiting on the server this text was moved in from."
_JSON = msgspec.json.Encoder()
_CONTENT = msgspec.json.Decoder(dict[str, Any])


class Content(NamedTuple):
    """What a message says."""

    text: str
    port: int | None = None
    content_hash: str | None = None


def moved(
    old: OldMessage,
    account_id: str,
    device_id: str,
    now: UtcMs,
    *,
    does_send: bool,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> MoveMessage | None:
    """The command that stores it; None for one that has no recipient or no id."""
    shown_id, created_at = sanitise(old.row["ext_id"] or ""), time_of(old.row["created_at"]) or now
    if not shown_id or not old.recipients:
        return None
    content = content_of(old)
    texts: list[MessageRow] = []
    for recipient in old.recipients:
        row = _text(old, content, account_id, device_id, created_at, now, does_send)
        row.id = new_id(created_at, random(RANDOM_BYTES))
        row.peer = sanitise(recipient["phone_number"] or "")
        _set_state(row, recipient, old, device_id, now, does_send)
        texts.append(row)
    parent_id = texts[0].id if len(texts) == 1 else new_id(created_at, random(RANDOM_BYTES))
    is_encrypted = old.row["is_encrypted"] == "1"
    return MoveMessage(
        parent=ParentRow(parent_id, account_id, shown_id, device_id, is_encrypted, content.content_hash),
        texts=tuple(texts),
        phone_numbers=tuple(row.peer for row in texts),
    )


def content_of(old: OldMessage) -> Content:
    """The content of a message of any version of that server, or the hash that is left of it."""
    stored = old.row["content"] if old.row["content"] is not None else old.row["message"]
    if old.row["is_hashed"] == "1":
        return Content("", None, sanitise(stored or ""))
    if old.row["content"] is None:
        return Content(sanitise(stored or ""))
    try:
        read = _CONTENT.decode(stored or "{}")
    except msgspec.DecodeError:
        return Content(sanitise(stored or ""))
    if isinstance(read.get("data"), str):
        port = read.get("port")
        return Content(sanitise(read["data"]), port if isinstance(port, int) else 0)
    return Content(sanitise(str(read.get("text") or "")))


def _text(
    old: OldMessage, content: Content, account_id: str, device_id: str, created_at: UtcMs, now: UtcMs, does_send: bool
) -> MessageRow:
    """What all recipients share."""
    is_sealed = old.row["is_encrypted"] == "1"
    measured = measure_sealed(content.text) if is_sealed or content.port is not None else measure(content.text)
    until = time_of(old.row["valid_until"]) or (now if does_send else created_at) + 3 * DAY_MS
    return MessageRow(
        id="",
        account_id=account_id,
        direction="mt",
        kind="sms" if content.port is None else "data",
        state="",
        peer="",
        text=content.text,
        encoding=measured.encoding,
        segments=1 if content.port is not None else measured.segments,
        priority=1,
        created_at=created_at,
        due_at=created_at,
        scheduled_at=None,
        expires_at=until,
        ttl_seconds=None,
        door=DOOR,
        trace_id=None,
        batch_id=None,
        conversation_id=None,
        retry_of=None,
        metadata_json=_JSON.encode({SHOWN_ID: sanitise(old.row["ext_id"] or "")}).decode(),
        callback=None,
        want_dlr=old.row["with_delivery_report"] != "0",
        sender=_JSON.encode(ByDevice(device_id, _slot(old))).decode(),
        data_port=content.port,
    )


def _slot(old: OldMessage) -> int | None:
    number = old.row["sim_number"]
    return int(number) - 1 if number is not None and number.isdigit() and number != "0" else None


def _set_state(row: MessageRow, recipient: Row, old: OldMessage, device_id: str, now: UtcMs, does_send: bool) -> None:
    word, error = recipient["state"] or "", recipient["error"]
    can_wait = word == "Pending" and does_send and old.row["is_hashed"] != "1" and (row.expires_at or now) > now
    row.state = "queued" if can_wait else _STATES.get(word, "failed")
    times = old.states
    row.sent_at, row.delivered_at = times.get("Sent"), times.get("Delivered")
    if row.state not in ("queued", "dead_letter"):
        row.device_id = device_id
        row.bound_at = times.get("Processed") or times.get("Sent")
    if row.state == "queued":
        row.scheduled_at = time_of(old.row["schedule_at"])
        row.due_at = max(row.scheduled_at or now, now)
        row.state = "scheduled" if row.due_at > now else "queued"
    if row.state == "uncertain":
        row.uncertain_at = now
    if row.state in _FINAL:
        row.final_at = times.get(word) or row.created_at
    if row.state == "dead_letter":
        row.reason = LEFT_WAITING
    if row.state == "failed":
        row.reason = sanitise(error or "failed")[:200]
