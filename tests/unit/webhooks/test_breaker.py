"""When a breaker opens, how long it stays open, and what closes it."""

import pytest

from hub.webhooks.breaker import (
    FAILURES_IN_A_ROW,
    LONGEST_COOL_DOWN_SECONDS,
    OTHER_4XX_IN_A_ROW,
    WINDOW_RESULTS,
    Breaker,
    BreakerState,
)

HALF = 0.5
"""The randomness that stands for no jitter."""


def fail(breaker: Breaker, times: int, start: int = 0, step: int = 1000, *, is_down: bool = True) -> list[bool]:
    return [breaker.failed(start + n * step, HALF, is_down=is_down) for n in range(times)]


def test_five_failures_in_a_row_over_two_seconds_open_it() -> None:
    assert fail(Breaker(), FAILURES_IN_A_ROW) == [False] * (FAILURES_IN_A_ROW - 1) + [True]


def test_failures_of_one_moment_do_not_open_it() -> None:
    breaker = Breaker()
    assert not any(fail(breaker, FAILURES_IN_A_ROW + 3, step=0))
    assert breaker.failed(2000, HALF, is_down=True)


def test_a_success_in_between_starts_the_row_anew() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES_IN_A_ROW - 1)
    breaker.succeeded(5000)
    assert not any(fail(breaker, FAILURES_IN_A_ROW - 1, start=6000))


def test_half_of_twenty_results_in_a_minute_open_it() -> None:
    breaker = Breaker()
    opened = []
    for n in range(WINDOW_RESULTS):
        if n % 2:
            opened.append(breaker.failed(n, HALF, is_down=True))
        else:
            breaker.succeeded(n)
    assert opened == [False] * (WINDOW_RESULTS // 2 - 1) + [True]


def test_results_older_than_a_minute_do_not_count() -> None:
    breaker = Breaker()
    for n in range(15):
        breaker.failed(0, HALF, is_down=True)
        breaker.succeeded(n)
    assert breaker.is_closed
    for _ in range(WINDOW_RESULTS - 1):
        breaker.succeeded(61_000)
    assert not breaker.failed(61_000, HALF, is_down=True)


def test_other_4xx_count_only_from_the_twentieth_in_a_row() -> None:
    breaker = Breaker()
    assert fail(breaker, OTHER_4XX_IN_A_ROW, is_down=False) == [False] * (OTHER_4XX_IN_A_ROW - 1) + [True]


def test_cool_downs_double_to_ten_minutes_and_spread() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES_IN_A_ROW, step=500)
    opened_at = (FAILURES_IN_A_ROW - 1) * 500
    spans = [breaker.state.open_until - opened_at]
    for n in range(8):
        breaker.probe_failed(100_000 * n, HALF)
        spans.append(breaker.state.open_until - 100_000 * n)
    assert [span // 1000 for span in spans] == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    breaker.probe_failed(0, 0.0)
    low = breaker.state.open_until
    breaker.probe_failed(0, 1.0)
    assert (low, breaker.state.open_until) == (480_000, 720_000)
    assert breaker.state.open_until / 1000 <= LONGEST_COOL_DOWN_SECONDS * 1.2


def test_one_probe_at_a_time_and_only_after_the_cool_down() -> None:
    breaker = Breaker(BreakerState(1, 10_000))
    assert not breaker.may_probe(9_999)
    assert (breaker.word(9_999), breaker.word(10_000)) == ("open", "half_open")
    assert breaker.may_probe(10_000)
    breaker.is_probing = True
    assert not breaker.may_probe(20_000)


def test_success_closes_it_and_the_next_outage_starts_small() -> None:
    breaker = Breaker(BreakerState(7, 0))
    assert breaker.succeeded(0)
    assert breaker.is_closed
    assert not breaker.succeeded(1)
    fail(breaker, FAILURES_IN_A_ROW, start=10_000)
    assert breaker.state.openings == 1


def test_while_open_late_failures_change_nothing() -> None:
    breaker = Breaker(BreakerState(2, 5_000))
    assert not breaker.failed(1, HALF, is_down=True)
    assert breaker.state == BreakerState(2, 5_000)


@pytest.mark.parametrize("openings", [50, 5000])
def test_very_long_outages_overflow_nothing(openings: int) -> None:
    breaker = Breaker(BreakerState(openings, 0))
    breaker.probe_failed(0, HALF)
    assert breaker.state.open_until == 600_000
