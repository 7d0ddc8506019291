"""`POST /api/v1/send`, and how everything is refused: `{"success": false, "error", "message"}`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.responses import Response

from hub.core.commands import AnyLine, ByDevice, Sender, SendRequest
from hub.core.errors import Code, HubError
from hub.core.ids import BadId, parse, render
from hub.dialects.json_door import Call
from hub.http import json_response, problem_headers
from hub.messages.accept import take_in
from hub.messages.limits import send_limits
from hub.messages.prepare import prepare

DOOR = "mysmsgate"

Slot = Annotated[int, msgspec.Meta(ge=0, le=1)]


class TextToSend(msgspec.Struct):
    """The body; unknown fields are passed over, as the vendor does."""

    to: Annotated[str, msgspec.Meta(max_length=64)]
    message: Annotated[str, msgspec.Meta(max_length=39_015)]
    device_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    slot: Slot | None = None
    """0 or 1: SIM 1 or SIM 2; absent = the hub chooses."""
    sim_slot: Slot | None = None
    """The same under another name."""


_BODY = msgspec.json.Decoder(TextToSend)


async def send(call: Call) -> dict[str, Any]:
    """Send a text. 202 means stored; without `device_id` the hub chooses the line as it always does."""
    body = call.body(_BODY)
    sender = _sender(body)
    settings = await call.services.credentials.settings_of(call.account_id)
    request = SendRequest(
        account_id=call.account_id,
        door=DOOR,
        recipients=(),
        text=body.message,
        sender=sender,
        strict_sender=True,
        trace_id=call.trace_id,
    )
    limits = send_limits(call.services.config, settings)
    prepared = prepare(request, [body.to], limits, now=call.now, new_id=call.new_id)
    try:
        accepted = await take_in(call.services.db.writer, prepared)
    except HubError as error:
        if error.code is Code.UNKNOWN_SENDER:
            raise _no_such_device() from error
        raise
    shown = render("message", accepted.results[0].message_id or "")
    return {"success": True, "sms_id": shown, "message_id": shown, "status": "pending"}


def _sender(body: TextToSend) -> Sender:
    slot = body.slot if body.slot is not None else body.sim_slot
    if body.device_id is None:
        if slot is not None:
            raise HubError(Code.VALIDATION, "slot counts the SIMs of a phone: give device_id with it.")
        return AnyLine()
    try:
        return ByDevice(parse("device", body.device_id), slot)
    except BadId:
        raise _no_such_device() from None


def _no_such_device() -> HubError:
    return HubError(Code.NOT_FOUND, "There is no such device, or it has no such SIM: GET /api/v1/devices lists them.")


def refuse(error: HubError) -> Response:
    """A fault in the vendor's shape."""
    body = {"success": False, "error": str(error.code), "message": error.detail}
    return json_response(body, error.status, problem_headers(error))
