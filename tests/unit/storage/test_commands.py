"""How waiting commands are grouped, and when there are too many."""

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
    queue = CommandQueue(2)
    waiting = [Waiting(first, n, (), future, 0.0) for n in range(4)]
    queue.put(waiting[0])
    queue.put(waiting[1])
    with pytest.raises(HubError) as refused:
        queue.put(waiting[2])
    assert refused.value.code == "queue_full"
    assert refused.value.retry_after_seconds
    taken = queue.take(1)
    with pytest.raises(HubError):
        queue.put(waiting[2])
    queue.done(taken)
    queue.put(waiting[2])
    assert queue.take(10) == waiting[1:3]


def test_a_closed_queue_refuses_and_waits_for_what_it_has(future: "asyncio.Future[object]") -> None:
    queue = CommandQueue(10)
    queue.put(Waiting(first, 1, (), future, 0.0))
    closing = threading.Thread(target=queue.close)
    closing.start()
    while not queue.is_closed:
        pass
    with pytest.raises(HubError) as refused:
        queue.put(Waiting(first, 2, (), future, 0.0))
    assert refused.value.code == "shutting_down"
    assert closing.is_alive()
    queue.done(queue.take(10))
    closing.join()
    assert queue.wait() is False
