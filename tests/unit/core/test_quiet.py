"""Quiet hours over a day, over midnight, and over the clocks' changes."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hub.core.quiet import QuietHours, is_wall_time, quiet_until

LONDON = ZoneInfo("Europe/London")
NIGHT = QuietHours("21:00", "08:00")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "hours", "end"),
    [
        ("2026-11-20T21:00", NIGHT, "2026-11-21T08:00"),
        ("2026-11-21T07:59", NIGHT, "2026-11-21T08:00"),
        ("2026-11-21T08:00", NIGHT, None),
        ("2026-11-20T20:59", NIGHT, None),
        ("2026-11-20T13:00", QuietHours("12:00", "14:00"), "2026-11-20T14:00"),
        ("2026-11-20T14:00", QuietHours("12:00", "14:00"), None),
        ("2026-11-20T14:00", QuietHours("09:00", "09:00"), None),
        # The clocks go back on 25 October: the end is 08:00 on the wall, an hour later in the world.
        ("2026-10-24T23:00", NIGHT, "2026-10-25T08:00"),
    ],
)
def test_quiet_ends_at_its_wall_time(now: str, hours: QuietHours, end: str | None) -> None:
    assert quiet_until(at(now), hours, LONDON) == (None if end is None else at(end))


def test_a_wall_time_is_hours_and_minutes() -> None:
    assert [is_wall_time(text) for text in ("00:00", "23:59", "24:00", "9:00", "09:60", "")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
