"""Which line a text would leave by, and why, before it is sent."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.core.address import BadAddress, parse_recipient
from hub.core.commands import AnyLine, ByLine
from hub.core.errors import Code, FieldError, HubError
from hub.dialects.native_v1.fields import (
    Address,
    LineId,
    Model,
    Request,
    UtcTime,
    bare_or_none,
    out_or_none,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoQuery, Operation
from hub.dialects.native_v1.own_lines import own_sender
from hub.messages.senders import preview_sender


class SenderQuestion(Request):
    """Who is to be texted, and by which line if not by any."""

    to: Address
    line_id: LineId | None = None
    segments: Annotated[int, Meta(ge=1, le=255)] = 1
    has_media: Annotated[bool, Meta(description="Something is attached: only lines that send MMS are chosen.")] = False


class Obstacle(Model):
    """Why the line cannot send at once; the text waits."""

    reason: Annotated[str, Meta(description="`phone_offline`, `budget`, `paused`, `line_disabled`, `sim_missing` …")]
    sentence: str
    until: Annotated[UtcTime | None, Meta(description="When it passes by itself; null = when something changes.")]


class SenderChoice(Model):
    """What sending now would choose."""

    peer: Annotated[str, Meta(description="The number as it is sent to.")]
    line_id: Annotated[LineId | None, Meta(description="null: no line at all.")]
    why: Annotated[
        str, Meta(description="`asked`, `sticky`, `least_loaded`, `only_line`, `failover`, or why there is none.")
    ]
    sentence: str
    obstacle: Obstacle | None
    opted_out_at: Annotated[UtcTime | None, Meta(description="The peer asked to hear no more: it would be refused.")]


async def choose_sender(call: Call[NoQuery, SenderQuestion]) -> SenderChoice:
    """Choose a sender.

    The line that a text to this number would leave by now, and why. Nothing is stored, and the text itself is routed when it is sent.
    """
    body = call.body
    settings = await call.services.credentials.settings_of(call.account_id)
    try:
        recipient = parse_recipient(body.to, settings.default_region or call.services.config.default_region)
    except BadAddress as error:
        raise HubError(Code.BAD_RECIPIENT, str(error), (FieldError("to", error.fault.value, str(error)),)) from error
    line_id = bare_or_none("line", body.line_id, "line_id")
    sender = await own_sender(call, AnyLine() if line_id is None else ByLine(line_id), body.to)
    view = await call.read(
        preview_sender,
        call.account_id,
        recipient,
        sender,
        1 if body.has_media else body.segments,
        needs_mms=body.has_media,
        now=call.now,
        new_id=call.new_id,
    )
    obstacle = view.obstacle
    return SenderChoice(
        peer=view.peer,
        line_id=out_or_none("line", view.line_id),
        why=view.why,
        sentence=view.sentence,
        obstacle=None
        if obstacle is None
        else Obstacle(reason=obstacle.reason, sentence=obstacle.sentence, until=time_or_none(obstacle.retry_at)),
        opted_out_at=time_or_none(view.opted_out.at if view.opted_out else None),
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST",
        path="/v1/senders",
        run=choose_sender,
        knows_lines=True,
        scope=Scope.MESSAGES_READ,
        query=NoQuery,
        body=SenderQuestion,
        returns=SenderChoice,
        errors=(Code.BAD_RECIPIENT,),
        example={"to": "+491701234567"},
    ),
)
