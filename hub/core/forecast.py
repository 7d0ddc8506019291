"""When a queue will have been sent: from the pace and the budgets of the lines that send it.

A forecast, not a promise: it takes it that phones stay online, nothing is refused and nothing more is queued. It goes by whole days of
each line's time zone: in each of them a line sends what its pace lets through and its hour, day and month budgets allow.
"""

from collections.abc import Sequence

import msgspec

from hub.core.clock import UtcMs
from hub.core.pacing import HOUR_MS, MINUTE_MS, Limits, next_day, next_month

FARTHEST_DAYS = 366
"""A queue that takes longer than a year has no forecast."""


class LineLoad(msgspec.Struct, frozen=True, kw_only=True):
    """A line and what it has to send."""

    segments: int
    """To be sent, with what waits before it on the same line."""
    limits: Limits
    used_hour: int = 0
    used_day: int = 0
    used_month: int = 0
    utc_offset_seconds: int = 0
    not_before: UtcMs | None = None
    """The line is paused, or the texts wait for their time, until then."""


def sent_by(loads: Sequence[LineLoad], now: UtcMs) -> UtcMs | None:
    """When the last of these lines has sent what it has to; None for never, for more than a year, or for no lines."""
    ends = [_line_sent_by(load, now) for load in loads]
    known = [end for end in ends if end is not None]
    return max(known) if ends and len(known) == len(ends) else None


def shared_by(lines: Sequence[LineLoad], segments: int, now: UtcMs) -> UtcMs | None:
    """When `segments` more, spread over these lines so that all end together, are sent; each line's own load goes first.

    Found by halving the time: what all lines together get rid of only grows with it.
    """
    if not lines:
        return None
    low, high = now, now + FARTHEST_DAYS * 24 * HOUR_MS
    if _capacity(lines, now, high) < segments:
        return None
    while high - low > MINUTE_MS // 6:
        middle = (low + high) // 2
        low, high = (low, middle) if _capacity(lines, now, middle) >= segments else (middle, high)
    return high


def _capacity(lines: Sequence[LineLoad], now: UtcMs, until: UtcMs) -> int:
    return sum(max(0, _sent_until(line, now, until) - line.segments) for line in lines)


def _line_sent_by(load: LineLoad, now: UtcMs) -> UtcMs | None:
    left, at = load.segments, max(now, load.not_before or now)
    for since, until, room in _days(load, now):
        if left <= room:
            return max(at, since) + round(left / _per_hour(load.limits) * HOUR_MS)
        left, at = left - room, until
    return None


def _sent_until(load: LineLoad, now: UtcMs, until: UtcMs) -> int:
    sent = 0
    for since, _, room in _days(load, now):
        if since >= until:
            break
        sent += min(room, int((until - since) / HOUR_MS * _per_hour(load.limits)))
    return sent


def _days(load: LineLoad, now: UtcMs) -> list[tuple[UtcMs, UtcMs, int]]:
    """From now on, day by day: when it begins and ends, and the segments the line can send in it."""
    limits, offset = load.limits, load.utc_offset_seconds
    since = max(now, load.not_before or now)
    used_day, used_month = (load.used_day, load.used_month) if since < next_day(now, offset) else (0, load.used_month)
    month_ends = next_month(now, offset)
    days: list[tuple[UtcMs, UtcMs, int]] = []
    for _ in range(FARTHEST_DAYS):
        if since >= month_ends:
            used_month, month_ends = 0, next_month(since, offset)
        until = next_day(since, offset)
        room = int((until - since) / HOUR_MS * _per_hour(limits))
        if not days and limits.per_hour is not None:
            room -= min(load.used_hour, room)
        room = _within(room, limits.per_day, used_day)
        room = _within(room, limits.per_month, used_month)
        days.append((since, until, room))
        since, used_day, used_month = until, 0, used_month + room
    return days


def _within(room: int, cap: int | None, used: int) -> int:
    return room if cap is None else max(0, min(room, cap - used))


def _per_hour(limits: Limits) -> float:
    """The pace that lasts: a minute's pace sixty times, unless an hour's budget is less."""
    by_minute = 60.0 * (limits.per_minute or 1_000_000)
    return by_minute if limits.per_hour is None else min(by_minute, float(limits.per_hour))
