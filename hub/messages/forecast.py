"""When batches will have been sent, and when a text to many would be: `hub.core.forecast` over what is stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.commands import AnyLine, Sender
from hub.core.forecast import LineLoad, sent_by, shared_by
from hub.core.pacing import HOUR_MS, day_start, month_start
from hub.core.routing import RouteRequest, sender_lines, without_sandbox
from hub.messages.lines import limits_of, line_view, read_account_settings, utc_offset
from hub.messages.views import BatchView
from hub.storage.messages_forecast import WaitingOf, waiting_of_batches, waiting_on_lines, waiting_up_to
from hub.storage.messages_lines import LineRow, lines_by_id, lines_of_account
from hub.storage.usage import usage_since


class BatchForecast(msgspec.Struct, frozen=True):
    """What is to be expected of a batch."""

    waiting: int
    """Segments in the hub."""
    starts_at: UtcMs | None = None
    """When the first of its texts that wait for their time goes; None when none does."""
    ends_at: UtcMs | None = None
    """When the last is sent, about. None: nothing waits, it is paused, or nobody can say."""


def forecast_batches(
    conn: Connection,
    account_id: str,
    batches: Sequence[BatchView],
    now: UtcMs,
    line_ids: Collection[str] | None = None,
) -> dict[str, BatchForecast]:
    """The forecast of each batch of which something waits; with `line_ids` of what waits for these lines."""
    waiting: dict[str, list[WaitingOf]] = {}
    for one in waiting_of_batches(conn, [batch.id for batch in batches]):
        if line_ids is not None and one.line_id not in line_ids:
            continue
        waiting.setdefault(one.batch_id, []).append(one)
    used = {one.line_id for parts in waiting.values() for one in parts if one.line_id is not None}
    lines = lines_by_id(conn, {account_id}, used)
    base = _loads(conn, account_id, list(lines.values()), now)
    paused = {batch.id for batch in batches if batch.paused_at is not None}
    return {
        batch_id: BatchForecast(
            waiting=sum(part.segments for part in parts),
            starts_at=min((part.first_scheduled_at for part in parts if part.first_scheduled_at), default=None),
            ends_at=None if batch_id in paused else _end(conn, parts, base, now),
        )
        for batch_id, parts in waiting.items()
    }


def _end(conn: Connection, parts: Sequence[WaitingOf], base: Mapping[str, LineLoad], now: UtcMs) -> UtcMs | None:
    loads: list[LineLoad] = []
    for part in parts:
        load = base.get(part.line_id or "")
        if load is None or part.line_id is None:
            return None
        ahead = max(waiting_up_to(conn, part.line_id, part.last_id), part.segments)
        starts = max((at for at in (load.not_before, part.first_scheduled_at) if at is not None), default=None)
        loads.append(msgspec.structs.replace(load, segments=ahead, not_before=starts))
    end = sent_by(loads, now)
    last = max((part.last_scheduled_at for part in parts if part.last_scheduled_at), default=None)
    return end if end is None or last is None else max(end, last)


def forecast_send(
    conn: Connection, account_id: str, sender: Sender, segments: int, now: UtcMs, *, not_before: UtcMs | None = None
) -> UtcMs | None:
    """When so many segments would have been sent, about, if they were accepted now; None when no line could or nobody can say."""
    rows = {row.id: row for row in lines_of_account(conn, account_id)}
    pool = read_account_settings(conn, {account_id})[account_id].default_pool if rows else None
    chosen = [
        rows[line_id] for line_id in _line_ids(list(rows.values()), RouteRequest(sender=sender, default_pool=pool))
    ]
    loads = _loads(conn, account_id, chosen, now)
    waiting = waiting_on_lines(conn, set(loads))
    ready = [
        msgspec.structs.replace(load, segments=waiting.get(line_id, 0), not_before=_later(load.not_before, not_before))
        for line_id, load in loads.items()
    ]
    return shared_by(ready, segments, now)


def _later(one: UtcMs | None, other: UtcMs | None) -> UtcMs | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _line_ids(rows: Sequence[LineRow], request: RouteRequest) -> list[str]:
    views = [line_view(row, 0, None, 0) for row in rows]
    named = sender_lines(views, request.sender)
    if isinstance(request.sender, AnyLine):
        in_pool = [view for view in named if request.default_pool and view.pool == request.default_pool]
        named = in_pool or without_sandbox(named)
    usable = [view for view in named if view.is_enabled and view.is_present and view.is_device_usable]
    return [view.line_id for view in usable]


def _loads(conn: Connection, account_id: str, rows: Sequence[LineRow], now: UtcMs) -> dict[str, LineLoad]:
    """Each line with its budgets and what of them is used, and nothing to send."""
    if not rows:
        return {}
    offset = utc_offset(read_account_settings(conn, {account_id})[account_id].time_zone, now)
    ids = [row.id for row in rows]
    hour = usage_since(conn, ids, now - HOUR_MS)
    day = usage_since(conn, ids, day_start(now, offset))
    month = usage_since(conn, ids, month_start(now, offset))
    return {
        row.id: LineLoad(
            segments=0,
            limits=limits_of(row),
            used_hour=hour.get(row.id, 0),
            used_day=day.get(row.id, 0),
            used_month=month.get(row.id, 0),
            utc_offset_seconds=offset,
            not_before=row.paused_until,
        )
        for row in rows
    }
