"""Brakes: so much at once, then one after the other, and bounded memory."""

import pytest

from hub.core.errors import Code, HubError
from hub.phones import throttle
from hub.phones.throttle import Brake
from tests.fakes import FakeClock


def taken(brake: Brake, key: str, times: int) -> int:
    done = 0
    for _ in range(times):
        try:
            brake.take(key)
        except HubError:
            continue
        done += 1
    return done


def test_a_burst_then_one_at_a_time() -> None:
    clock = FakeClock()
    brake = Brake(clock, burst=5, seconds=2.0)
    assert taken(brake, "a", 9) == 5
    clock.advance(1.9)
    assert taken(brake, "a", 1) == 0
    clock.advance(0.1)
    assert taken(brake, "a", 2) == 1
    clock.advance(1000)
    assert taken(brake, "a", 9) == 5


def test_the_wait_it_names_is_enough_and_not_more() -> None:
    clock = FakeClock()
    brake = Brake(clock, burst=2, seconds=3.0)
    taken(brake, "a", 2)
    clock.advance(1)
    with pytest.raises(HubError) as caught:
        brake.check("a")
    assert caught.value.code == Code.RATE_LIMITED
    assert caught.value.retry_after_seconds == pytest.approx(2.0)
    clock.advance(2.0)
    brake.check("a")


def test_keys_do_not_share() -> None:
    brake = Brake(FakeClock(), burst=1, seconds=1.0)
    assert (taken(brake, "a", 2), taken(brake, "b", 2)) == (1, 1)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_KEYS", 3)
    brake = Brake(FakeClock(), burst=1, seconds=1.0)
    for key in "abcd":
        brake.count(key)
    assert taken(brake, "a", 1) == 1
    assert taken(brake, "d", 1) == 0
