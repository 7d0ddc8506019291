"""How fast one SIM may send, counted in segments.

Android stops an app that sends more than 30 segments in a minute (its default, and it asks the phone's owner in a dialog that nobody
sees); networks and tariffs count segments too. So a line has a pace and budgets in segments: per minute and per hour in windows that
slide, per day and per month by the calendar of its time zone.

A text longer than a whole minute's pace still goes: alone, when nothing was sent in the minute before it. Hour, day and month budgets
have no such exception.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from hub.core.clock import UtcMs

DEFAULT_PER_MINUTE = 20
BUCKET_MS = 5_000
"""What is sent is stored added up over so much time: exact enough for a pace per minute, few enough rows for a month's sum."""
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

Window = Literal["minute", "hour", "day", "month"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Most segments in each window; None = no limit."""

    per_minute: int | None = DEFAULT_PER_MINUTE
    per_hour: int | None = None
    per_day: int | None = None
    per_month: int | None = None


class Sent(NamedTuple):
    """Segments handed to the radio at one time."""

    at: UtcMs
    segments: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a line has sent."""

    recent: tuple[Sent, ...] = ()
    """The last hour, oldest first."""
    today: int = 0
    """Since `day_start`."""
    this_month: int = 0
    """Since `month_start`."""


class Allowance(msgspec.Struct, frozen=True):
    """What a line may send."""

    segments_now: int
    """Segments that fit into every window now; never below 0."""
    next_at: UtcMs | None
    """When the wanted segments may go: now, later, or None for never."""
    full_until: UtcMs | None = None
    """When the hour, day or month budget that stands in the way starts anew; None while only the minute's pace does, or nothing."""
    which: Window | None = None
    """The window that stands in the way longest."""


class _Room(NamedTuple):
    window: Window
    free: int
    at: UtcMs | None
    """When the wanted segments fit."""


UNLIMITED = 1_000_000_000


def allowance(usage: Usage, limits: Limits, now: UtcMs, *, want: int = 1, utc_offset_seconds: int = 0) -> Allowance:
    """What may go now, and when `want` segments (one message) may go."""
    rooms = [
        _sliding("minute", usage.recent, limits.per_minute, MINUTE_MS, now, want, may_go_alone=True),
        _sliding("hour", usage.recent, limits.per_hour, HOUR_MS, now, want),
        _calendar("day", usage.today, limits.per_day, next_day(now, utc_offset_seconds), now, want),
        _calendar("month", usage.this_month, limits.per_month, next_month(now, utc_offset_seconds), now, want),
    ]
    free = max(0, min(room.free for room in rooms))
    never = next((room for room in rooms if room.at is None), None)
    if never is not None:
        return Allowance(free, None, None, never.window)
    last = max(rooms, key=lambda room: room.at or 0)
    if last.at is None or last.at <= now:
        return Allowance(free, now)
    return Allowance(free, last.at, None if last.window == "minute" else last.at, last.window)


def allowance_ahead(
    usage: Usage, limits: Limits, now: UtcMs, *, minutes: int, want: int = 1, utc_offset_seconds: int = 0
) -> Allowance:
    """`allowance` for a phone that fetches texts for some minutes ahead and paces them itself: so many minutes' pace counts as one."""
    ahead = msgspec.structs.replace(limits, per_minute=None)
    rooms = allowance(usage, ahead, now, want=want, utc_offset_seconds=utc_offset_seconds)
    if limits.per_minute is None:
        return rooms
    cap, span = limits.per_minute * minutes, MINUTE_MS * minutes
    pace = _sliding("minute", usage.recent, cap, span, now, want, may_go_alone=True)
    free = min(rooms.segments_now, max(0, pace.free))
    if rooms.next_at is None or pace.at is None:
        return Allowance(free, None, rooms.full_until, rooms.which or "minute")
    if pace.at > rooms.next_at:
        return Allowance(free, pace.at, rooms.full_until, rooms.which or "minute")
    return Allowance(free, rooms.next_at, rooms.full_until, rooms.which)


def _sliding(
    window: Window,
    recent: Sequence[Sent],
    cap: int | None,
    span: int,
    now: UtcMs,
    want: int,
    *,
    may_go_alone: bool = False,
) -> _Room:
    """Room in the `span` before each moment: what was sent at `t` counts until `t + span`."""
    if cap is None:
        return _Room(window, UNLIMITED, now)
    inside = [sent for sent in recent if sent.at > now - span]
    used = sum(sent.segments for sent in inside)
    room = cap - min(want, cap) if may_go_alone else cap - want
    if room < 0 or cap <= 0:
        return _Room(window, cap - used, None)
    at = now
    for sent in inside:
        if used <= room:
            break
        used -= sent.segments
        at = max(at, sent.at + span)
    return _Room(window, cap - sum(sent.segments for sent in inside), at)


def _calendar(window: Window, used: int, cap: int | None, starts_anew: UtcMs, now: UtcMs, want: int) -> _Room:
    if cap is None:
        return _Room(window, UNLIMITED, now)
    if want > cap:
        return _Room(window, cap - used, None)
    return _Room(window, cap - used, now if used + want <= cap else starts_anew)


def from_buckets(buckets: Iterable[tuple[UtcMs, int]]) -> tuple[Sent, ...]:
    """Recent usage from stored (start of its five seconds, segments) rows.

    Each counts as sent in the last millisecond of its five seconds: a line may wait a little longer than it must, never too short.
    """
    return tuple(Sent(at + BUCKET_MS - 1, segments) for at, segments in sorted(buckets))


def bucket_of(at: UtcMs) -> UtcMs:
    """The start of the five seconds that a time is in."""
    return at // BUCKET_MS * BUCKET_MS


def day_start(now: UtcMs, utc_offset_seconds: int = 0) -> UtcMs:
    """The midnight before `now` in a zone that is this far from UTC."""
    offset = utc_offset_seconds * 1000
    return (now + offset) // DAY_MS * DAY_MS - offset


def next_day(now: UtcMs, utc_offset_seconds: int = 0) -> UtcMs:
    """The midnight after `now`."""
    return day_start(now, utc_offset_seconds) + DAY_MS


def month_start(now: UtcMs, utc_offset_seconds: int = 0) -> UtcMs:
    """Midnight of the first of the month `now` is in."""
    local = _local(now, utc_offset_seconds)
    return _epoch_ms(datetime(local.year, local.month, 1, tzinfo=UTC)) - utc_offset_seconds * 1000


def next_month(now: UtcMs, utc_offset_seconds: int = 0) -> UtcMs:
    """Midnight of the first of the following month."""
    local = _local(now, utc_offset_seconds)
    year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    return _epoch_ms(datetime(year, month, 1, tzinfo=UTC)) - utc_offset_seconds * 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _local(now: UtcMs, utc_offset_seconds: int) -> datetime:
    """The wall time there, written as if it were UTC."""
    return _EPOCH + timedelta(milliseconds=now, seconds=utc_offset_seconds)


def _epoch_ms(moment: datetime) -> UtcMs:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
