"""Batches of many different texts: looked through first, then uploaded row by row, as often as it takes."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from msgspec import Meta, field

from hub.accounts.scopes import Scope
from hub.core.commands import PRIORITIES
from hub.core.errors import Code, HubError, invalid
from hub.dialects.native_v1.batches import Batch
from hub.dialects.native_v1.batches import shown as shown_batch
from hub.dialects.native_v1.fields import (
    Address,
    Count,
    MessageId,
    Model,
    Name,
    NextCursor,
    PageQuery,
    Request,
    UtcTime,
    moment_or_none,
    out_or_none,
)
from hub.dialects.native_v1.message_models import Encoding, Priority
from hub.dialects.native_v1.operation import Answer, AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import cut, number_cursor
from hub.dialects.native_v1.sending import (
    DOOR,
    Metadata,
    SenderChoice,
    idempotency_key,
    request_hash,
    sender_of,
)
from hub.messages import bulk
from hub.messages.batches import find_batch
from hub.messages.limits import send_limits
from hub.messages.prepare import checked_schedule, checked_ttl
from hub.storage.batch_rows import StoredRow, list_rows
from hub.storage.consent import opted_out

MOST_ROWS = 1000
MOST_EXPECTED = 1_000_000
MOST_IN_ROW = 5_000
"""Characters; the hub's limit in segments is lower as a rule."""
RowNumber = Annotated[int, Meta(ge=1, le=2_147_483_647, description="Yours; it tells a row that comes twice.")]
UPLOAD_HEADER = {
    "Idempotency-Key": "The same key with the same request finds the batch it made, for as long as that is kept."
}


class BatchToMake(SenderChoice):
    """A batch that takes rows. What is set here holds for all its texts."""

    name: Name = "Batch"
    rows_expected: Annotated[int, Meta(ge=1, le=MOST_EXPECTED, description="How many rows you will bring.")] = 1
    strict_sender: Annotated[
        bool | None, Meta(description="An unknown `from` is an error; null = as the account is set.")
    ] = None
    send_at: Annotated[UtcTime | None, Meta(description="Not before this time.")] = None
    ttl_seconds: (
        Annotated[
            int, Meta(ge=1, le=31_536_000, description="How long each may wait unsent; null = as the account is set.")
        ]
        | None
    ) = None
    priority: Priority = "bulk"
    delivery_report: bool = True
    metadata: Metadata = field(default_factory=dict)


class Row(Request):
    """One recipient and the text for it."""

    row: RowNumber
    to: Address
    text: Annotated[str, Meta(max_length=MOST_IN_ROW)]


Rows = Annotated[list[Row], Meta(min_length=1, max_length=MOST_ROWS, description="No number twice.")]


class RowsToAdd(Request):
    """Rows of a batch."""

    rows: Rows


class RowsToPreview(Request):
    """Rows that are looked through and not stored."""

    rows: Rows


class RowProblem(Model):
    """Why a row is left out."""

    code: Annotated[
        str,
        Meta(description="`duplicate`, `opted_out`, `text_empty`, `text_too_long`, or what is wrong with the number."),
    ]
    message: str
    same_as: Annotated[int | None, Meta(description="A duplicate: the row that came first.")]


class RowPreview(Model):
    """What would become of a row."""

    row: RowNumber
    to: str
    peer: Annotated[str | None, Meta(description="As it would be sent to: E.164.")]
    encoding: Encoding | None
    segments: Count
    problem: RowProblem | None


class RowsPreview(Model):
    """What would become of the rows."""

    items: list[RowPreview]
    good: Count
    segments: Annotated[Count, Meta(description="Of all good rows.")]
    left_out: Annotated[Count, Meta(description="Rows with a `problem`.")]


class RowOutcome(Model):
    """What became of a row: a text, or a reason."""

    row: RowNumber
    to: str
    peer: str | None
    message_id: MessageId | None
    problem: RowProblem | None
    is_repeat: Annotated[bool, Meta(description="It came before; this is what it was answered then.")]


class RowsAdded(Model):
    """The rows are stored, in the order they were given."""

    accepted: Count
    refused: Count
    repeated: Count
    results: list[RowOutcome]


class BatchRow(Model):
    """A stored row."""

    row: RowNumber
    to: str
    peer: str | None
    message_id: MessageId | None
    problem: RowProblem | None


