"""Hints reach those who watch the account; one that does not read is cut and nobody waits for it."""

import pytest

from hub.live import MOST_WAITING, Hint, Live

pytestmark = pytest.mark.anyio


async def test_watcher_hears_its_own_account_only() -> None:
    live = Live()
    mine, other = live.watch("a"), live.watch("b")
    live.publish("a", Hint("message", "1"))
    assert await mine.take(1) == [Hint("message", "1")]
    assert await other.take(0) == []


async def test_same_hint_twice_is_one() -> None:
    live = Live()
    watcher = live.watch("a")
    for _ in range(3):
        live.publish("a", Hint("event", "7"))
    assert await watcher.take(1) == [Hint("event", "7")]


async def test_watcher_that_does_not_read_is_cut() -> None:
    live = Live()
    slow, quick = live.watch("a"), live.watch("a")
    for n in range(MOST_WAITING + 1):
        live.publish("a", Hint("message", str(n)))
        if n % 100 == 0:
            await quick.take(0)
    assert slow.was_cut
    assert not quick.was_cut


async def test_left_watcher_costs_nothing_and_close_ends_the_rest() -> None:
    live = Live()
    gone, stays = live.watch("a"), live.watch("a")
    live.leave(gone)
    assert live.count == 1
    live.close()
    assert stays.was_cut
    assert await stays.take(5) == []
