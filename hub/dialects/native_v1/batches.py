"""Requests to many recipients: progress, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.status import FINAL, Status
from hub.dialects.native_v1.fields import (
    BatchId,
    Count,
    Model,
    NextCursor,
    PageQuery,
    UtcTime,
    out,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import id_cursor
from hub.messages import batches
from hub.messages.forecast import BatchForecast, forecast_batches
from hub.messages.views import BatchView

ACTOR = "api"


class StateCount(Model):
    """How many texts of a batch are in one state."""

    state: Status
    count: Count


class Batch(Model):
    """A request to many recipients."""

    id: BatchId
    name: str | None
    total: Annotated[Count, Meta(description="Texts that were taken.")]
    refused: Annotated[Count, Meta(description="Recipients that were not, and are stored nowhere.")]
    finished: Annotated[Count, Meta(description="Texts that have ended, one way or another.")]
    states: list[StateCount]
    created_at: UtcTime
    paused_at: UtcTime | None
    cancelled_at: UtcTime | None
    rows_expected: Annotated[
        Count | None, Meta(description="A batch that is filled row by row: how many rows its maker brings.")
    ] = None
    starts_at: Annotated[
        UtcTime | None, Meta(description="When the first of its texts that wait for their time goes.")
    ] = None
    expected_end_at: Annotated[
        UtcTime | None,
        Meta(
            description="When the last is sent, about: from the pace and the budgets of its lines. "
            "null: nothing waits, it is paused, or nobody can say."
        ),
    ] = None


class BatchPage(Model):
    """Batches, newest first."""

    items: list[Batch]
    next_cursor: NextCursor


class BatchChange(Model):
    """What became of the texts of a batch that was cancelled, paused or resumed."""

    batch: Batch
    cancelled: Annotated[Count, Meta(description="Texts that were in the hub and are cancelled now.")]
    asked: Annotated[Count, Meta(description="Texts that are on a phone: the phone was asked, and decides.")]
    too_late: Annotated[Count, Meta(description="Texts that had been sent or had ended.")]
    waiting: Annotated[Count, Meta(description="Texts that a pause holds, or that were let go on.")]


NOTHING = BatchForecast(waiting=0)


def shown(view: BatchView, forecast: BatchForecast = NOTHING) -> Batch:
    """A batch as customers see it."""
    counts = [StateCount(state=Status(state), count=count) for state, count in sorted(view.counts.items())]
    return Batch(
        id=out("batch", view.id),
        name=view.name,
        total=view.total,
        refused=view.refused,
        finished=sum(one.count for one in counts if one.state in FINAL),
        states=counts,
        created_at=time(view.created_at),
        paused_at=time_or_none(view.paused_at),
        cancelled_at=time_or_none(view.cancelled_at),
        rows_expected=view.rows_expected,
        starts_at=time_or_none(forecast.starts_at),
        expected_end_at=time_or_none(forecast.ends_at),
    )


async def _with_forecast(call: Call[Any, Any], views: Sequence[BatchView]) -> list[Batch]:
    forecasts = await call.read(forecast_batches, call.account_id, views, call.now, call.line_ids)
    return [shown(view, forecasts.get(view.id, NOTHING)) for view in views]


async def list_batches(call: Call[PageQuery, None]) -> BatchPage:
    """List batches.

    Who sees some lines only is shown what these have of each batch.
    """
    cursor, limit = id_cursor(call.query.cursor), call.query.limit
    page = await call.read(batches.list_batches, call.account_id, cursor, limit, call.line_ids)
    return BatchPage(items=await _with_forecast(call, page.items), next_cursor=page.next)


async def get_batch(call: Call[NoQuery, None]) -> Batch:
    """Read one batch.

    How far it has come. Its texts are listed by `GET /v1/messages?batch_id=…`.
    """
    view = found(await call.read(batches.find_batch, call.account_id, call.path["batch_id"], call.line_ids))
    return (await _with_forecast(call, [view]))[0]


async def cancel_batch(call: Call[NoQuery, None]) -> BatchChange:
    """Cancel what is left of a batch.

    Texts still in the hub end at once. A phone is asked for those it holds. Texts already sent stay sent.
    """
    return await _change(call, "cancel")


async def pause_batch(call: Call[NoQuery, None]) -> BatchChange:
    """Pause a batch.

    No further text of it goes to a phone. Their time to live goes on.
    """
    return await _change(call, "pause")


async def resume_batch(call: Call[NoQuery, None]) -> BatchChange:
    """Go on with a paused batch."""
    return await _change(call, "resume")


async def _change(call: Call[NoQuery, None], action: Literal["cancel", "pause", "resume"]) -> BatchChange:
    batch_id = call.path["batch_id"]
    command = batches.ChangeBatch(account_id=call.account_id, batch_id=batch_id, action=action, by=ACTOR)
    done = await call.write(batches.change_batch, command)
    view = found(await call.read(batches.find_batch, call.account_id, batch_id))
    return BatchChange(
        batch=(await _with_forecast(call, [view]))[0],
        cancelled=done.cancelled,
        asked=done.asked,
        too_late=done.too_late,
        waiting=done.waiting,
    )


_ALL = "/v1/batches"
_ONE = "/v1/batches/{batch_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_batches, knows_lines=True, scope=Scope.MESSAGES_READ, query=PageQuery, body=NoBody,
        returns=BatchPage,
    ),
    Operation(
        method="GET", path=_ONE, run=get_batch, knows_lines=True, scope=Scope.MESSAGES_READ, query=NoQuery, body=NoBody, returns=Batch
    ),
    Operation(
        method="POST", path=_ONE + "/cancel", run=cancel_batch, scope=Scope.MESSAGES_SEND, query=NoQuery, body=NoBody,
        returns=BatchChange, errors=(Code.CANCEL_TOO_LATE, Code.CONFLICT),
    ),
    Operation(
        method="POST", path=_ONE + "/pause", run=pause_batch, scope=Scope.MESSAGES_SEND, query=NoQuery, body=NoBody,
        returns=BatchChange, errors=(Code.CONFLICT,),
    ),
    Operation(
        method="POST", path=_ONE + "/resume", run=resume_batch, scope=Scope.MESSAGES_SEND, query=NoQuery, body=NoBody,
        returns=BatchChange, errors=(Code.CONFLICT,),
    ),
)  # fmt: skip
