"""Time inside the hub is one integer; its RFC 3339 spelling exists only at the edge.

An integer compares, sorts and stores the same everywhere. A spelling does not: a phone app in the field reads six fraction digits
as milliseconds and arrives two minutes late, and refuses a whole list over one time without an offset. So there is one writer here,
with exactly three fraction digits and `Z`, and one reader that insists on an offset.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Protocol, TypeAlias

UtcMs: TypeAlias = int
"""Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)


class Clock(Protocol):
    """Where code outside this package gets its time from; tests hand in one they can move."""

    def now(self) -> UtcMs:
        """The wall clock, in milliseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for waits."""
        ...


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    except OverflowError:
        raise ValueError(f"{second} seconds since 1970 lie outside the years 1 to 9999") from None


@lru_cache(maxsize=256)
def rfc3339(ms: UtcMs) -> str:
    """`2026-01-31T09:00:00.123Z`: UTC, exactly three fraction digits. ValueError outside the years 1 to 9999."""
    second, millis = divmod(ms, 1000)
    return f"{_to_the_second(second)}.{millis:03d}Z"


def parse_rfc3339(text: str) -> UtcMs:
    """Read an RFC 3339 time; finer fractions are cut to milliseconds, second 60 counts as the next one.

    ValueError, in a sentence for the caller, for anything else: also for a time without an offset, because guessing a time zone
    sends texts at the wrong hour.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        if _WITHOUT_OFFSET.fullmatch(text):
            raise ValueError(f"{text!r} has no offset: add Z for UTC, or an offset like +02:00")
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time like 2026-01-31T09:00:00.000Z")
    year, month, day, hour, minute, second = (int(part) for part in match.group(1, 2, 3, 4, 5, 6))
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=_offset(match))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time that exists: {error}") from None
    millis = int((match[7] or "0").ljust(3, "0")[:3])
    return (moment - _EPOCH) // _MILLISECOND + (1000 if leap else millis)


def _offset(match: re.Match[str]) -> timezone:
    if match[8]:
        return UTC
    hours, minutes = int(match[10]), int(match[11])
    if hours > 23 or minutes > 59:
        raise ValueError(f"the offset {match[9]}{match[10]}:{match[11]} is not between -23:59 and +23:59")
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if match[9] == "-" else span)
