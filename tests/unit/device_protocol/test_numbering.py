"""Numbers of events: what is acknowledged, what is asked for, and that a misbehaving phone neither blocks nor grows it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from device_protocol.frames import Ack, App, Hello, Resend
from device_protocol.limits import BEYOND_MAX, NUMBER_MAX, RESEND_MAX, STREAMS_MAX
from device_protocol.numbering import Gap, Numbered, NumberingRules, StreamChoice, StreamMemory

RULES = NumberingRules()


def memory(contiguous: int = 0, **fields: object) -> StreamMemory:
    uuid = f"u{contiguous}" if contiguous else None
    base = StreamMemory("s", contiguous, uuid, given_out=contiguous, received=contiguous)
    return replace(base, **fields)  # type: ignore[arg-type]


def hello(oldest_held: int = 1, next: int = 1, stream: str = "s", *, is_diverged: bool = False) -> Hello:
    return Hello(1, App("1"), stream, oldest_held, next, is_diverged=is_diverged)


def take(start: StreamMemory, *numbers: int) -> Numbered:
    return RULES.take_events(start, [(number, f"u{number}") for number in numbers])


# --- in order


def test_events_in_order_are_acknowledged_once_with_the_last_uuid() -> None:
    numbered = take(memory(), 1, 2, 3)
    assert numbered.ack == Ack("s", 3, "u3")
    assert numbered.resend is None
    assert numbered.gaps == ()


def test_a_repeated_number_changes_nothing_and_keeps_the_first_uuid() -> None:
    start = memory(3)
    numbered = RULES.take_events(start, [(3, "other"), (1, "u1")])
    assert numbered.memory == start
    assert numbered.ack == Ack("s", 3, "u3")


# --- holes


def test_a_hole_is_asked_for_and_closed() -> None:
    numbered = take(memory(3), 6)
    assert numbered.ack == Ack("s", 3, "u3")
    assert numbered.resend == Resend("s", 4, 5)
    closed = take(numbered.memory, 4, 5)
    assert closed.ack == Ack("s", 6, "u6")
    assert closed.resend is None
    assert closed.memory.beyond == ()


def test_one_request_at_a_time_then_the_next_hole() -> None:
    numbered = take(memory(), 3, 6)
    assert numbered.resend == Resend("s", 1, 2)
    half = take(numbered.memory, 1)
    assert half.resend is None
    closed = take(half.memory, 2)
    assert closed.ack.n == 3
    assert closed.resend == Resend("s", 4, 5)


def test_a_hole_wider_than_one_request_is_asked_for_in_pieces() -> None:
    numbered = take(memory(), RESEND_MAX + 10)
    assert numbered.resend == Resend("s", 1, RESEND_MAX)
    closed = take(numbered.memory, *range(1, RESEND_MAX + 1))
    assert closed.resend == Resend("s", RESEND_MAX + 1, RESEND_MAX + 9)


def test_gone_numbers_become_a_gap_and_are_acknowledged_without_uuid() -> None:
    numbered = take(memory(3), 6)
    gone = RULES.take_gone(numbered.memory, 4, 5, "aged")
    assert gone.gaps == (Gap("s", 4, 5, "aged"),)
    assert gone.ack == Ack("s", 6, "u6")
    at_gap = RULES.take_gone(memory(3, given_out=5), 4, 5, "aged")
    assert at_gap.ack == Ack("s", 5, None)


def test_gone_spares_what_is_stored() -> None:
    numbered = take(memory(), 2, 4)
    gone = RULES.take_gone(numbered.memory, 1, 5, "aged")
    assert gone.gaps == (Gap("s", 1, 1, "aged"), Gap("s", 3, 3, "aged"))
    assert gone.ack == Ack("s", 4, "u4")
    neighbours = RULES.take_gone(take(memory(), 2, 3, 5).memory, 1, 5, "aged")
    assert neighbours.gaps == (Gap("s", 1, 1, "aged"), Gap("s", 4, 4, "aged"))
    ends_on_stored = RULES.take_gone(take(memory(), 2, 4).memory, 1, 4, "aged")
    assert ends_on_stored.ack == Ack("s", 4, "u4")


@pytest.mark.parametrize(("first", "last"), [(1, 3), (2, 2), (8, 9), (5, 9)])
def test_gone_of_settled_or_distant_numbers_changes_nothing(first: int, last: int) -> None:
    start = memory(3, given_out=20)
    assert RULES.take_gone(start, first, last, "aged").memory == start


def test_numbers_the_phone_never_gave_out_cannot_be_gone() -> None:
    gone = RULES.take_gone(memory(3, given_out=6), 4, NUMBER_MAX, "aged")
    assert gone.gaps == (Gap("s", 4, 6, "aged"),)
    assert gone.ack.n == 6


# --- caps: nothing blocks, nothing grows


def test_far_too_many_numbers_above_a_hole_are_forgotten_and_asked_for_again() -> None:
    numbers = range(2, BEYOND_MAX + 12)
    numbered = take(memory(), *numbers)
    assert len(numbered.memory.beyond) == BEYOND_MAX
    closed = take(numbered.memory, 1)
    assert closed.ack.n == BEYOND_MAX + 1
    assert closed.resend == Resend("s", BEYOND_MAX + 2, BEYOND_MAX + 11)
    assert take(closed.memory, *range(BEYOND_MAX + 2, BEYOND_MAX + 12)).ack.n == BEYOND_MAX + 11


def test_a_huge_number_costs_nothing() -> None:
    numbered = take(memory(), NUMBER_MAX)
    assert numbered.resend == Resend("s", 1, RESEND_MAX)
    assert len(numbered.memory.beyond) == 1


# --- hello


def test_a_fresh_phone_begins_its_stream() -> None:
    choice = RULES.choose_stream((), hello(), "fresh")
    assert choice == StreamChoice((StreamMemory("s"),))


def test_a_phone_that_comes_back_goes_on() -> None:
    choice = RULES.choose_stream((memory(3),), hello(2, 7), "fresh")
    assert (choice.new_stream, choice.resend, choice.gaps) == (None, None, ())
    assert choice.current.contiguous == 3
    assert take(choice.current, 4, 5, 6).resend is None


def test_what_was_asked_for_in_the_last_connection_is_asked_for_again() -> None:
    asked = take(memory(), 3)
    choice = RULES.choose_stream((asked.memory,), hello(1, 4), "fresh")
    assert choice.resend is None, "the phone sends from the ack by itself"
    assert take(choice.current, 2).resend == Resend("s", 1, 1)


def test_numbers_below_oldest_held_are_asked_for_until_they_are_gone() -> None:
    choice = RULES.choose_stream((memory(3),), hello(RESEND_MAX + 10, RESEND_MAX + 10), "fresh")
    assert choice.resend == Resend("s", 4, RESEND_MAX + 3)
    gone = RULES.take_gone(choice.current, 4, RESEND_MAX + 3, "aged")
    assert gone.resend == Resend("s", RESEND_MAX + 4, RESEND_MAX + 9)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        pytest.param((memory(5),), hello(2, 5), id="its next event would reuse a number"),
        pytest.param((memory(5),), hello(2, 6, is_diverged=True), id="it says so"),
        pytest.param((memory(3), StreamMemory("t", 1)), hello(2, 9), id="it counts in a stream it had left"),
    ],
)
def test_a_store_that_went_back_gets_a_new_stream(known: tuple[StreamMemory, ...], said: Hello) -> None:
    choice = RULES.choose_stream(known, said, "fresh")
    assert choice.new_stream == "fresh"
    assert choice.current == StreamMemory("fresh", 1, None, given_out=1, received=1)
    assert choice.resend is None
    assert [stream.stream for stream in choice.streams].count("s") == 1


def test_next_just_above_the_ack_is_no_reason_for_a_new_stream() -> None:
    assert RULES.choose_stream((memory(5),), hello(6, 6), "fresh").new_stream is None


def test_a_new_stream_closes_the_old_ones_holes() -> None:
    old = take(memory(), 1, 3).memory
    choice = RULES.choose_stream((old,), hello(6, 9, is_diverged=True), "fresh")
    assert choice.gaps == (Gap("s", 2, 2, "store_went_back"), Gap("s", 4, 5, "store_went_back"))
    assert choice.current.contiguous == 5


def test_a_gap_of_an_old_stream_is_recorded_once() -> None:
    first = RULES.choose_stream((memory(3),), hello(6, 9, is_diverged=True), "t")
    assert first.gaps == (Gap("s", 4, 5, "store_went_back"),)
    again = RULES.choose_stream(first.streams, hello(8, 9), "v")
    assert again.gaps == (Gap("s", 6, 7, "store_went_back"),)


def test_old_streams_are_forgotten_after_a_while() -> None:
    streams: tuple[StreamMemory, ...] = ()
    for count in range(STREAMS_MAX + 5):
        streams = RULES.choose_stream(streams, hello(1, 1, f"s{count}"), "fresh").streams
    assert len(streams) == STREAMS_MAX
    assert streams[-1].stream == f"s{STREAMS_MAX + 4}"


# --- any order


@settings(max_examples=300, deadline=None)
@given(st.permutations(range(1, 13)), st.sets(st.integers(1, 12), max_size=4))
def test_any_order_ends_with_every_number_settled(order: list[int], lost: set[int]) -> None:
    """The phone answers every resend with what it holds and gone for the rest."""
    now = RULES.choose_stream((), hello(1, 13), "fresh").current
    asked: list[Resend] = []
    gaps: list[Gap] = []

    def note(numbered: Numbered) -> StreamMemory:
        gaps.extend(numbered.gaps)
        if numbered.resend is not None:
            asked.append(numbered.resend)
        return numbered.memory

    sent = [number for number in order if number not in lost] + [13]
    for number in sent:
        now = note(RULES.take_event(now, number, f"u{number}"))
    while asked:
        resend = asked.pop(0)
        for number in range(resend.first, resend.last + 1):
            if number in lost:
                now = note(RULES.take_gone(now, number, number, "aged"))
            else:
                now = note(RULES.take_event(now, number, f"u{number}"))
    assert now.contiguous == 13
    assert now.uuid == "u13"
    assert {number for gap in gaps for number in range(gap.first, gap.last + 1)} == lost


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, NUMBER_MAX) | st.integers(1, 20), st.integers(0, 30)), max_size=30)
)
def test_nothing_a_phone_says_moves_the_ack_back_or_makes_the_row_grow(steps: list[tuple[bool, int, int]]) -> None:
    now = StreamMemory("s")
    for is_event, number, width in steps:
        last = min(number + width, NUMBER_MAX)
        numbered = (
            RULES.take_event(now, number, f"u{number}") if is_event else RULES.take_gone(now, number, last, "aged")
        )
        assert numbered.memory.contiguous >= now.contiguous
        assert len(numbered.memory.beyond) <= BEYOND_MAX
        now = numbered.memory
        assert all(entry > now.contiguous + 1 for entry, _ in now.beyond)
