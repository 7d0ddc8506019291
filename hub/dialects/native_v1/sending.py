"""Sending texts: the hottest operation of the API."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field
from msgspec.structs import replace

from hub.accounts.scopes import Scope
from hub.core.commands import (
    PRIORITIES,
    AnyLine,
    ByDevice,
    ByLine,
    ByName,
    CallbackTarget,
    Sender,
    SendRequest,
    SentMedium,
)
from hub.core.errors import Code, invalid
from hub.core.events import EventType
from hub.core.media import MOST_MEDIA
from hub.core.status import STATUSES, Status
from hub.dialects.native_v1.fields import (
    Address,
    BatchId,
    ConversationId,
    Count,
    DeviceId,
    LineId,
    MediaId,
    MessageId,
    Model,
    Name,
    Request,
    UtcTime,
    bare,
    moment_or_none,
    out_or_none,
    time,
)
from hub.dialects.native_v1.message_models import Encoding, Priority
from hub.dialects.native_v1.operation import Answer, AnyOperation, Call, NoQuery, Operation
from hub.dialects.native_v1.own_lines import own_sender
from hub.media.uploading import uploaded
from hub.messages.accept import take_in
from hub.messages.idempotency import ANSWERED, Accepted, RecipientResult, is_answered
from hub.messages.limits import send_limits
from hub.messages.prepare import prepare
from hub.messages.views import encoding_of

DOOR = "v1"
LONGEST_KEY = 255
MOST_CHARACTERS = 39_015
"""255 segments, the most that can be joined (3GPP TS 23.040 §9.2.3.24.1); the hub's own limit is lower and counts segments."""
IDEMPOTENCY_HEADER = {
    "Idempotency-Key": "Makes repeating the request safe. Kept for 24 hours, and until all its texts have ended."
}

FromName = Annotated[
    str,
    Meta(min_length=1, max_length=64, description="A line's number, alias or pool. Without a sender the hub chooses."),
]
Metadata = Annotated[
    dict[str, str], Meta(description="Up to 50 entries of yours, passed back with every event of the text.")
]


class Callback(Request):
    """A webhook for these texts alone, beside those of the account."""

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    format: Annotated[str, Meta(min_length=1, max_length=32)] = "standard"
    events: Annotated[list[EventType], Meta(description="Empty = those the format sends by itself.")] = field(
        default_factory=list
    )


class SenderChoice(Request):
    """Who is to send; nothing = the hub chooses."""

    from_: FromName | None = field(name="from", default=None)
    line_id: LineId | None = None
    device_id: DeviceId | None = None
    slot: Annotated[int, Meta(ge=0, le=7, description="With `device_id`: which SIM, from 0.")] | None = None


class TextToSend(Request):
    """A text for one or many."""

    to: Annotated[
        Address | list[Address],
        Meta(
            description="One number, or a list of up to 1,000. National numbers are read with the account's default region."
        ),
    ]
    text: (
        Annotated[str, Meta(max_length=MOST_CHARACTERS, description="May be left out when there are `media`.")]
        | UnsetType
    ) = UNSET
    media: Annotated[
        list[MediaId],
        Meta(max_length=MOST_MEDIA, description="Attachments, as `POST /v1/media` answered them: then it is an MMS."),
    ] = field(default_factory=list)
    from_: FromName | None = field(name="from", default=None)
    line_id: LineId | None = None
    device_id: DeviceId | None = None
    slot: Annotated[int, Meta(ge=0, le=7, description="With `device_id`: which SIM, from 0.")] | None = None
    strict_sender: Annotated[
        bool | None, Meta(description="An unknown `from` is an error; null = as the account is set.")
    ] = None
    send_at: Annotated[UtcTime | None, Meta(description="Not before this time.")] = None
    ttl_seconds: (
        Annotated[
            int, Meta(ge=1, le=31_536_000, description="How long it may wait unsent; null = as the account is set.")
        ]
        | None
    ) = None
    priority: Annotated[Priority, Meta(description="Replies and codes overtake bulk.")] = "normal"
    delivery_report: Annotated[bool, Meta(description="Ask the network to confirm delivery.")] = True
    metadata: Metadata = field(default_factory=dict)
    callback: Callback | None = None
    batch_name: Annotated[Name | None, Meta(description="Names the batch; a batch is made even for one recipient.")] = (
        None
    )
    all_or_nothing: Annotated[bool, Meta(description="One bad recipient refuses the whole request.")] = False