class BatchRowPage(Model):
    """Rows in your order."""

    items: list[BatchRow]
    next_cursor: NextCursor


class BatchRowsQuery(PageQuery):
    """Which rows to list."""

    outcome: Annotated[Literal["accepted", "refused"] | None, Meta(description="Null = all.")] = None


def _problem(code: str | None, sentence: str | None, same_as: int | None) -> RowProblem | None:
    return None if code is None else RowProblem(code=code, message=sentence or code, same_as=same_as)


def _refuse_twice(rows: list[Row]) -> None:
    (number, times) = Counter(row.row for row in rows).most_common(1)[0]
    if times > 1:
        raise invalid("rows", "number_twice", f"Row {number} is in the request {times} times; give each number once.")


async def create_batch(call: Call[NoQuery, BatchToMake]) -> Answer[Batch]:
    """Make a batch that takes rows.

    Nothing is sent until rows come (`POST /v1/batches/{batch_id}/rows`). With an `Idempotency-Key` the same request again is
    answered with the same batch: an upload that broke off goes on where it was.
    """
    body, account = call.body, call.account_id
    settings = await call.services.credentials.settings_of(account)
    limits, at = send_limits(call.services.config, settings), moment_or_none(body.send_at, "send_at")
    key = idempotency_key(call)
    checked_ttl(body.ttl_seconds, limits)
    command = bulk.MakeBatch(
        id=call.new_id(),
        account_id=account,
        name=body.name,
        options=bulk.Options(
            sender=sender_of(body),
            strict_sender=settings.strict_sender if body.strict_sender is None else body.strict_sender,
            priority=PRIORITIES[body.priority],
            ttl_seconds=body.ttl_seconds,
            scheduled_at=at if key is not None else checked_schedule(at, call.now),
            want_dlr=body.delivery_report,
            metadata=body.metadata,
        ),
        rows_expected=body.rows_expected,
        upload_key=key,
        upload_sha256=None if key is None else request_hash(call),
    )
    made = await call.write(bulk.make_batches, command)
    view = found(await call.read(find_batch, account, made.batch_id))
    headers = ((b"idempotent-replayed", b"true"),) if made.is_repeat else ()
    return Answer(shown_batch(view), headers=headers)


async def _prepared(call: Call[NoQuery, RowsToAdd], batch_id: str, options: bulk.Options) -> tuple[bulk.NewRow, ...]:
    settings = await call.services.credentials.settings_of(call.account_id)
    limits, now = send_limits(call.services.config, settings), call.now
    return tuple(
        bulk.prepare_row(
            row.row, row.to, row.text, options, limits,
            account_id=call.account_id, batch_id=batch_id, door=DOOR, now=now, new_id=call.new_id, trace_id=call.trace_id,
        )
        for row in call.body.rows
    )  # fmt: skip


async def add_batch_rows(call: Call[NoQuery, RowsToAdd]) -> RowsAdded:
    """Put rows into a batch.

    202 means stored. A row whose number came before sends nothing and is answered as then, so that rows may be sent again after
    any failure. Rows that nobody can be sent, and a recipient that an earlier row has, are left out with the reason.
    """
    _refuse_twice(call.body.rows)
    batch_id = call.path["batch_id"]
    found(await call.read(find_batch, call.account_id, batch_id))
    opened = await call.read(bulk.open_batch, call.account_id, batch_id)
    if opened is None:
        raise HubError(
            Code.CONFLICT, "This batch was one request and takes no further rows. Make one with POST /v1/batches."
        )
    rows = await _prepared(call, batch_id, opened[1])
    command = bulk.AddRows(account_id=call.account_id, batch_id=batch_id, rows=rows)
    results = await call.write(bulk.add_rows, command)
    refused = sum(one.row.code is not None for one in results)
    return RowsAdded(
        accepted=len(results) - refused,
        refused=refused,
        repeated=sum(one.is_repeat for one in results),
        results=[_outcome(one) for one in results],
    )


def _outcome(result: bulk.RowResult) -> RowOutcome:
    row = result.row
    return RowOutcome(
        row=row.number,
        to=row.given,
        peer=row.peer,
        message_id=out_or_none("message", row.message_id),
        problem=_problem(row.code, row.sentence, row.same_as),
        is_repeat=result.is_repeat,
    )


