"""A window that breathes, a rate that holds, and places that are shared."""

from hypothesis import given
from hypothesis import strategies as st

from hub.webhooks.bulkheads import Bulkheads
from hub.webhooks.pace import Rate, Window


def test_window_grows_by_one_and_halves() -> None:
    window = Window(8)
    window.shrink()
    assert window.size == 4
    window.grow()
    assert window.size == 5
    window.restart()
    for _ in range(20):
        window.grow()
    assert window.size == 8
    for _ in range(9):
        window.shrink()
    assert window.size == 1


def test_resized_window_keeps_its_caution() -> None:
    window = Window(8)
    window.resize(16)
    assert (window.size, window.most) == (16, 16)
    window.shrink()
    window.resize(4)
    assert (window.size, window.most) == (4, 4)
    window.restart()
    window.resize(8)
    assert (window.size, window.most) == (1, 8)


@given(st.integers(1, 50), st.lists(st.integers(0, 400), min_size=1, max_size=200))
def test_rate_never_lets_more_than_a_second_and_its_burst_through(per_second: int, steps: list[int]) -> None:
    rate, now, starts = Rate(per_second), 10_000, []
    for step in steps:
        now += step
        if rate.wait_ms(now) <= 0:
            rate.take(now)
            starts.append(now)
    for start in starts:
        assert sum(start <= at < start + 1000 for at in starts) <= 2 * per_second


def test_rate_says_how_long_to_wait() -> None:
    rate = Rate(2)
    taken = 0
    while rate.wait_ms(0) <= 0:
        rate.take(0)
        taken += 1
    assert taken == 2
    assert rate.wait_ms(0) == 500
    assert rate.wait_ms(500) == 0


def test_no_more_than_all_places() -> None:
    heads = Bulkheads(4)
    assert [heads.admit(f"lane{n}", f"account{n}", is_slow=False) for n in range(5)] == [True] * 4 + [False]
    heads.leave("lane0", "account0")
    assert heads.admit("lane9", "account9", is_slow=False)


def test_one_lane_has_a_share_when_places_run_short() -> None:
    heads = Bulkheads(16)
    mine = 0
    for n in range(3):
        heads.admit(f"other{n}", "b", is_slow=False)
    while heads.admit("lane", "a", is_slow=False):
        mine += 1
        if mine > 16:
            break
    assert mine <= 16 * 0.75
    assert heads.admit("new", "c", is_slow=False)


@given(st.integers(1, 380), st.integers(1, 64))
def test_full_windows_of_others_leave_a_newcomer_its_places(silent: int, window: int) -> None:
    heads = Bulkheads(1024)
    for _ in range(window):
        for n in range(silent):
            heads.admit(f"silent{n}", "a", is_slow=False)
    assert [heads.admit(f"new{n}", "a", is_slow=False) for n in range(64) for _ in range(2)] == [True] * 128


def test_one_account_has_a_quarter_only_beside_another() -> None:
    alone = Bulkheads(16)
    assert sum(alone.admit(f"lane{n}", "a", is_slow=False) for n in range(8)) == 8
    shared = Bulkheads(16)
    shared.admit("other", "b", is_slow=False)
    assert sum(shared.admit(f"lane{n}", "a", is_slow=False) for n in range(8)) == 4


def test_slow_lanes_hold_half_together() -> None:
    heads = Bulkheads(16)
    assert sum(heads.admit(f"slow{n}", f"a{n}", is_slow=True) for n in range(12)) == 8
    assert heads.admit("quick", "q", is_slow=False)
    heads.leave("slow0", "a0")
    assert heads.admit("slow9", "a9", is_slow=True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.booleans()), max_size=200))
def test_counts_come_back_to_nothing(orders: list[tuple[int, int, bool]]) -> None:
    heads, inside = Bulkheads(8), []
    for lane, account, slow in orders:
        if heads.admit(f"l{lane}", f"a{account}", is_slow=slow):
            inside.append((f"l{lane}", f"a{account}"))
        elif inside:
            heads.leave(*inside.pop(0))
    for place in inside:
        heads.leave(*place)
    assert heads.in_flight == 0
    assert heads.admit("l0", "a0", is_slow=True)
