"""Texts: read, found, cancelled, sent again, and explained hop by hop."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from hub.core.status import Status
from hub.dialects.native_v1.fields import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    LineId,
    MessageId,
    Model,
    Request,
    UtcTime,
    bare_or_none,
    out,
    time,
)
from hub.dialects.native_v1.message_filter import TextsFilter, asked_for
from hub.dialects.native_v1.message_models import Message, MessagePage, shown
from hub.dialects.native_v1.operation import Answer, AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.own_lines import own_message
from hub.dialects.native_v1.sending import IDEMPOTENCY_HEADER, Taken, answered, idempotency_key, request_hash
from hub.messages.cancel import Cancel, cancel
from hub.messages.resend import Replay, Resend, replay, resend
from hub.messages.search import find_message
from hub.messages.search import list_messages as read_messages
from hub.messages.timeline import read_timeline

ACTOR = "api"


class Resending(Request):
    """How to send it again."""

    line_id: Annotated[LineId | None, Meta(description="Send from this line; null = as the first time.")] = None


class Hop(Model):
    """One step of a text's way."""

    at: UtcTime
    actor: Annotated[str, Meta(description="`api`, `hub`, `phone`, `operator` or `network`.")]
    kind: str
    from_state: Status | None
    to_state: Status | None
    is_applied: Annotated[bool, Meta(description="false: it came too late, or was known already, and changed nothing.")]
    sentence: str
    data: Annotated[dict[str, str | int | float | bool | None], Meta(description="The facts the sentence is made of.")]
    raw: Annotated[str | None, Meta(description="The raw report, as it came.")]


class Timeline(Model):
    """Everything that happened to a text, in order."""

    message_id: MessageId
    state: Status
    items: list[Hop]


class MessagesQuery(TextsFilter):
    """Which texts to list, a page at a time."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class CancelOutcome(Model):
    """How a cancel went."""

    message_id: MessageId
    state: Status
    is_final: Annotated[
        bool, Meta(description="true: it is cancelled. false: the phone that holds it was asked, and decides.")
    ]


async def list_messages(call: Call[MessagesQuery, None]) -> MessagePage:
    """List texts.

    Newest first, unless asked otherwise. A page may be short and still have a next one: a search looks at so many at a time.
    """
    query = call.query
    page = await call.read(read_messages, call.account_id, asked_for(call), query.cursor, query.limit)
    return MessagePage(items=[shown(view) for view in page.items], next_cursor=page.next)


async def get_message(call: Call[NoQuery, None]) -> Message:
    """Read one text."""
    return shown(await own_message(call, call.path["message_id"]))


async def get_message_timeline(call: Call[NoQuery, None]) -> Timeline:
    """Read what happened to a text.

    Every hop with its time, who did it, one plain sentence, and the raw report.
    """
    await own_message(call, call.path["message_id"])
    view = found(await call.read(read_timeline, call.account_id, call.path["message_id"]))
    return Timeline(
        message_id=out("message", view.message_id),
        state=Status(view.state),
        items=[
            Hop(
                at=time(hop.at),
                actor=hop.actor,
                kind=hop.kind,
                from_state=None if hop.from_state is None else Status(hop.from_state),
                to_state=None if hop.to_state is None else Status(hop.to_state),
                is_applied=hop.is_applied,
                sentence=hop.sentence,
                data=hop.data,
                raw=hop.raw,
            )
            for hop in view.entries
        ],
    )


async def cancel_message(call: Call[NoQuery, None]) -> Answer[CancelOutcome]:
    """Cancel a text.

    200: it is cancelled. 202: a phone holds it and was asked; the text's state says how that ends.
    """
    await _refuse_foreign(call)
    command = Cancel(account_id=call.account_id, message_id=call.path["message_id"], by=ACTOR)
    result = await call.write(cancel, command)
    outcome = CancelOutcome(
        message_id=out("message", result.message_id), state=Status(result.state), is_final=result.is_final
    )
    return Answer(outcome, status=200 if result.is_final else 202)


async def resend_message(call: Call[NoQuery, Resending | None]) -> Answer[Taken]:
    """Send an ended text again.

    As a new text, which names the old one in `retry_of`. A text whose fate is unknown may be sent again too: it may then arrive twice.
    """
    body = call.body or Resending()
    line_id = await _resending_line(call, bare_or_none("line", body.line_id, "line_id"))
    command = Resend(
        account_id=call.account_id,
        message_id=call.path["message_id"],
        new_id=call.new_id(),
        by=ACTOR,
        line_id=line_id,
        trace_id=call.trace_id,
        idempotency_key=idempotency_key(call),
        request_sha256=request_hash(call),
    )
    return answered(await call.write(resend, command))


async def replay_message(call: Call[NoQuery, None]) -> Message:
    """Put a dead letter back into the queue.

    Its tries and its time to live are counted anew.
    """
    message_id = call.path["message_id"]
    await _refuse_foreign(call)
    await call.write(replay, Replay(account_id=call.account_id, message_id=message_id, by=ACTOR))
    return shown(found(await call.read(find_message, call.account_id, message_id)))


async def _refuse_foreign(call: Call[Any, Any]) -> None:
    """Raise `not_found` for a text that somebody who sees some lines only does not see."""
    if call.line_ids is not None:
        await own_message(call, call.path["message_id"])


async def _resending_line(call: Call[Any, Any], asked: str | None) -> str | None:
    """The line to send again by: somebody who sees some lines only stays on them, also when the text was free to go by any."""
    if call.line_ids is None:
        return asked
    view = await own_message(call, call.path["message_id"])
    if asked is not None and asked not in call.line_ids:
        raise HubError(Code.UNKNOWN_SENDER)
    return asked or view.line_id


_ONE = "/v1/messages/{message_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        knows_lines=True, method="GET", path="/v1/messages", run=list_messages, scope=Scope.MESSAGES_READ,
        query=MessagesQuery, body=NoBody,
        returns=MessagePage,
    ),
    Operation(
        knows_lines=True, method="GET", path=_ONE, run=get_message, scope=Scope.MESSAGES_READ,
        query=NoQuery, body=NoBody, returns=Message,
    ),
    Operation(
        knows_lines=True, method="GET", path=_ONE + "/timeline", run=get_message_timeline, scope=Scope.MESSAGES_READ, query=NoQuery,
        body=NoBody, returns=Timeline,
    ),
    Operation(
        knows_lines=True, method="POST", path=_ONE + "/cancel", run=cancel_message, scope=Scope.MESSAGES_SEND, query=NoQuery, body=NoBody,
        returns=CancelOutcome, other_statuses={202: "The phone that holds it was asked."}, errors=(Code.CANCEL_TOO_LATE,),
    ),
    Operation(
        knows_lines=True, method="POST", path=_ONE + "/resend", run=resend_message, scope=Scope.MESSAGES_SEND,
        query=NoQuery, body=Resending,
        is_body_optional=True, returns=Taken, status=202, request_headers=IDEMPOTENCY_HEADER,
        errors=(Code.NOT_RETRYABLE, Code.UNKNOWN_SENDER, Code.NO_MMS_LINE, Code.OPTED_OUT, Code.IDEMPOTENCY_CONFLICT),
    ),
    Operation(
        knows_lines=True, method="POST", path=_ONE + "/replay", run=replay_message, scope=Scope.MESSAGES_SEND, query=NoQuery, body=NoBody,
        returns=Message, errors=(Code.CONFLICT,),
    ),
)  # fmt: skip
