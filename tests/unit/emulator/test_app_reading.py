"""The emulated app reads as the published one does, or it would judge nothing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from android_emulator.smsgate import gson


@pytest.mark.parametrize(
    ("text", "late_ms"),
    [
        ("2026-01-31T09:00:00.123Z", 0),
        ("2026-01-31T09:00:00.123456Z", 123_333),
        ("2026-01-31T09:00:00.123456789Z", 123_456_666),
        ("2026-01-31T16:00:00.123+07:00", 0),
        ("2026-01-31T09:00:00Z", -123),
    ],
)
def test_every_digit_of_a_fraction_is_a_millisecond(text: str, late_ms: int) -> None:
    assert gson.read_time(text) - gson.read_time("2026-01-31T09:00:00.123Z") == late_ms


@pytest.mark.parametrize("text", ["2026-01-31T09:00:00.123", "2026-01-31", "", "now"])
def test_a_time_without_offset_throws(text: str) -> None:
    with pytest.raises(gson.GsonError):
        gson.read_time(text)


@pytest.mark.parametrize("minutes", [0, 330, -330, 840, -720])
@pytest.mark.parametrize("at", [0, 951_782_399_999, 1_790_000_000_123, 4_102_444_799_000])
def test_times_are_written_in_the_phones_zone(at: int, minutes: int) -> None:
    told = datetime.fromisoformat(gson.write_time(at, minutes))
    assert told == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    assert told.utcoffset() == timezone(timedelta(minutes=minutes)).utcoffset(None)


def test_old_androids_write_zones_west_of_greenwich_wrongly() -> None:
    assert gson.write_time(0, -300, is_wrong_west=True).endswith("19:00:00.000+-5:00")
    assert gson.write_time(0, -210, is_wrong_west=True).endswith("+-3:-30")


def test_unknown_words_and_null_groups_throw() -> None:
    with pytest.raises(gson.GsonError):
        gson.check_hooks([{"event": "sms:cancelled"}], (1, 66))
    with pytest.raises(gson.GsonError):
        gson.check_settings({"messages": {"limit_period": "Per30Minutes"}}, (1, 66))
    with pytest.raises(gson.GsonError):
        gson.check_settings({"messages": None}, (1, 70))
    gson.check_settings({"messages": {"limit_period": None, "later": 1}, "unheard_of": None}, (1, 70))