class RecipientProblem(Model):
    """Why a recipient was not taken."""

    code: str
    message: str


class Recipient(Model):
    """What became of one recipient: a text, or an error. Errors are stored nowhere."""

    to: Annotated[str, Meta(description="As it was written.")]
    peer: Annotated[str | None, Meta(description="As it is sent to: E.164.")]
    message_id: MessageId | None
    state: Status | None
    line_id: LineId | None
    line_why: Annotated[str | None, Meta(description="Why this line was chosen.")]
    conversation_id: ConversationId | None
    error: RecipientProblem | None


class Taken(Model):
    """The texts are stored and on their way."""

    batch_id: Annotated[BatchId | None, Meta(description="When the request was for several.")]
    accepted: Count
    refused: Count
    encoding: Encoding
    segments: Annotated[Count, Meta(description="Of each text.")]
    created_at: UtcTime
    expires_at: UtcTime
    results: Annotated[list[Recipient], Meta(description="One per recipient, in the order of the request.")]


_ANY = AnyLine()


def shown(accepted: Accepted) -> Taken:
    """The answer of an acceptance. Made from the stored record alone, so that a repeated request is answered the same."""
    results: list[Recipient] = []
    refused = 0
    for result in accepted.results:
        results.append(_recipient(result))
        refused += result.error is not None
    return Taken(
        batch_id=out_or_none("batch", accepted.batch_id),
        accepted=len(results) - refused,
        refused=refused,
        encoding=encoding_of(accepted.encoding),
        segments=accepted.segments,
        created_at=time(accepted.created_at),
        expires_at=time(accepted.expires_at),
        results=results,
    )


def _recipient(result: RecipientResult) -> Recipient:
    error = result.error
    return Recipient(
        to=result.to,
        peer=result.peer,
        message_id=out_or_none("message", result.message_id),
        state=None if result.state is None else STATUSES[result.state],
        line_id=out_or_none("line", result.line_id),
        line_why=result.line_why,
        conversation_id=out_or_none("conversation", result.conversation_id),
        error=None if error is None else RecipientProblem(code=error.code, message=error.message),
    )


async def send_message(call: Call[NoQuery, TextToSend]) -> Answer[Taken]:
    """Send a text to one or many.

    202 means stored: the texts survive a crash from here on. A list with bad recipients is taken without them, each with its reason in
    `results`; `all_or_nothing` refuses the request instead. With an `Idempotency-Key` the same request again is answered the same and
    sends nothing.
    """
    body = call.body
    credentials = call.services.credentials
    settings = credentials.known_settings_of(call.account_id) or await credentials.settings_of(call.account_id)
    key = idempotency_key(call)
    sender = sender_of(body)
    request = SendRequest(
        account_id=call.account_id,
        door=DOOR,
        recipients=(),
        text=_text(body),
        sender=sender if call.line_ids is None else await own_sender(call, sender, body.to),
        strict_sender=settings.strict_sender if body.strict_sender is None else body.strict_sender,
        priority=PRIORITIES[body.priority],
        ttl_seconds=body.ttl_seconds,
        scheduled_at=moment_or_none(body.send_at, "send_at"),
        metadata=body.metadata,
        idempotency_key=key,
        request_sha256=None if key is None else request_hash(call),
        want_dlr=body.delivery_report,
        trace_id=call.trace_id,
        all_or_nothing=body.all_or_nothing,
    )
    if body.media or body.batch_name is not None or body.callback is not None:
        # Not above with the others: a call with more than fifteen names costs three times as much, and few requests have these.
        media = await _media(call, key) if body.media else ()
        request = replace(request, media=media, batch_name=body.batch_name, callback=_callback(call))
    recipients = [body.to] if isinstance(body.to, str) else body.to
    limits, now = send_limits(call.services.config, settings), call.now
    prepared = prepare(request, recipients, limits, now=now, new_id=partial(call.services.ids.next, now))
    return answered(await take_in(call.services.db.writer, prepared))


