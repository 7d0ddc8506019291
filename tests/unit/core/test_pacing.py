"""`hub.core.pacing`: no window ever holds more than its cap, and nothing waits longer than it must."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core import pacing
from hub.core.pacing import DAY_MS, HOUR_MS, MINUTE_MS, Allowance, Limits, Sent, Usage, allowance

NOW = 1_790_000_000_000
offsets = st.integers(-14 * 3600, 14 * 3600)


def usage_of(log: list[Sent], now: int, offset: int = 0) -> Usage:
    """What a line would remember of everything it sent."""
    return Usage(
        recent=tuple(sent for sent in log if sent.at > now - HOUR_MS),
        today=sum(sent.segments for sent in log if sent.at >= pacing.day_start(now, offset)),
        this_month=sum(sent.segments for sent in log if sent.at >= pacing.month_start(now, offset)),
    )


def in_window(log: list[Sent], end: int, span: int) -> int:
    """Segments sent in the `span` up to and including `end`."""
    return sum(sent.segments for sent in log if end - span < sent.at <= end)


limits = st.builds(
    Limits,
    per_minute=st.none() | st.integers(1, 12),
    per_hour=st.none() | st.integers(5, 40),
    per_day=st.none() | st.integers(5, 60),
    per_month=st.none() | st.integers(20, 90),
)
messages = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 40 * MINUTE_MS)), max_size=40)


@settings(max_examples=300)
@given(limits, messages, offsets)
def test_no_window_ever_exceeds_its_cap(caps: Limits, story: list[tuple[int, int]], offset: int) -> None:
    log: list[Sent] = []
    now = NOW
    for segments, pause in story:
        now += pause
        answer = allowance(usage_of(log, now, offset), caps, now, want=segments, utc_offset_seconds=offset)
        if answer.next_at is None:
            continue
        now = answer.next_at
        retried = allowance(usage_of(log, now, offset), caps, now, want=segments, utc_offset_seconds=offset)
        assert retried.next_at == now, "what was promised for then is allowed then"
        log.append(Sent(now, segments))
    for sent in log:
        check_windows(log, sent, caps, offset)


def check_windows(log: list[Sent], sent: Sent, caps: Limits, offset: int) -> None:
    """The fullest windows are those that end with a message."""
    if caps.per_minute is not None:
        used = in_window(log, sent.at, MINUTE_MS)
        assert used <= caps.per_minute or used == sent.segments, "only a text longer than the whole pace goes alone"
    if caps.per_hour is not None:
        assert in_window(log, sent.at, HOUR_MS) <= caps.per_hour
    today = [other for other in log if pacing.day_start(sent.at, offset) <= other.at <= sent.at]
    if caps.per_day is not None:
        assert sum(other.segments for other in today) <= caps.per_day
    month = [other for other in log if pacing.month_start(sent.at, offset) <= other.at <= sent.at]
    if caps.per_month is not None:
        assert sum(other.segments for other in month) <= caps.per_month


@given(st.lists(st.integers(0, HOUR_MS), max_size=30), st.integers(1, 10), st.integers(1, 12), st.integers(1, 8))
def test_a_wait_is_no_longer_than_it_must(ago: list[int], minute: int, hour: int, want: int) -> None:
    caps = Limits(per_minute=minute, per_hour=hour)
    used = Usage(recent=tuple(Sent(NOW - age, 1) for age in sorted(ago, reverse=True)))
    answer = allowance(used, caps, NOW, want=want)
    if answer.next_at is None:
        assert want > hour
        return
    if answer.next_at == NOW:
        return
    just_before = allowance(used, caps, answer.next_at - 1, want=want)
    assert just_before.next_at == answer.next_at
    assert allowance(used, caps, answer.next_at, want=want).next_at == answer.next_at


def test_an_idle_line_may_send_its_whole_minute_at_once() -> None:
    assert allowance(Usage(), Limits(), NOW) == Allowance(20, NOW)
    assert allowance(Usage(), Limits(), NOW, want=20).next_at == NOW


def test_a_full_minute_says_when_it_goes_on_and_is_no_reason_to_go_elsewhere() -> None:
    used = Usage(recent=(Sent(NOW - 50_000, 15), Sent(NOW - 10_000, 5)))
    assert allowance(used, Limits(), NOW) == Allowance(0, NOW + 10_000, None, "minute")
    assert allowance(used, Limits(), NOW, want=16).next_at == NOW + 50_000


def test_a_segment_counts_for_exactly_its_minute() -> None:
    used = Usage(recent=(Sent(NOW - MINUTE_MS, 20),))
    assert allowance(used, Limits(), NOW).segments_now == 20
    assert allowance(used, Limits(), NOW - 1).segments_now == 0


def test_a_text_longer_than_the_pace_goes_alone() -> None:
    assert allowance(Usage(), Limits(per_minute=5), NOW, want=9).next_at == NOW
    one_before = Usage(recent=(Sent(NOW - 1_000, 1),))
    assert allowance(one_before, Limits(per_minute=5), NOW, want=9).next_at == NOW + 59_000
    after = Usage(recent=(Sent(NOW, 9),))
    assert allowance(after, Limits(per_minute=5), NOW) == Allowance(0, NOW + MINUTE_MS, None, "minute")


@pytest.mark.parametrize("caps", [Limits(per_hour=4), Limits(per_day=4), Limits(per_month=4)])
def test_a_text_longer_than_a_budget_never_goes(caps: Limits) -> None:
    assert allowance(Usage(), caps, NOW, want=5).next_at is None
    assert allowance(Usage(), caps, NOW, want=4).next_at == NOW


def test_a_pace_of_nothing_sends_nothing() -> None:
    assert allowance(Usage(), Limits(per_minute=0), NOW) == Allowance(0, None, None, "minute")


def test_a_used_up_budget_says_until_when() -> None:
    day = allowance(Usage(today=500), Limits(per_day=500), NOW, utc_offset_seconds=3600)
    midnight = pacing.next_day(NOW, 3600)
    assert day == Allowance(0, midnight, midnight, "day")
    month = allowance(Usage(today=500, this_month=900), Limits(per_day=500, per_month=900), NOW)
    assert month == Allowance(0, pacing.next_month(NOW), pacing.next_month(NOW), "month")
    hour = allowance(Usage(recent=(Sent(NOW - 1000, 9),)), Limits(per_hour=9), NOW)
    assert hour == Allowance(0, NOW - 1000 + HOUR_MS, NOW - 1000 + HOUR_MS, "hour")


def test_spans() -> None:
    assert (MINUTE_MS, HOUR_MS, DAY_MS) == (60_000, 60 * 60_000, 24 * 60 * 60_000)
    midnight = 1_789_948_800_000  # 2026-09-21T00:00:00Z
    assert pacing.day_start(midnight) == pacing.day_start(midnight + DAY_MS - 1) == midnight
    assert pacing.next_day(midnight) == midnight + DAY_MS
    assert pacing.month_start(midnight) == midnight - 20 * DAY_MS
    assert pacing.next_month(midnight) == midnight + 10 * DAY_MS


def test_no_limits_at_all() -> None:
    answer = allowance(Usage(today=10**9), Limits(per_minute=None), NOW, want=10**6)
    assert answer == Allowance(pacing.UNLIMITED, NOW)


def test_more_used_than_allowed_leaves_nothing_not_less() -> None:
    assert allowance(Usage(today=90), Limits(per_day=50), NOW).segments_now == 0


@given(st.integers(0, 10**12), st.integers(1, 9))
def test_stored_usage_counts_at_least_as_long_as_the_truth(at: int, segments: int) -> None:
    (sent,) = pacing.from_buckets([(pacing.bucket_of(at), segments)])
    assert at <= sent.at < at + pacing.BUCKET_MS
    assert pacing.bucket_of(sent.at) == pacing.bucket_of(at)
    assert sent.segments == segments


def test_stored_usage_is_oldest_first() -> None:
    stored = pacing.from_buckets([(10_000, 1), (5_000, 2)])
    assert [sent.segments for sent in stored] == [2, 1]


@given(st.integers(0, 4 * 10**12), offsets)
def test_days_and_months_by_the_calendar_there(now: int, offset: int) -> None:
    day, month = pacing.day_start(now, offset), pacing.month_start(now, offset)
    assert month <= day <= now < pacing.next_day(now, offset) <= pacing.next_month(now, offset)
    assert pacing.next_day(now, offset) - day == DAY_MS
    for start in (day, month, pacing.next_month(now, offset)):
        there = datetime.fromtimestamp(start // 1000 + offset, UTC)
        assert (there.hour, there.minute, there.second) == (0, 0, 0)
    assert datetime.fromtimestamp(month // 1000 + offset, UTC).day == 1
    assert pacing.month_start(pacing.next_month(now, offset), offset) == pacing.next_month(now, offset)
    assert pacing.month_start(pacing.next_month(now, offset) - 1, offset) == month
