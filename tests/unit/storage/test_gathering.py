"""A batch is gathered while commands come, and not a moment longer than that or than the window."""

from collections.abc import Iterator
from itertools import chain, count, repeat

import pytest

from hub.storage.gathering import ENOUGH_WAITING, STEP_SECONDS, gather


class Sleeper:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def gather(
        self, waiting: Iterator[int], window_seconds: float, last: int = 0, *, half_is_enough: bool = False
    ) -> float:
        gather(
            lambda: next(waiting),
            window_seconds,
            last,
            half_is_enough=half_is_enough,
            monotonic=self.monotonic,
            sleep=self.sleep,
        )
        return self.now


def test_one_command_alone_waits_for_one_step() -> None:
    assert Sleeper().gather(repeat(1), 1.0) == STEP_SECONDS


def test_it_goes_on_while_each_step_brings_more() -> None:
    assert Sleeper().gather(chain([1, 5, 6, 9], repeat(9)), 1.0) == pytest.approx(4 * STEP_SECONDS)


@pytest.mark.parametrize("steps", [0.4, 1, 3.5])
def test_it_ends_with_the_window_although_more_come(steps: float) -> None:
    assert Sleeper().gather(count(1), steps * STEP_SECONDS) == pytest.approx(steps * STEP_SECONDS)


def test_without_a_window_it_does_not_wait() -> None:
    assert Sleeper().gather(count(1), 0.0) == 0.0


def test_with_enough_there_is_nothing_to_wait_for() -> None:
    assert Sleeper().gather(count(ENOUGH_WAITING), 1.0) == 0.0
    assert Sleeper().gather(chain([3], count(ENOUGH_WAITING)), 1.0) == STEP_SECONDS


def test_it_waits_for_half_of_those_who_were_just_answered() -> None:
    comes_back = chain([1, 1, 1, 4, 4, 5], repeat(5))
    assert Sleeper().gather(comes_back, 1.0, last=10) == pytest.approx(6 * STEP_SECONDS)
    assert Sleeper().gather(repeat(1), 3 * STEP_SECONDS, last=10) == pytest.approx(3 * STEP_SECONDS), (
        "not beyond the window"
    )


@pytest.mark.parametrize("last", [1, 2, 3])
def test_who_sends_alone_is_not_kept_waiting_for_himself(last: int) -> None:
    assert Sleeper().gather(repeat(1), 1.0, last=last) == STEP_SECONDS


def test_where_a_server_stores_half_of_those_committed_last_are_enough() -> None:
    """The event loop works for the other half meanwhile. A few are waited for like everywhere."""
    coming = [0, 9, *range(20, 60)]
    assert Sleeper().gather(iter(coming), 1.0, last=40, half_is_enough=True) == pytest.approx(2 * STEP_SECONDS)
    assert Sleeper().gather(chain(coming, repeat(60)), 1.0, last=40) > 30 * STEP_SECONDS
    few = chain([1, 5, 6, 7], repeat(7))
    assert Sleeper().gather(few, 1.0, last=10, half_is_enough=True) == pytest.approx(4 * STEP_SECONDS)
