"""`hub.core.retry`: when, or that it is over."""

from itertools import accumulate
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core import retry
from hub.core.retry import PRESETS, BadSchedule, GiveUp, RetryAt, Schedule, next_attempt

NOW = 1_790_000_000_000
randoms = st.floats(0, 1, exclude_max=True)
presets = st.sampled_from(list(PRESETS.values()))


def test_default_is_15_posts_doubling_from_10_seconds() -> None:
    default = PRESETS["default"]
    assert default.max_attempts == 15
    assert default.waits_seconds[:5] == (10, 20, 40, 80, 160)
    assert default.waits_seconds[-1] == 10 * 2**13
    assert (default.jitter, default.max_age_seconds) == (0.2, 96 * 3600)
    assert sum(default.waits_seconds) * 1.2 < 96 * 3600, "the age never cuts the last tries off"


def test_the_other_presets() -> None:
    assert PRESETS["agile"] == Schedule("agile", (900, 900, 900), jitter=0.0)
    assert PRESETS["smsgate"].waits_seconds == PRESETS["default"].waits_seconds
    assert PRESETS["smsgate"].jitter == 0
    fast = PRESETS["fast"]
    assert fast.max_attempts == 5
    assert sum(fast.waits_seconds) * 1.2 <= 900


@given(presets, st.integers(1, 20), randoms)
def test_a_wait_stays_within_its_jitter(schedule: Schedule, attempts: int, random: float) -> None:
    following = next_attempt(schedule, attempts, NOW, NOW, random)
    if attempts >= schedule.max_attempts:
        assert following == GiveUp("tries_used_up")
        return
    assert isinstance(following, RetryAt)
    wait = schedule.waits_seconds[attempts - 1]
    assert wait * (1 - schedule.jitter) - 0.001 <= following.wait_seconds <= wait * (1 + schedule.jitter) + 0.001
    assert following.at == NOW + round(following.wait_seconds * 1000)


@given(presets, st.lists(randoms, min_size=20, max_size=20))
def test_every_preset_ends_and_never_after_its_age(schedule: Schedule, random: list[float]) -> None:
    now, posts = NOW, 1
    for number in random:
        following = next_attempt(schedule, posts, NOW, now, number)
        if isinstance(following, GiveUp):
            break
        now, posts = following.at, posts + 1
    assert posts == schedule.max_attempts
    assert now - NOW <= (schedule.max_age_seconds or inf) * 1000


def test_waits_without_jitter_add_up_exactly() -> None:
    now, at = NOW, []
    for posts in range(1, 15):
        following = next_attempt(PRESETS["smsgate"], posts, NOW, now, 0.7)
        assert isinstance(following, RetryAt)
        now = following.at
        at.append((now - NOW) // 1000)
    assert at == list(accumulate(10 * 2**n for n in range(14)))


def test_too_old_is_given_up_before_the_try_is_made() -> None:
    schedule = Schedule("custom", (60.0,) * 10, jitter=0, max_age_seconds=150)
    assert isinstance(next_attempt(schedule, 1, NOW, NOW, 0), RetryAt)
    assert isinstance(next_attempt(schedule, 2, NOW, NOW + 90_000, 0), RetryAt)
    assert next_attempt(schedule, 3, NOW, NOW + 90_001, 0) == GiveUp("too_old")


@given(st.integers(0, 10**6), randoms)
def test_never_earlier_than_the_receiver_asked(asked: int, random: float) -> None:
    following = next_attempt(PRESETS["default"], 1, NOW, NOW, random, not_before=NOW + asked)
    assert isinstance(following, RetryAt)
    assert following.at >= NOW + asked


def test_a_schedule_from_a_setting() -> None:
    assert retry.schedule_of("fast") == PRESETS["fast"]
    assert retry.schedule_of("fast", max_age_seconds=60).max_age_seconds == 60
    assert retry.schedule_of("default", max_age_seconds=None) == PRESETS["default"]
    custom = retry.schedule_of([5, 60.5])
    assert (custom.name, custom.waits_seconds, custom.max_attempts, custom.jitter) == ("custom", (5, 60.5), 3, 0.2)
    assert retry.schedule_of([]).max_attempts == 1


def test_the_shortest_and_the_longest_wait() -> None:
    assert retry.schedule_of([1, 7 * 86_400]).waits_seconds == (1, 604_800)


@pytest.mark.parametrize(
    "setting", ["weekly", [0], [-1], [0.5], [0.999], [604_801], [1.0] * 51, [float("nan")], [True], ["9"]]
)
def test_a_setting_that_cannot_be_used_is_refused(setting: list[float]) -> None:
    with pytest.raises(BadSchedule, match=r"schedule|wait"):
        retry.schedule_of(setting)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("120", None, 120),
        (" 120 ", None, 120),
        ("0", None, 1),
        ("999999", None, 86_400),
        ("Wed, 21 Oct 2026 07:30:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 120),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:30:00 GMT", 1),
        ("Fri, 23 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 86_400),
        ("Wed, 21 Oct 2026 07:30:00 -0000", "Wed, 21 Oct 2026 07:28:00 GMT", 120),
        (None, None, None),
        ("", None, None),
        ("soon", "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-5", None, None),
        ("1.5", None, None),
        ("Wed, 21 Oct 2026 07:30:00 GMT", None, None),
        ("Wed, 99 Oct 2026 07:30:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("٣٠", None, None),
    ],
)
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    assert retry.retry_after_seconds(value, date) == seconds


def test_a_retry_after_date_does_not_depend_on_our_clock_when_the_answer_has_one() -> None:
    until, since = "Wed, 21 Oct 2026 07:30:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"
    assert retry.retry_after_seconds(until, since, now=0) == 120
    assert retry.retry_after_seconds(until, None, now=1_792_567_740_000) == 60


@given(st.text(max_size=40), st.none() | st.text(max_size=40))
def test_any_retry_after_is_a_wait_within_bounds_or_none(value: str, date: str | None) -> None:
    seconds = retry.retry_after_seconds(value, date, NOW)
    assert seconds is None or 1 <= seconds <= 86_400


@given(st.floats(1, 86_400), randoms)
def test_a_lane_rests_as_long_as_asked_and_at_most_a_tenth_longer(asked: float, random: float) -> None:
    rested = (retry.lane_pause(asked, NOW, random) - NOW) / 1000
    assert asked - 0.001 <= rested <= asked * 1.1 + 0.001


@given(st.integers(0, 200), randoms)
def test_texts_wait_between_24_seconds_and_18_minutes(refusals: int, random: float) -> None:
    wait = (retry.sms_retry_at(refusals, NOW, random) - NOW) / 1000
    assert 24 <= wait <= 18 * 60
    assert wait <= retry.SMS_FIRST_WAIT_SECONDS * 2 ** max(refusals - 1, 0) * 1.2 + 0.001