def _text(body: TextToSend) -> str:
    if isinstance(body.text, str):
        return body.text
    if not body.media:
        raise invalid("text", "missing", "Give the text, or media.")
    return ""


async def _media(call: Call[NoQuery, TextToSend], key: str | None) -> tuple[SentMedium, ...]:
    services = call.services
    if key is not None and await call.read(is_answered, call.account_id, DOOR, key):
        return (ANSWERED,)
    return await uploaded(services.db, call.account_id, call.body.media, services.config.media_max_message_bytes)


def answered(accepted: Accepted) -> Answer[Taken]:
    """The answer of an acceptance, marked when it is the stored answer of an earlier request."""
    headers = ((b"idempotent-replayed", b"true"),) if accepted.is_replay else ()
    return Answer(shown(accepted), headers=headers)


def sender_of(body: TextToSend | SenderChoice) -> Sender:
    """Who is to send it. Raises `validation` when a request names two senders."""
    if body.from_ is None and body.line_id is None and body.device_id is None and body.slot is None:
        return _ANY
    asked = (("from", body.from_), ("line_id", body.line_id), ("device_id", body.device_id))
    given = [name for name, value in asked if value is not None]
    if len(given) > 1:
        raise invalid(given[1], "two_senders", f"Give one of {' and '.join(given)}, not both.")
    if body.slot is not None and body.device_id is None:
        raise invalid(
            "slot", "without_device", "slot counts the SIMs of a phone: give device_id with it, or leave it out."
        )
    if body.line_id is not None:
        return ByLine(bare("line", body.line_id, "line_id"))
    if body.device_id is not None:
        return ByDevice(bare("device", body.device_id, "device_id"), body.slot)
    return _ANY if body.from_ is None else ByName(body.from_)


def idempotency_key(call: Call[Any, Any]) -> str | None:
    """The request's Idempotency-Key: 1 to 255 visible ASCII characters."""
    key = call.header(b"idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= character <= "~" for character in key):
        raise invalid("Idempotency-Key", "bad_key", f"Give 1 to {LONGEST_KEY} visible ASCII characters.")
    return key


def request_hash(call: Call[Any, Any]) -> str:
    """What tells a repeated request from another one with the same key: its path and its body."""
    return hashlib.sha256(call.scope["path"].encode() + b"\x00" + call.raw_body).hexdigest()


def _callback(call: Call[NoQuery, TextToSend]) -> CallbackTarget | None:
    asked = call.body.callback
    if asked is None:
        return None
    target = CallbackTarget(asked.format, asked.url, tuple(asked.events))
    call.services.webhooks.check_callback(target)
    return target


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST",
        path="/v1/messages",
        run=send_message,
        scope=Scope.MESSAGES_SEND,
        knows_lines=True,
        query=NoQuery,
        body=TextToSend,
        returns=Taken,
        status=202,
        errors=(
            Code.BAD_RECIPIENT,
            Code.TEXT_EMPTY,
            Code.TEXT_TOO_LONG,
            Code.TOO_MANY_RECIPIENTS,
            Code.UNKNOWN_SENDER,
            Code.NO_MMS_LINE,
            Code.OPTED_OUT,
            Code.SCHEDULE_OUT_OF_RANGE,
            Code.IDEMPOTENCY_CONFLICT,
            Code.TARGET_REFUSED,
        ),
        request_headers=IDEMPOTENCY_HEADER,
        example={"to": "+491701234567", "text": "Your order is ready."},
    ),
)
