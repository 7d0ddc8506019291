"""The shape of a key, scopes, settings, and the allowance of requests: rules without a database."""

import hashlib
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.keys import PREFIX, hash_of, new_secret
from hub.accounts.rate import BURST_SECONDS, Bucket
from hub.accounts.scopes import MEANING, Scope, parse_scopes, refuse_more_than, store_scopes
from hub.accounts.settings import AccountSettings, changed, read_settings, write_settings
from hub.core.errors import Code, HubError


def test_a_key_is_its_prefix_and_256_bits_that_can_be_selected_by_a_double_click() -> None:
    made = new_secret(random.Random(1).randbytes)
    assert made.token.startswith(PREFIX)
    assert len(made.token) == 4 + 52
    assert set(made.token[4:]) <= set(string.ascii_lowercase + string.digits)
    assert made.hint == made.token[-4:]
    assert made.sha256 == hashlib.sha256(made.token.encode()).hexdigest() == hash_of(made.token)


def test_every_bit_of_a_key_counts() -> None:
    def with_bit(bit: int) -> str:
        return new_secret(lambda size: (1 << bit).to_bytes(size, "big")).token

    assert len({with_bit(bit) for bit in range(256)}) == 256


@given(st.sets(st.sampled_from(Scope)))
def test_stored_scopes_come_back(scopes: set[Scope]) -> None:
    assert parse_scopes(store_scopes(scopes)) == scopes


def test_a_scope_of_a_newer_hub_allows_nothing_here() -> None:
    assert parse_scopes("messages:read galaxy:own") == {Scope.MESSAGES_READ}


def test_every_scope_has_a_meaning() -> None:
    assert set(MEANING) == set(Scope)


def test_a_key_hands_out_no_more_than_it_has() -> None:
    refuse_more_than(frozenset({Scope.KEYS_WRITE, Scope.KEYS_READ}), [Scope.KEYS_READ])
    with pytest.raises(HubError, match="messages:send") as caught:
        refuse_more_than(frozenset({Scope.KEYS_WRITE}), [Scope.KEYS_WRITE, Scope.MESSAGES_SEND])
    assert caught.value.code is Code.SCOPE_MISSING


@given(
    st.builds(
        AccountSettings,
        default_region=st.sampled_from([None, "GB", "DE"]),
        default_pool=st.none() | st.text(min_size=1, max_size=5),
        strict_sender=st.booleans(),
    )
)
def test_stored_settings_come_back(settings: AccountSettings) -> None:
    assert read_settings(write_settings(settings)) == settings


def test_settings_of_a_newer_hub_are_read() -> None:
    assert read_settings('{"time_zone": "Europe/Berlin", "colour": "blue"}').time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"default_region": "ZZ"}, "settings.default_region"),
        ({"default_region": "gb"}, "settings"),
        ({"time_zone": "Mars/Base"}, "settings.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "settings.time_zone"),
        ({"time_zone": "Europe"}, "settings.time_zone"),
        ({"default_ttl_seconds": 5}, "settings"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(change: dict[str, object], field: str) -> None:
    with pytest.raises(HubError) as caught:
        changed(AccountSettings(), change)
    assert caught.value.code is Code.VALIDATION
    assert [error.field for error in caught.value.fields] == [field]


def test_null_gives_a_setting_back_to_the_hub() -> None:
    assert changed(AccountSettings(default_region="GB"), {"default_region": None}).default_region is None


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(10, 0.0)
    assert [bucket.take(0.0) for _ in range(10 * BURST_SECONDS)] == [0.0] * 40
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert bucket.take(0.1) == 0.0
    assert bucket.take(0.1) > 0


@given(st.lists(st.floats(min_value=0, max_value=2), max_size=200), st.integers(min_value=1, max_value=50))
def test_a_bucket_never_lets_more_through_than_rate_and_burst(steps: list[float], rate: int) -> None:
    bucket, now, taken = Bucket(rate, 0.0), 0.0, 0
    for step in steps:
        now += step
        taken += sum(bucket.take(now) == 0.0 for _ in range(20))
    assert taken <= rate * BURST_SECONDS + rate * now + 1e-6


def test_a_bucket_of_less_than_one_a_second_still_lets_one_through() -> None:
    assert Bucket(0.1, 0.0).take(0.0) == 0.0
