"""`POST /api/v1/sms/send`, and how everything is refused: `{"error": {"code", "message", "field"}}`."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from starlette.responses import Response

from hub.core.clock import UtcMs, parse_rfc3339, rfc3339
from hub.core.commands import BULK, HIGH, NORMAL, AnyLine, ByName, CallbackTarget, SendRequest
from hub.core.encoding import measure
from hub.core.errors import HubError, invalid
from hub.core.ids import render
from hub.core.text import sanitise
from hub.dialects.abilit.words import PROVIDER
from hub.dialects.json_door import Call
from hub.http import json_response, problem_headers
from hub.messages.accept import take_in
from hub.messages.idempotency import Accepted, RecipientResult
from hub.messages.limits import send_limits
from hub.messages.prepare import prepare

DOOR = "abilit"
FORMAT = "abilit"
LONGEST_BODY = 1600
MOST_RECIPIENTS = 1000
LONGEST_KEY = 255
MODE, CAMPAIGN = "mode", "campaign"
"""Kept with the text's metadata, and told with it."""
PRIORITIES = {"low": BULK, "normal": NORMAL, "high": HIGH, "critical": HIGH}

Address = Annotated[str, msgspec.Meta(max_length=64)]


class TextToSend(msgspec.Struct):
    """The body; unknown fields are passed over."""

    to: Address | Annotated[list[Address], msgspec.Meta(min_length=1, max_length=MOST_RECIPIENTS)]
    body: Annotated[str, msgspec.Meta(max_length=LONGEST_BODY)]
    from_: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = msgspec.field(name="from", default=None)
    priority: Literal["low", "normal", "high", "critical"] = "normal"
    callback_url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)] | None = None
    mode: Literal["transactional", "promotional", "alert", "two_way"] | None = None
    campaign: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    schedule_at: str | None = None
    validity_s: Annotated[int, msgspec.Meta(ge=1, le=31_536_000)] | None = None
    provider: str | None = None
    encoding: Literal["auto", "gsm7", "ucs2"] = "auto"
    metadata: dict[str, str] = {}


_BODY = msgspec.json.Decoder(TextToSend)


async def send(call: Call) -> dict[str, Any]:
    """Send a text to one, or the same to many as one text each. 202 means stored."""
    body = call.body(_BODY)
    _check(body)
    settings = await call.services.credentials.settings_of(call.account_id)
    key = _idempotency_key(call)
    request = SendRequest(
        account_id=call.account_id,
        door=DOOR,
        recipients=(),
        text=body.body,
        sender=AnyLine() if body.from_ is None else ByName(body.from_),
        strict_sender=settings.strict_sender,
        priority=PRIORITIES[body.priority],
        ttl_seconds=body.validity_s,
        scheduled_at=_moment(body.schedule_at),
        metadata=_metadata(body),
        idempotency_key=key,
        request_sha256=None if key is None else hashlib.sha256(call.raw).hexdigest(),
        callback=_callback(call, body),
        trace_id=call.trace_id,
    )
    limits = send_limits(call.services.config, settings, max_characters=LONGEST_BODY)
    recipients = [body.to] if isinstance(body.to, str) else body.to
    prepared = prepare(request, recipients, limits, now=call.now, new_id=call.new_id)
    accepted = await take_in(call.services.db.writer, prepared)
    if isinstance(body.to, str):
        return _taken(accepted, accepted.results[0], body.from_)
    return {
        "batch_id": None if accepted.batch_id is None else render("batch", accepted.batch_id),
        "messages": [_taken(accepted, result, body.from_) for result in accepted.results],
    }


def _taken(accepted: Accepted, result: RecipientResult, sender: str | None) -> dict[str, Any]:
    if result.error is not None:
        return {"to": result.to, "error": {"code": result.error.code, "message": result.error.message, "field": "to"}}
    return {
        "message_id": render("message", result.message_id or ""),
        "status": "scheduled" if result.state == "scheduled" else "queued",
        "to": result.peer,
        "from": sender,
        "parts": accepted.segments,
        "provider": None,
        "created_at": rfc3339(accepted.created_at),
    }


def _check(body: TextToSend) -> None:
    if body.provider not in (None, "", PROVIDER):
        raise invalid("provider", "unknown", f"There is no such provider: use {PROVIDER}, or leave it out.")
    if body.encoding == "gsm7" and measure(sanitise(body.body)).encoding != "gsm7":
        raise invalid("encoding", "gsm7", "The body holds a character that GSM-7 has not: use auto, or change it.")


def _metadata(body: TextToSend) -> dict[str, str]:
    named = {MODE: body.mode, CAMPAIGN: body.campaign}
    return {**body.metadata, **{name: value for name, value in named.items() if value is not None}}


def _moment(given: str | None) -> UtcMs | None:
    if given is None:
        return None
    try:
        return parse_rfc3339(given)
    except ValueError:
        raise invalid("schedule_at", "time", "Give a time like 2026-01-31T09:00:00Z.") from None


def _callback(call: Call, body: TextToSend) -> CallbackTarget | None:
    if body.callback_url is None:
        return None
    target = CallbackTarget(FORMAT, body.callback_url)
    call.services.webhooks.check_callback(target, field="callback_url")
    return target


def _idempotency_key(call: Call) -> str | None:
    key = call.request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= character <= "~" for character in key):
        raise invalid("Idempotency-Key", "value", f"Give 1 to {LONGEST_KEY} visible ASCII characters.")
    return key


def refuse(error: HubError) -> Response:
    """A fault in the vendor's shape."""
    field = error.fields[0].field if error.fields else None
    fault = {"code": str(error.code), "message": error.detail, "field": field}
    status = 403 if error.code == "opted_out" else error.status
    return json_response({"error": fault}, status, problem_headers(error))
