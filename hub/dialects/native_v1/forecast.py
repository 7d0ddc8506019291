"""When texts to many would have been sent, before anybody sends them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from hub.accounts.scopes import Scope
from hub.core.commands import AnyLine, ByLine, ByName, Sender
from hub.dialects.native_v1.fields import LARGEST, LineId, Model, Request, UtcTime, bare, moment_or_none, time_or_none
from hub.dialects.native_v1.operation import AnyOperation, Call, NoQuery, Operation
from hub.dialects.native_v1.sending import FromName
from hub.messages.forecast import forecast_send


class SendToForecast(Request):
    """Texts that are not sent yet."""

    segments: Annotated[int, Meta(ge=1, le=LARGEST, description="Of all texts together.")]
    from_: FromName | None = field(name="from", default=None)
    line_id: LineId | None = None
    send_at: UtcTime | None = None


class Forecast(Model):
    """What is to be expected."""

    expected_end_at: Annotated[
        UtcTime | None,
        Meta(
            description="When the last would be sent, about: from the pace and the budgets of the lines, and what waits "
            "for them. null: no line can, or it takes more than a year."
        ),
    ]


async def forecast_texts(call: Call[NoQuery, SendToForecast]) -> Forecast:
    """Forecast texts to many.

    Sends nothing. It takes it that phones stay online and nothing else is queued.
    """
    body = call.body
    end = await call.read(
        forecast_send,
        call.account_id,
        _sender(body),
        body.segments,
        call.now,
        not_before=moment_or_none(body.send_at, "send_at"),
    )
    return Forecast(expected_end_at=time_or_none(end))


def _sender(body: SendToForecast) -> Sender:
    if body.line_id is not None:
        return ByLine(bare("line", body.line_id, "line_id"))
    return AnyLine() if body.from_ is None else ByName(body.from_)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST",
        path="/v1/forecast",
        run=forecast_texts,
        scope=Scope.MESSAGES_READ,
        query=NoQuery,
        body=SendToForecast,
        returns=Forecast,
        example={"segments": 2400},
    ),
)
