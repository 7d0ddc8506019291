"""Messages read, listed, cancelled, redacted and deleted (https://www.twilio.com/docs/messaging/api/message-resource)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.core.clock import UtcMs, parse_rfc3339
from hub.core.errors import HubError
from hub.devices.reading import list_lines
from hub.dialects.twilio import errors
from hub.dialects.twilio.call import Call
from hub.dialects.twilio.errors import ApiError
from hub.dialects.twilio.resources import message_page, message_resource
from hub.dialects.twilio.words import message_id_of, message_sid
from hub.messages.cancel import Cancel, cancel
from hub.messages.erase import Erase, erase
from hub.messages.search import MessageFilter, find_message
from hub.messages.search import list_messages as read_messages
from hub.messages.views import MessageView

PAGE_SIZE, LARGEST_PAGE = 50, 1000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


async def get_message(call: Call) -> dict[str, Any]:
    """One message."""
    return message_resource(await found_message(call), call.gateway.sid)


async def list_messages(call: Call) -> dict[str, Any]:
    """A page, newest first. `DateSent` and its bounds are held against when the hub took the message."""
    query = call.request.query_params
    size = _number(query.get("PageSize"), PAGE_SIZE, 1, LARGEST_PAGE)
    page = _number(query.get("Page"), 0, 0, 1_000_000)
    after = query.get("PageToken") or None
    before = None if after is None else message_id_of(after)
    if after is not None and before is None:
        raise ApiError(errors.INVALID, 400, "This PageToken is none of this hub's: start from the first page.")
    narrowed = await _filter(call)
    found = await call.services.db.read(read_messages, call.account_id, narrowed, before, size)
    while not found.items and found.next is not None:
        found = await call.services.db.read(read_messages, call.account_id, narrowed, found.next, size)
    sid = call.gateway.sid
    items = [message_resource(view, sid) for view in found.items if view.kind != "call"]
    token = None if found.next is None else message_sid(found.next)
    path, pairs = call.request.url.path, list(query.multi_items())
    return message_page(items, path=path, query=pairs, page=page, size=size, token=token)


async def change_message(call: Call) -> dict[str, Any]:
    """`Status=canceled` stops a message that has not left; an empty `Body` removes the text of one that has ended."""
    view = await found_message(call)
    status = call.form.get("Status")
    if status is not None:
        if status != "canceled":
            raise ApiError(errors.INVALID, 400, "Status can only be set to canceled.")
        await _cancel(call, view)
    elif call.form.has("Body") and call.form.get("Body") is None:
        await _erase(call, view, is_deleted=False)
    else:
        raise ApiError(errors.INVALID, 400, "Give Status=canceled, or an empty Body.")
    return await get_message(call)


async def delete_message(call: Call) -> None:
    """Remove a message that has ended."""
    await _erase(call, await found_message(call), is_deleted=True)


async def found_message(call: Call) -> MessageView:
    message_id = message_id_of(call.request.path_params["message_sid"])
    view = None
    if message_id is not None:
        view = await call.services.db.read(find_message, call.account_id, message_id)
    if view is None or view.kind == "call":
        raise ApiError(errors.NOT_FOUND, 404, f"The requested resource {call.request.url.path} was not found")
    return view


async def _cancel(call: Call, view: MessageView) -> None:
    if view.state not in ("scheduled", "queued", "retried") or view.direction != "mt":
        raise ApiError(errors.NOT_CANCELABLE, 409, f"The message is {view.state} and can no longer be canceled.")
    command = Cancel(account_id=call.account_id, message_id=view.id)
    await call.services.db.writer.submit(cancel, command, *command.keys())


async def _erase(call: Call, view: MessageView, *, is_deleted: bool) -> None:
    command = Erase(account_id=call.account_id, message_id=view.id, is_deleted=is_deleted)
    try:
        await call.services.db.writer.submit(erase, command, *command.keys())
    except HubError as error:
        if error.status == 409:
            raise ApiError(
                errors.NOT_FINISHED, 409, "The message has not ended yet: wait, or cancel it first."
            ) from error
        raise


async def _filter(call: Call) -> MessageFilter:
    query = call.request.query_params
    to, sender = query.get("To") or None, query.get("From") or None
    lines = {}
    if to is not None or sender is not None:
        views = await call.services.db.read(list_lines, call.account_id, now=call.now)
        lines = {view.number: view.id for view in views if view.number is not None}
    peer, line, direction = None, None, None
    if to is not None:
        peer, line, direction = (None, lines[to], "mo") if to in lines else (to, None, "mt")
    if sender is not None:
        if sender in lines:
            line, direction = lines[sender], direction or "mt"
        else:
            peer, direction = sender, direction or "mo"
    since, until = _dates(call)
    return MessageFilter(kind=None, peer=peer, line_id=line, direction=direction, created_from=since, created_to=until)


def _dates(call: Call) -> tuple[UtcMs | None, UtcMs | None]:
    since: UtcMs | None = None
    until: UtcMs | None = None
    for name, value in call.request.query_params.multi_items():
        if not name.startswith("DateSent") or not value:
            continue
        start, end = _moment(value)
        match name[len("DateSent") :]:
            case "":
                since, until = start, end
            case ">":
                since = start
            case "<":
                until = end
    return since, until


def _moment(value: str) -> tuple[UtcMs, UtcMs]:
    """The time that a date or a moment covers: a date its whole day in UTC."""
    try:
        if _DAY.fullmatch(value):
            day = datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
            return _ms(day), _ms(day + timedelta(days=1))
        moment = parse_rfc3339(value)
        return moment, moment + 1
    except (ValueError, OverflowError):
        raise ApiError(
            errors.INVALID, 400, "DateSent is a date like 2026-01-31, or a time like 2026-01-31T09:00:00Z."
        ) from None


def _ms(moment: datetime) -> UtcMs:
    return int(moment.timestamp()) * 1000


def _number(given: str | None, default: int, least: int, most: int) -> int:
    if not given:
        return default
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise ApiError(errors.INVALID, 400, "Page and PageSize are numbers.")
    return max(least, min(most, int(given)))
