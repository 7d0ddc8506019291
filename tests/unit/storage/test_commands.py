"""How waiting commands are grouped and which writer they go to."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.errors import HubError
from hub.storage.commands import CommandQueue, Waiting, waves
from hub.storage.transaction import Done, Refused, Tx


def first(_tx: Tx, commands: Sequence[object]) -> list[Done[object] | Refused]:
    return [Done(command) for command in commands]


def second(_tx: Tx, commands: Sequence[object]) -> list[Done[object] | Refused]:
    return [Done(command) for command in commands]


def third(_tx: Tx, commands: Sequence[object]) -> list[Done[object] | Refused]:
    return [Done(command) for command in commands]


@pytest.fixture(scope="module")
def future() -> Iterator["asyncio.Future[object]"]:
    loop = asyncio.new_event_loop()
    yield loop.create_future()
    loop.close()


keys = st.lists(st.sampled_from("abcde"), max_size=3, unique=True).map(tuple)
batches = st.lists(st.tuples(st.sampled_from([first, second, third]), keys), max_size=40)


@settings(deadline=None)
@given(batches)
def test_commands_that_share_a_key_keep_their_order(
    future: "asyncio.Future[object]", batch: list[tuple[object, tuple[str, ...]]]
) -> None:
    made = waves([Waiting(use_case, None, keys, future, 0.0) for use_case, keys in batch])  # type: ignore[arg-type]
    applied = [place for wave in made for place in wave.places]
    assert sorted(applied) == list(range(len(batch)))
    when = {place: moment for moment, place in enumerate(applied)}
    for later in range(len(batch)):
        for earlier in range(later):
            if not set(batch[earlier][1]).isdisjoint(batch[later][1]):
                assert when[earlier] < when[later]
    for wave in made:
        assert all(batch[place][0] is wave.use_case for place in wave.places)


def test_unrelated_commands_of_one_use_case_are_one_call(future: "asyncio.Future[object]") -> None:
    batch = [Waiting((first, second)[n % 2], None, (f"device:{n}",), future, 0.0) for n in range(100)]
    assert [len(wave.places) for wave in waves(batch)] == [50, 50]


def test_one_use_case_folds_commands_on_one_key_in_one_call(future: "asyncio.Future[object]") -> None:
    assert len(waves([Waiting(first, None, ("device:1",), future, 0.0) for _ in range(100)])) == 1


def test_a_full_queue_refuses_until_something_is_done(future: "asyncio.Future[object]") -> None:
    queue = CommandQueue(1, 2)
    waiting = [Waiting(first, n, (), future, 0.0) for n in range(4)]
    queue.put(waiting[0])
    queue.put(waiting[1])
    with pytest.raises(HubError) as refused:
        queue.put(waiting[2])
    assert refused.value.code == "queue_full"
    assert refused.value.retry_after_seconds
    taken = queue.take(0, 1)
    with pytest.raises(HubError):
        queue.put(waiting[2])
    queue.done(taken)
    queue.put(waiting[2])
    assert queue.take(0, 10) == waiting[1:3]


def test_a_closed_queue_refuses_and_waits_for_what_it_has(future: "asyncio.Future[object]") -> None:
    queue = CommandQueue(1, 10)
    queue.put(Waiting(first, 1, (), future, 0.0))
    closing = threading.Thread(target=queue.close)
    closing.start()
    while not queue.is_closed:
        pass
    with pytest.raises(HubError) as refused:
        queue.put(Waiting(first, 2, (), future, 0.0))
    assert refused.value.code == "shutting_down"
    assert closing.is_alive()
    queue.done(queue.take(0, 10))
    closing.join()
    assert queue.wait(0) is False


class _Lanes:
    """Takes and finishes commands of a two-lane queue in an order a test chooses."""

    def __init__(self) -> None:
        self.queue = CommandQueue(2, 1000)
        self.running: list[list[Waiting]] = [[], []]
        self.applied: list[Waiting] = []

    def take(self, lane: int, most: int) -> None:
        if not self.running[lane]:
            self.running[lane] = self.queue.take(lane, most)

    def finish(self, lane: int) -> None:
        self.applied += self.running[lane]
        self.queue.done(self.running[lane])
        self.running[lane] = []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys),
        st.tuples(st.just("take"), st.integers(0, 1), st.integers(1, 3)),
        st.tuples(st.just("finish"), st.integers(0, 1)),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(steps)
def test_two_lanes_never_run_a_key_at_once_nor_out_of_order(
    future: "asyncio.Future[object]", script: list[tuple[object, ...]]
) -> None:
    lanes = _Lanes()
    arrived: list[Waiting] = []
    for name, *rest in script:
        if name == "put":
            arrived.append(Waiting(first, len(arrived), rest[0], future, 0.0))  # type: ignore[arg-type]
            lanes.queue.put(arrived[-1])
        else:
            getattr(lanes, str(name))(*rest)
        together = [{key for waiting in running for key in waiting.keys} for running in lanes.running]
        assert together[0].isdisjoint(together[1])
    while len(lanes.queue):
        for lane in (0, 1):
            lanes.take(lane, 5)
            lanes.finish(lane)
    assert len(lanes.applied) == len(arrived)
    for key in "abcde":
        order = [waiting.command for waiting in lanes.applied if key in waiting.keys]
        assert order == sorted(order)


def test_nobody_overtakes_a_command_that_waits_for_both_lanes(future: "asyncio.Future[object]") -> None:
    queue = CommandQueue(2, 100)
    one, other = _keys_of_two_lanes()
    commands = [(one,), (other,), (one, other), (one,), (other,)]
    for n, its_keys in enumerate(commands):
        queue.put(Waiting(first, n, its_keys, future, 0.0))
    assert (queue.waiting_in(0), queue.waiting_in(1)) == (1, 1)
    applied: list[int] = []
    while len(queue):
        for lane in (0, 1):
            taken = queue.take(lane, 1)
            applied += [waiting.command for waiting in taken]
            queue.done(taken)
    assert sorted(applied) == [0, 1, 2, 3, 4]
    assert applied.index(2) < applied.index(3)
    assert applied.index(2) < applied.index(4)


def _keys_of_two_lanes() -> tuple[str, str]:
    by_lane = {hash(key) % 2: key for key in map(str, range(100))}
    return by_lane[0], by_lane[1]


def test_commands_without_a_common_key_use_both_lanes(future: "asyncio.Future[object]") -> None:
    queue = CommandQueue(2, 100)
    for n in range(10):
        queue.put(Waiting(first, n, (), future, 0.0))
    assert (queue.waiting_in(0), queue.waiting_in(1)) == (5, 5)
