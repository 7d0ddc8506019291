"""Quiet hours: from one wall time to another, every day, in the account's time zone.

Only bulk texts wait for their end: an answer or a code is wanted when it is asked for.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from hub.core.clock import UtcMs

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class QuietHours(msgspec.Struct, frozen=True):
    """`21:00` to `08:00` is quiet over midnight."""

    starts: str
    ends: str


def is_wall_time(text: str) -> bool:
    """Whether it is `HH:MM`."""
    return _TIME.fullmatch(text) is not None


def quiet_until(at: UtcMs, hours: QuietHours, zone: ZoneInfo) -> UtcMs | None:
    """When the quiet that lies over `at` ends; None when it lies over none.

    Hours that begin and end at the same time are none. An end that the clocks jump over is the moment they jump to.
    """
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    clock, starts, ends = local.strftime("%H:%M"), hours.starts, hours.ends
    if starts == ends:
        return None
    is_over_midnight = starts > ends
    is_quiet = clock >= starts or clock < ends if is_over_midnight else starts <= clock < ends
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1) if is_over_midnight and clock >= starts else local.date()
    hour, minute = map(int, ends.split(":"))
    end = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    return round(end.timestamp() * 1000)
