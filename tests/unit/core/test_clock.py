"""`hub.core.clock`: one writer, one reader, and no guessing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.clock import parse_rfc3339, rfc3339

FIRST = -62_135_596_800_000
LAST = 253_402_300_799_999
times = st.integers(min_value=FIRST, max_value=LAST)


@given(times)
def test_what_is_written_is_read_back(ms: int) -> None:
    assert parse_rfc3339(rfc3339(ms)) == ms


@given(times)
def test_written_form_is_24_characters_with_three_fraction_digits(ms: int) -> None:
    text = rfc3339(ms)
    assert len(text) == 24
    assert text[19] == "."
    assert text[-1] == "Z"


@given(times, times)
def test_written_forms_sort_like_times(one: int, other: int) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_offsets_are_honoured(local: datetime, minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=minutes)), microsecond=local.microsecond // 1000 * 1000)
    text = moment.isoformat(timespec="milliseconds")
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=parse_rfc3339(text)) == moment


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.5z", 500),
        ("1970-01-01 00:00:01.123456789+00:00", 1123),
        ("1970-01-01T02:00:00.000+02:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01T00:00:00.9999Z", 999),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2016-12-31T23:59:60.700Z", 1_483_228_800_000),
        ("2024-02-29T12:00:00-00:00", 1_709_208_000_000),
    ],
)
def test_reads(text: str, ms: int) -> None:
    assert parse_rfc3339(text) == ms


@pytest.mark.parametrize("text", ["2026-01-31T09:00:00", "2026-01-31 09:00", "2026-01-31T09:00:00.123"])
def test_a_time_without_offset_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValueError, match="has no offset: add Z"):
        parse_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31",
        "2026-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T09:00:61Z",
        "2026-01-31T09:00:00+24:00",
        "2026-01-31T09:00:00+01:60",
        "2026-01-31T09:00:00.Z",
        "2026-01-31T09:00:00Z\n",
        "٢٠٢٦-01-31T09:00:00Z",
        "+2026-01-31T09:00:00Z",
        "0000-01-31T09:00:00Z",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|offset"):
        parse_rfc3339(text)


@pytest.mark.parametrize("ms", [LAST + 1, FIRST - 1, 2**63])
def test_times_outside_the_calendar_are_refused(ms: int) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        rfc3339(ms)
