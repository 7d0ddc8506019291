"""`hub.core.ids`: order, uniqueness, and one number in four spellings."""

import itertools
import random
import re
import threading
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core import ids
from hub.core.ids import BadId, IdSource

NOW = 1_790_000_000_000
milliseconds = st.integers(0, ids.MAX_MS)
numbers = st.integers(0, 2**120 - 1)
stored = st.builds(
    lambda n: ids.new_id(n >> 72, (n & (2**72 - 1)).to_bytes(9, "big")),
    numbers,
)


@given(milliseconds, st.binary(min_size=9, max_size=9))
def test_an_id_is_24_characters_and_knows_its_time(now: int, random_bytes: bytes) -> None:
    id_ = ids.new_id(now, random_bytes)
    assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{24}", id_)
    assert ids.time_of(id_) == now


@given(numbers, numbers)
def test_id_order_is_number_order(one: int, other: int) -> None:
    first, second = (ids.new_id(n >> 72, (n & (2**72 - 1)).to_bytes(9, "big")) for n in (one, other))
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


@given(stored)
def test_every_spelling_leads_back(id_: str) -> None:
    assert ids.from_hex30(ids.to_hex30(id_)) == id_
    assert ids.from_smsgate21(ids.to_smsgate21(id_)) == id_
    for kind in ids.PREFIXES:
        assert ids.parse(kind, ids.render(kind, id_)) == id_


@given(stored)
def test_spellings_have_their_shapes(id_: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{30}", ids.to_hex30(id_))
    assert re.fullmatch(r"[A-Za-z0-9_-]{21}", ids.to_smsgate21(id_))


@given(stored, st.integers(0, 20), st.sampled_from("ABCxyz019_-"))
def test_one_wrong_character_is_noticed(id_: str, position: int, character: str) -> None:
    text = ids.to_smsgate21(id_)
    wrong = text[:position] + character + text[position + 1 :]
    if wrong != text:
        with pytest.raises(BadId):
            ids.from_smsgate21(wrong)


@given(stored, st.integers(0, 19))
def test_two_swapped_characters_are_noticed(id_: str, position: int) -> None:
    text = ids.to_smsgate21(id_)
    swapped = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
    if swapped != text:
        with pytest.raises(BadId):
            ids.from_smsgate21(swapped)


def test_known_spellings_stay_what_they_are() -> None:
    id_ = ids.new_id(1_700_000_000_000, b"123456789")
    assert id_ == "065wzsb800rk4csm6mv3ee1s"
    assert ids.to_hex30(id_) == "018bcfe56800313233343536373839"
    assert ids.to_smsgate21(id_) == "AYvP5WgAMTIzNDU2Nzg5t"
    assert ids.render("endpoint", id_) == "whk_065wzsb800rk4csm6mv3ee1s"


def test_every_kind_has_its_own_prefix() -> None:
    assert set(ids.PREFIXES) == set(get_args(ids.Kind))
    assert len(set(ids.PREFIXES.values())) == len(ids.PREFIXES)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("dev_065wzsb800rk4csm6mv3ee1s", "id of a device, not of a message"),
        ("065wzsb800rk4csm6mv3ee1s", "one is msg_ and 24"),
        ("msg_065wzsb800rk4csm6mv3ee1", "one is msg_ and 24"),
        ("msg_065WZSB800RK4CSM6MV3EE1S", "one is msg_ and 24"),
        ("msg_065wzsb800rk4csm6mv3eeil", "one is msg_ and 24"),
        ("msg_065wzsb800rk4csm6mv3ee1s\n", "one is msg_ and 24"),
        ("", "one is msg_ and 24"),
        ("msg_", "one is msg_ and 24"),
    ],
)
def test_parse_says_what_an_id_looks_like(text: str, match: str) -> None:
    with pytest.raises(BadId, match=match):
        ids.parse("message", text)


@pytest.mark.parametrize("text", ["", "0" * 29, "0" * 31, "G" * 30, "A" * 30])
def test_from_hex30_refuses(text: str) -> None:
    with pytest.raises(BadId):
        ids.from_hex30(text)


@given(st.text(max_size=30))
def test_readers_never_fail_in_another_way(text: str) -> None:
    for read in (ids.from_hex30, ids.from_smsgate21, ids.time_of, lambda t: ids.parse("message", t)):
        try:
            read(text)
        except BadId:
            continue


def test_an_id_wants_nine_random_bytes() -> None:
    with pytest.raises(ValueError, match="9 random bytes"):
        ids.new_id(NOW, b"123")


@given(st.integers(0, NOW * 2), st.lists(st.integers(0, NOW * 2), max_size=40), st.integers(0, 2**32))
def test_a_source_only_rises_whatever_the_clock_does(high_water: int, clock: list[int], seed: int) -> None:
    source = IdSource(high_water, random.Random(seed).randbytes)
    issued = [source.next(now) for now in clock]
    assert issued == sorted(set(issued))
    assert all(ids.time_of(id_) > high_water for id_ in issued)
    if issued:
        assert source.high_water == ids.time_of(issued[-1])


@given(st.lists(st.integers(1, ids.MAX_MS), min_size=1, max_size=20, unique=True).map(sorted))
def test_a_source_keeps_the_time_of_a_rising_clock(clock: list[int]) -> None:
    source = IdSource(0, random.Random(1).randbytes)
    assert [ids.time_of(source.next(now)) for now in clock] == clock


def test_ids_of_one_millisecond_that_run_out_spill_into_the_next() -> None:
    source = IdSource(NOW - 1, lambda n: b"\xff" * n)
    first, second = source.next(NOW), source.next(NOW)
    assert first < second
    assert ids.time_of(second) == NOW + 1


def test_ids_rise_even_without_randomness() -> None:
    source = IdSource(0, lambda n: b"\0" * n)
    issued = [source.next(NOW) for _ in range(5)]
    assert issued == sorted(set(issued))
    assert {ids.time_of(id_) for id_ in issued} == {NOW}


def test_ids_of_one_millisecond_are_not_guessed_by_counting() -> None:
    source = IdSource(0, random.Random(2).randbytes)
    values = [int(ids.to_hex30(source.next(NOW)), 16) for _ in range(100)]
    steps = {after - before for before, after in itertools.pairwise(values)}
    assert len(steps) == 99


def test_a_source_is_shared_between_threads() -> None:
    source = IdSource(NOW, random.Random(3).randbytes)
    issued: list[list[str]] = [[] for _ in range(4)]

    def take(into: list[str]) -> None:
        into.extend(source.next(NOW) for _ in range(500))

    threads = [threading.Thread(target=take, args=(into,)) for into in issued]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id_ for into in issued for id_ in into}) == 2000
    assert all(into == sorted(into) for into in issued)


def test_a_source_goes_on_above_what_a_database_holds() -> None:
    source = IdSource(0, random.Random(3).randbytes)
    source.raise_to(NOW + 500)
    assert ids.time_of(source.next(NOW)) > NOW + 500
    source.raise_to(NOW)
    assert ids.time_of(source.next(NOW)) > NOW + 500


@given(milliseconds)
def test_first_id_at_bounds_its_millisecond(now: int) -> None:
    assert ids.first_id_at(now) <= ids.new_id(now, b"\0" * 9)
    if now:
        assert ids.first_id_at(now) > ids.new_id(now - 1, b"\xff" * 9)
