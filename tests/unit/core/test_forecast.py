"""When a queue is sent: pace, budgets, days, months, several lines."""

from typing import Any

import pytest

from hub.core.forecast import LineLoad, sent_by, shared_by
from hub.core.pacing import DAY_MS, HOUR_MS, MINUTE_MS, Limits

NOON = 20_000 * DAY_MS + 12 * HOUR_MS
"""Some noon in UTC, far from the end of a month."""


def line(segments: int = 0, **more: Any) -> LineLoad:
    known = {"per_minute", "per_hour", "per_day", "per_month"}
    limits = Limits(**{name: value for name, value in more.items() if name in known})
    rest = {name: value for name, value in more.items() if name not in known}
    return LineLoad(segments=segments, limits=limits, **rest)


@pytest.mark.parametrize(
    ("load", "after"),
    [
        (line(0), 0),
        (line(20), MINUTE_MS),
        (line(100, per_hour=50), 2 * HOUR_MS),
        (line(20, not_before=NOON + HOUR_MS), HOUR_MS + MINUTE_MS),
        # 10 are left today; the other 20 go in the first minute after midnight.
        (line(30, per_day=100, used_day=90), 12 * HOUR_MS + MINUTE_MS),
        # The zone's midnight, not UTC's, gives the new day.
        (line(30, per_day=100, used_day=90, utc_offset_seconds=3600), 11 * HOUR_MS + MINUTE_MS),
        (line(300, per_day=100), 2 * DAY_MS - 12 * HOUR_MS + 5 * MINUTE_MS),
    ],
)
def test_a_line_is_done_when_pace_and_budgets_allow(load: LineLoad, after: int) -> None:
    assert sent_by([load], NOON) == NOON + after


def test_a_month_that_is_used_up_starts_anew_on_its_first() -> None:
    end = sent_by([line(20, per_month=500, used_month=500)], NOON)
    # 1970-01-01 plus 20,000 days is 2024-10-04.
    assert end == (20_000 + 28) * DAY_MS + MINUTE_MS


def test_the_slowest_line_decides_and_no_lines_have_no_end() -> None:
    assert sent_by([line(20), line(200)], NOON) == NOON + 10 * MINUTE_MS
    assert sent_by([], NOON) is None
    assert sent_by([line(1), line(10_000_000, per_day=1)], NOON) is None


def test_what_is_shared_ends_on_all_lines_together() -> None:
    alone = shared_by([line()], 1200, NOON)
    both = shared_by([line(), line()], 1200, NOON)
    behind = shared_by([line(1200), line()], 1200, NOON)
    assert alone is not None
    assert abs(alone - NOON - HOUR_MS) <= MINUTE_MS
    assert both is not None
    assert abs(both - NOON - HOUR_MS / 2) <= MINUTE_MS
    assert behind is not None
    assert abs(behind - NOON - HOUR_MS) <= MINUTE_MS
    assert shared_by([], 1, NOON) is None
    assert shared_by([line(per_day=1)], 1000, NOON) is None