def _listed(row: StoredRow) -> BatchRow:
    return BatchRow(
        row=row.number,
        to=row.given,
        peer=row.peer,
        message_id=out_or_none("message", row.message_id),
        problem=_problem(row.code, row.sentence, row.same_as),
    )


async def list_batch_rows(call: Call[BatchRowsQuery, None]) -> BatchRowPage:
    """List the rows of a batch.

    What became of each, and why some were left out. A batch that was one request has none.
    """
    query, batch_id = call.query, call.path["batch_id"]
    found(await call.read(find_batch, call.account_id, batch_id))
    rows = await call.read(
        list_rows,
        call.account_id,
        batch_id,
        is_refused=None if query.outcome is None else query.outcome == "refused",
        after=number_cursor(query.cursor) or 0,
        limit=query.limit + 1,
    )
    page, has_more = cut(rows, query.limit)
    return BatchRowPage(items=[_listed(row) for row in page], next_cursor=str(page[-1].number) if has_more else None)


async def preview_batch_rows(call: Call[NoQuery, RowsToPreview]) -> RowsPreview:
    """Look through rows without storing them.

    The rules are those of sending: what is good here is taken there, unless it changes in between.
    """
    _refuse_twice(call.body.rows)
    settings = await call.services.credentials.settings_of(call.account_id)
    limits = send_limits(call.services.config, settings)
    prepared = [
        bulk.prepare_row(
            row.row, row.to, row.text, bulk.Options(), limits,
            account_id=call.account_id, batch_id="", door=DOOR, now=call.now, new_id=str,
        )
        for row in call.body.rows
    ]  # fmt: skip
    peers = {row.peer for row in prepared if row.peer is not None}
    out = await call.read(opted_out, [call.account_id], peers)
    return _preview(prepared, {peer for _, peer in out})


def _preview(prepared: list[bulk.NewRow], opted_out_peers: set[str]) -> RowsPreview:
    first: dict[str, int] = {}
    items: list[RowPreview] = []
    for row in prepared:
        error = row.error
        if row.peer in opted_out_peers:
            error = bulk.row_error(HubError(Code.OPTED_OUT))
        elif error is None and row.peer is not None and first.setdefault(row.peer, row.number) != row.number:
            error = bulk.same_number(first[row.peer])
        items.append(
            RowPreview(
                row=row.number,
                to=row.given,
                peer=row.peer,
                encoding=None if row.prepared is None else row.prepared.encoding,
                segments=0 if row.prepared is None else row.prepared.segments,
                problem=None if error is None else _problem(error.code, error.sentence, error.same_as),
            )
        )
    good = [item for item in items if item.problem is None]
    return RowsPreview(
        items=items,
        good=len(good),
        segments=sum(item.segments for item in good),
        left_out=len(items) - len(good),
    )


_ALL = "/v1/batches"
_ROWS = "/v1/batches/{batch_id}/rows"
_EXAMPLE = {"rows": [{"row": 1, "to": "+491701234567", "text": "Hello Maya, your bike is ready."}]}
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST", path=_ALL, run=create_batch, scope=Scope.MESSAGES_SEND, query=NoQuery, body=BatchToMake, returns=Batch,
        status=201, request_headers=UPLOAD_HEADER, errors=(Code.SCHEDULE_OUT_OF_RANGE, Code.IDEMPOTENCY_CONFLICT),
        example={"name": "Autumn offer", "rows_expected": 2400},
    ),
    Operation(
        method="POST", path=_ALL + "/preview", run=preview_batch_rows, scope=Scope.MESSAGES_SEND, query=NoQuery,
        body=RowsToPreview, returns=RowsPreview, example=_EXAMPLE,
    ),
    Operation(
        method="POST", path=_ROWS, run=add_batch_rows, scope=Scope.MESSAGES_SEND, query=NoQuery, body=RowsToAdd,
        returns=RowsAdded, status=202, errors=(Code.CONFLICT,), example=_EXAMPLE,
    ),
    Operation(
        method="GET", path=_ROWS, run=list_batch_rows, scope=Scope.MESSAGES_READ, query=BatchRowsQuery, body=NoBody,
        returns=BatchRowPage,
    ),
)  # fmt: skip
