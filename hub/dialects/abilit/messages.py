"""Texts read, listed and cancelled."""

from __future__ import annotations

from typing import Any

from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError, invalid
from hub.core.ids import BadId, is_id, parse, render
from hub.core.results import why
from hub.dialects.abilit.sending import CAMPAIGN, MODE
from hub.dialects.abilit.words import PROVIDER, STATES, STATUSES, provider_code
from hub.dialects.json_door import Call
from hub.messages.cancel import Cancel, cancel
from hub.messages.search import MessageFilter, find_message
from hub.messages.search import list_messages as read_messages
from hub.messages.timeline import read_timeline
from hub.messages.views import MessageView

PAGE = 50


async def get_message(call: Call) -> dict[str, Any]:
    """One text, with everything that happened to it."""
    view = await _found(call)
    timeline = await call.services.db.read(read_timeline, call.account_id, view.id)
    events = [
        {
            "status": STATUSES.get(hop.to_state or ""),
            "applied": hop.is_applied,
            "timestamp": rfc3339(hop.at),
            "provider": PROVIDER if hop.actor in ("phone", "network") else None,
            "text": hop.sentence,
        }
        for hop in (timeline.entries if timeline is not None else ())
    ]
    return {**row_of(view), "events": events}


async def list_messages(call: Call) -> dict[str, Any]:
    """A page, newest first: `status`, `to`, `campaign`, `cursor`. A page may be short and still have a next one."""
    status, cursor = call.query("status"), call.query("cursor")
    if status is not None and status.upper() not in STATES:
        raise invalid("status", "unknown", f"Use one of {', '.join(STATES)}.")
    if cursor is not None and not is_id(cursor):
        raise HubError(Code.BAD_CURSOR)
    asked = MessageFilter(
        states=() if status is None else (str(STATES[status.upper()]),),
        peer=call.query("to"),
        direction="mt",
        kind="sms",
    )
    page = await call.services.db.read(read_messages, call.account_id, asked, cursor, PAGE)
    campaign = call.query("campaign")
    items = [view for view in page.items if campaign is None or view.metadata.get(CAMPAIGN) == campaign]
    return {"messages": [row_of(view) for view in items], "next_cursor": page.next}


async def cancel_message(call: Call) -> dict[str, Any]:
    """Stop a text; one that a phone already has is asked back, and the phone decides."""
    view = await _found(call)
    command = Cancel(account_id=call.account_id, message_id=view.id)
    await call.services.db.writer.submit(cancel, command, *command.keys())
    return row_of(await _found(call))


async def _found(call: Call) -> MessageView:
    try:
        message_id = parse("message", call.request.path_params["message_id"])
    except BadId:
        raise HubError(Code.NOT_FOUND) from None
    view = await call.services.db.read(find_message, call.account_id, message_id)
    if view is None or view.kind == "call":
        raise HubError(Code.NOT_FOUND)
    return view


def row_of(view: MessageView) -> dict[str, Any]:
    """A text as lists and answers show it."""
    is_inbound = view.direction == "mo"
    return {
        "message_id": render("message", view.id),
        "status": STATUSES[view.state],
        "direction": "inbound" if is_inbound else "outbound",
        "to": view.line_number if is_inbound else view.peer,
        "from": view.peer if is_inbound else view.line_number,
        "body": view.text,
        "parts": view.segments,
        "provider": None if view.device_id is None else PROVIDER,
        "provider_code": provider_code(view.state, view.error_code, view.reason),
        "reason": why(view.reason),
        "mode": view.metadata.get(MODE),
        "campaign": view.metadata.get(CAMPAIGN),
        "metadata": {name: value for name, value in view.metadata.items() if name not in (MODE, CAMPAIGN)},
        "created_at": rfc3339(view.created_at),
        "sent_at": None if view.sent_at is None else rfc3339(view.sent_at),
        "delivered_at": None if view.delivered_at is None else rfc3339(view.delivered_at),
    }
