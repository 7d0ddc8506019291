"""The limits that a watched endpoint is held to, over the tries of an hour."""

import msgspec
import pytest

from hub.webhooks.watch import (
    SLOW_MS,
    SPAN_MS,
    SPANS,
    UNWATCHED,
    Turn,
    Watch,
    after_try,
    decode_watch,
    encode_watch,
    sums,
)

NOW = 1_000 * SPAN_MS
HOUR = SPANS * SPAN_MS


def tried(
    watch: Watch, count: int = 1, *, now: int = NOW, ms: int = 10, is_success: bool = True, is_given_up: bool = False
) -> Turn:
    turn = Turn(watch)
    for _ in range(count):
        turn = after_try(turn.watch, now, ms, is_success=is_success, is_given_up=is_given_up)
    return turn


def test_what_goes_well_breaks_no_limit() -> None:
    turn = tried(UNWATCHED, 300, ms=SLOW_MS)
    assert (turn.began, turn.ended, turn.watch.told) == ((), (), ())
    assert (sums(turn.watch, NOW).tries, sums(turn.watch, NOW).slowest_ms) == (300, SLOW_MS)


def test_one_in_a_hundred_is_allowed_and_more_is_not() -> None:
    watch = tried(UNWATCHED, 99).watch
    assert tried(watch, is_success=False).began == ()
    assert tried(tried(watch, is_success=False).watch, is_success=False).began == ("errors",)
    assert tried(tried(watch, ms=SLOW_MS + 1).watch, ms=SLOW_MS + 1).began == ("slow",)


def test_a_failure_among_few_is_told_once_and_its_end_once() -> None:
    first = tried(UNWATCHED, is_success=False)
    assert first.began == ("errors",)
    second = tried(first.watch, is_success=False)
    assert (second.began, second.ended) == ((), ())
    diluted = tried(second.watch, 197)
    assert diluted.ended == ()
    assert tried(diluted.watch).ended == ("errors",)


def test_a_text_given_up_is_missing_until_an_hour_has_gone_by() -> None:
    turn = tried(UNWATCHED, is_success=False, is_given_up=True)
    assert turn.began == ("errors", "missing")
    later = tried(turn.watch, 500, now=NOW + SPAN_MS)
    assert later.watch.told == ("missing",)
    assert sums(later.watch, NOW + HOUR).missing == 0
    last = tried(later.watch, now=NOW + HOUR)
    assert last.ended == ("missing",)
    assert len(last.watch.spans) <= SPANS


@pytest.mark.parametrize("back", [0, 1, 5 * SPAN_MS, 2 * HOUR])
def test_a_clock_that_goes_back_loses_no_count(back: int) -> None:
    watch = tried(UNWATCHED, 3).watch
    assert sums(tried(watch, now=NOW - back).watch, NOW).tries >= 3


def test_a_record_comes_back_as_it_was() -> None:
    watch = tried(UNWATCHED, 7, is_success=False, ms=9_000, is_given_up=True).watch
    assert decode_watch(encode_watch(watch)) == watch
    assert (encode_watch(UNWATCHED), decode_watch("{}")) == ("{}", UNWATCHED)
    with pytest.raises(msgspec.DecodeError):
        decode_watch("")
