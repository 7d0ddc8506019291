"""Times as the app writes and reads them.

It reads with the pattern `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`, whose fraction is a *number of milliseconds*: six digits are read as up to
999,999 ms, minutes late. So what is sent has exactly three digits and an offset. It writes its phone's own zone, and Androids below 7
write zones west of Greenwich wrongly (`+-5:00`, `+-3:-30`): read what can be meant, else take the time of arrival.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.core.clock import UtcMs, rfc3339

_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*(Z|z|[+-].*)?", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(-?)(\d{1,2}):?(-?)(\d{2})?", re.ASCII)
_DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FUTURE_MS: Final = 366 * _DAY_MS
"""A time further ahead is no time."""


def write_time(at: UtcMs) -> str:
    """`2026-01-31T09:00:00.123Z`: three digits, always with the offset."""
    return rfc3339(at)


def read_time(text: str | None, arrived: UtcMs) -> UtcMs:
    """What the phone meant; the time of arrival for what cannot be read, or lies years away."""
    match = _TIME.fullmatch((text or "").strip())
    if match is None:
        return arrived
    try:
        year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return arrived
    fraction = int(f"{match[7] or '0':0<3}"[:3])
    at = (moment - _EPOCH) // timedelta(milliseconds=1) + fraction - _offset_ms(match[8] or "Z")
    return at if 0 <= at <= arrived + FUTURE_MS else arrived


def _offset_ms(text: str) -> int:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return 0
    is_west = match[1] == "-" or match[2] == "-" or match[4] == "-"
    minutes = int(match[3]) * 60 + int(match[5] or "0")
    return -minutes * 60_000 if is_west else minutes * 60_000
