"""`hub.core.segments`: any order, any repetition, one verdict."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.segments import Segments, Verdict

LETTERS = ".wr?fsud"
SUBMIT = "wr?fs"
words = st.lists(st.tuples(st.sampled_from(LETTERS[1:]), st.none() | st.integers(-1, 5)), max_size=12)


def heard(reports: list[tuple[str, int | None]], total: int) -> Segments:
    """The segments after these reports."""
    segments = Segments()
    for letter, index in reports:
        segments = segments.heard(letter, index, total)
    return segments


@pytest.mark.parametrize(
    ("letters", "verdict"),
    [
        ("", Verdict.WAITING),
        (".", Verdict.WAITING),
        ("s", Verdict.SENT),
        ("d", Verdict.DELIVERED),
        ("u", Verdict.UNDELIVERED),
        ("?", Verdict.UNCERTAIN),
        ("f", Verdict.FAILED),
        ("r", Verdict.REFUSED),
        ("w", Verdict.REFUSED),
        ("s.", Verdict.WAITING),
        ("d.", Verdict.WAITING),
        ("r.", Verdict.WAITING),
        ("?.", Verdict.WAITING),
        ("u.", Verdict.WAITING),
        (".f", Verdict.FAILED),
        ("sf", Verdict.FAILED),
        ("df", Verdict.FAILED),
        ("ss", Verdict.SENT),
        ("sd", Verdict.SENT),
        ("dd", Verdict.DELIVERED),
        ("du", Verdict.UNDELIVERED),
        ("su", Verdict.UNDELIVERED),
        ("sr", Verdict.PARTIAL),
        ("sw", Verdict.PARTIAL),
        ("ur", Verdict.PARTIAL),
        ("sr?", Verdict.PARTIAL),
        ("s?", Verdict.UNCERTAIN),
        ("d?", Verdict.UNCERTAIN),
        ("u?", Verdict.UNCERTAIN),
        ("r?", Verdict.UNCERTAIN),
        ("??", Verdict.UNCERTAIN),
        ("rr", Verdict.REFUSED),
        ("rw", Verdict.REFUSED),
    ],
)
def test_verdict(letters: str, verdict: Verdict) -> None:
    assert Segments(letters).verdict() is verdict


def test_a_try_is_free_only_when_every_segment_was_refused_before_the_air() -> None:
    for length in (1, 2, 3):
        for letters in itertools.product(LETTERS, repeat=length):
            is_refused = Segments("".join(letters)).verdict() is Verdict.REFUSED
            assert is_refused == (set(letters) <= {"r", "w"}), letters


@given(words, st.integers(1, 5), st.randoms(use_true_random=False))
def test_reports_in_any_order_say_the_same(reports: list[tuple[str, int | None]], total: int, order: Random) -> None:
    shuffled = list(reports)
    order.shuffle(shuffled)
    assert heard(reports, total).verdict() is heard(shuffled, total).verdict()


@given(words, st.integers(1, 5))
def test_hearing_everything_twice_changes_nothing(reports: list[tuple[str, int | None]], total: int) -> None:
    assert heard(reports + reports, total) == heard(reports, total)


@given(words, st.integers(1, 5))
def test_what_may_have_left_is_never_free_again(reports: list[tuple[str, int | None]], total: int) -> None:
    has_left = False
    for step in range(len(reports) + 1):
        segments = heard(reports[:step], total)
        has_left = has_left or segments.may_have_left
        assert not (has_left and segments.verdict() is Verdict.REFUSED)


@pytest.mark.parametrize("index", [-1, 2, 99])
def test_a_report_beyond_the_segments_changes_nothing(index: int) -> None:
    segments = Segments("s.")
    assert segments.heard("f", index, 2) is segments
    assert not segments.has(index)


def test_the_first_report_fixes_how_many_there_are() -> None:
    assert Segments().heard("s", 1, 3) == Segments(".s.")
    assert Segments(".s.").heard("s", 0, 9) == Segments("ss.")
    assert Segments().heard("s", None, 0) == Segments("s")


def test_the_last_word_makes_silence_unknown() -> None:
    assert Segments("s.").verdict(is_last_word=True) is Verdict.UNCERTAIN
    assert Segments("sr.").verdict(is_last_word=True) is Verdict.PARTIAL
    assert Segments("rr.").verdict(is_last_word=True) is Verdict.UNCERTAIN
    assert Segments("").verdict(is_last_word=True) is Verdict.UNCERTAIN
    assert Segments("ss").verdict(is_last_word=True) is Verdict.SENT


def test_what_it_knows_of_its_segments() -> None:
    segments = Segments("s.")
    assert [segments.has(index) for index in (None, 0, 1, 2, -1)] == [True, True, True, False, False]
    for letters, on_air, may_have_left, uses_try in [
        (".w", False, False, False),
        (".r", False, False, True),
        (".?", False, True, False),
        (".f", False, False, False),
        (".s", True, True, False),
        ("ru", True, True, True),
        ("rd", True, True, True),
    ]:
        segments = Segments(letters)
        assert (segments.is_on_air, segments.may_have_left, segments.uses_try) == (on_air, may_have_left, uses_try)


def test_partial_reason_counts_what_left() -> None:
    assert Segments("sdr").partial_reason() == "partial 2/3"
    assert Segments("sdr").sent == 2
