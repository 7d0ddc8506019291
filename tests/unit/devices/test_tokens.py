"""Access tokens: good for this hub, this phone and fifteen minutes."""

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import Code, HubError
from hub.devices.tokens import LIFE_SECONDS, DeviceTokens, PhoneIdentity

NOW = 1_790_000_000_000
ME = PhoneIdentity(device_id="d" * 24, account_id="a" * 24, credential_no=3)
KEY, OLD_KEY = b"k" * 32, b"o" * 32


def refusal(tokens: DeviceTokens, token: str, now: int = NOW) -> Code:
    with pytest.raises(HubError) as caught:
        tokens.read(token, now)
    return caught.value.code


def test_a_token_says_who_it_speaks_for() -> None:
    tokens = DeviceTokens([KEY])
    assert tokens.read(tokens.issue(ME, NOW), NOW) == ME


def test_an_independent_library_reads_it() -> None:
    token = DeviceTokens([KEY]).issue(ME, NOW)
    claims = jwt.decode(token, KEY, algorithms=["HS256"], audience="handset.v1", options={"verify_exp": False})
    assert (claims["sub"], claims["acc"], claims["cred"], claims["exp"]) == (
        ME.device_id,
        ME.account_id,
        3,
        NOW // 1000 + 900,
    )


def test_a_token_with_our_claims_of_an_independent_library_is_read() -> None:
    claims = {"sub": "d", "acc": "a", "cred": 1, "aud": "handset.v1", "iat": 0, "exp": NOW}
    assert DeviceTokens([KEY]).read(jwt.encode(claims, KEY, "HS256"), NOW).device_id == "d"


def test_changed_bytes_are_refused() -> None:
    tokens = DeviceTokens([KEY])
    token = tokens.issue(ME, NOW)
    for place in range(len(token)):
        changed = "A" if token[place] != "A" else "B"
        assert refusal(tokens, token[:place] + changed + token[place + 1 :]) == Code.UNAUTHENTICATED


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_our_key(algorithm: str) -> None:
    claims = {"sub": "d", "acc": "a", "cred": 1, "aud": "handset.v1", "iat": 0, "exp": NOW}
    assert refusal(DeviceTokens([KEY]), jwt.encode(claims, b"k" * 64, algorithm)) == Code.UNAUTHENTICATED


def test_it_ends_to_the_second() -> None:
    tokens = DeviceTokens([KEY])
    token = tokens.issue(ME, NOW)
    assert tokens.read(token, NOW + LIFE_SECONDS * 1000 - 1) == ME
    assert refusal(tokens, token, NOW + LIFE_SECONDS * 1000) == Code.UNAUTHENTICATED


def test_what_was_signed_before_the_key_was_rotated_still_opens() -> None:
    token = DeviceTokens([OLD_KEY]).issue(ME, NOW)
    assert DeviceTokens([KEY, OLD_KEY]).read(token, NOW) == ME
    assert refusal(DeviceTokens([KEY]), token) == Code.UNAUTHENTICATED


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": "d", "aud": "handset.v1", "iat": 0, "exp": NOW},
        {"sub": "d", "acc": "a", "cred": "1", "aud": "handset.v1", "iat": 0, "exp": NOW},
        {"sub": "d", "acc": "a", "cred": 1, "aud": "elsewhere", "iat": 0, "exp": NOW},
        {"sub": "d", "acc": "a", "cred": 1, "iat": 0, "exp": NOW},
        {"sub": "d", "acc": "a", "cred": 1, "aud": "handset.v1", "iat": 0},
    ],
)
def test_a_token_of_another_kind_is_refused(claims: dict[str, object]) -> None:
    assert refusal(DeviceTokens([KEY]), jwt.encode(claims, KEY, "HS256")) == Code.UNAUTHENTICATED


def test_an_unsigned_token_is_refused() -> None:
    claims = {"sub": "d", "acc": "a", "cred": 1, "aud": "handset.v1", "exp": NOW}
    assert refusal(DeviceTokens([KEY]), jwt.encode(claims, None, "none")) == Code.UNAUTHENTICATED


@given(st.text(max_size=300))
def test_anything_else_is_refused_and_nothing_breaks(text: str) -> None:
    assert refusal(DeviceTokens([KEY]), text) == Code.UNAUTHENTICATED
