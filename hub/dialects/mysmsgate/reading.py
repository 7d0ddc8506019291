"""What was sent and received, the phones, and what is left of the credits."""

from __future__ import annotations

from typing import Any

from hub.accounts.credits import amount_of
from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import BadId, parse, render
from hub.core.results import why
from hub.devices.reading import list_devices as read_devices
from hub.devices.reading import list_lines
from hub.dialects.json_door import Call
from hub.dialects.mysmsgate.words import STATUSES, status_text
from hub.messages.search import MessageFilter, find_message, list_messages
from hub.messages.views import MessageView
from hub.storage.credits import find_credits

LONGEST_HISTORY = 200
_DIRECTIONS = {"out": "mt", "in": "mo"}
_SOURCES = {"dashboard": "web"}


async def get_sms(call: Call) -> dict[str, Any]:
    """One text by its `sms_id`."""
    try:
        message_id = parse("message", call.query("id") or "")
    except BadId:
        raise HubError(Code.NOT_FOUND) from None
    view = await call.services.db.read(find_message, call.account_id, message_id)
    if view is None or view.kind == "call":
        raise HubError(Code.NOT_FOUND)
    return {"success": True, "sms_id": render("message", view.id), **_row(view, await _slots(call))}


async def list_history(call: Call) -> dict[str, Any]:
    """The newest texts, at most 200."""
    direction = call.query("direction")
    if direction is not None and direction not in _DIRECTIONS:
        raise HubError(Code.VALIDATION, "direction is out or in.")
    limit = call.query("limit") or str(LONGEST_HISTORY)
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= LONGEST_HISTORY:
        raise HubError(Code.VALIDATION, f"limit is a number from 1 to {LONGEST_HISTORY}.")
    asked = MessageFilter(kind="sms", direction=_DIRECTIONS[direction] if direction else None)
    found: list[MessageView] = []
    after: str | None = None
    while len(found) < int(limit):
        page = await call.services.db.read(list_messages, call.account_id, asked, after, int(limit) - len(found))
        found += page.items
        after = page.next
        if after is None:
            break
    slots = await _slots(call)
    return {"success": True, "history": [_row(view, slots) for view in found]}


async def list_devices(call: Call) -> dict[str, Any]:
    """The phones with their SIMs."""
    lines = await call.services.db.read(list_lines, call.account_id, now=call.now)
    devices: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = await call.services.db.read(read_devices, call.account_id, now=call.now, after=after)
        for device in page.items:
            sims = [
                {"slot": line.slot, "number": line.number, "carrier": line.carrier}
                for line in lines
                if line.device_id == device.id
            ]
            devices.append(
                {
                    "id": render("device", device.id),
                    "name": device.name,
                    "status": "online" if device.is_online else "offline",
                    "sims": sims,
                    "last_seen": None if device.last_seen_at is None else rfc3339(device.last_seen_at),
                }
            )
        after = page.next
        if after is None:
            return {"success": True, "devices": devices}


async def get_balance(call: Call) -> dict[str, Any]:
    """What is left to send with; nulls where the account pays nothing for its texts."""
    row = await call.services.db.read(find_credits, call.account_id)
    if row is None or not row.is_on:
        return {"success": True, "balance": None, "currency": None, "price_per_sms": None}
    return {
        "success": True,
        "balance": amount_of(row.balance_micros),
        "currency": row.currency,
        "price_per_sms": amount_of(row.price_micros),
    }


async def _slots(call: Call) -> dict[str, int | None]:
    lines = await call.services.db.read(list_lines, call.account_id, now=call.now, include_removed=True)
    return {line.id: line.slot for line in lines}


def _row(view: MessageView, slots: dict[str, int | None]) -> dict[str, Any]:
    is_in = view.direction == "mo"
    return {
        "id": render("message", view.id),
        "direction": "in" if is_in else "out",
        "phone_from": view.peer if is_in else view.line_number,
        "phone_to": view.line_number if is_in else view.peer,
        "message": view.text,
        "status": STATUSES[view.state],
        "status_text": status_text(view.state, view.reason),
        "error_message": why(view.reason) if STATUSES[view.state] == "failed" else None,
        "source": "phone" if is_in else _SOURCES.get(view.door, "api"),
        "device_id": None if view.device_id is None else render("device", view.device_id),
        "slot": slots.get(view.line_id or ""),
        "created_at": rfc3339(view.created_at),
    }
