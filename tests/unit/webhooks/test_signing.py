"""Signatures: the standard's own example, rotation, Ed25519, and third parties' verifiers."""

import base64
import hmac
import os
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from hub.webhooks.signing import (
    KEY_BYTES,
    Keys,
    SigningKey,
    decode_keys,
    encode_keys,
    hmac_sha256,
    new_keys,
    public_key_text,
    rotate,
    secret_text,
    sign,
)

HOUR = 3_600_000


def test_published_example_gives_the_published_signature() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests/test_webhooks.py
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign([SigningKey(key, 0)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_hmac_is_hmac(key: bytes, content: bytes) -> None:
    assert hmac_sha256(key, content) == hmac.digest(key, content, "sha256")


def test_both_secrets_verify_during_the_grace_time_and_one_after_it() -> None:
    first = new_keys(0, os.urandom)
    second = rotate(first, HOUR, 7200, os.urandom)
    old, new = (secret_text(key.hmac) for key in (first.generations[0], second.generations[0]))
    assert old != new
    body, stamp = b'{"a":1}', _now()
    during = second.alive(2 * HOUR)
    assert [secret_text(key.hmac) for key in during] == [new, old]
    headers = _headers(sign(during, "evt_1", stamp, body), stamp)
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
        SvixWebhook(secret).verify(body, {name.replace("webhook-", "svix-"): value for name, value in headers.items()})
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body + b" ", headers)
    after = _headers(sign(second.alive(3 * HOUR + 1), "evt_1", stamp, body), stamp)
    Webhook(new).verify(body, after)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, after)


def test_at_most_two_keys_live_and_no_grace_ends_the_old_at_once() -> None:
    keys = new_keys(0, os.urandom)
    for number in range(1, 5):
        keys = rotate(keys, number * 1000, 86_400, os.urandom)
    assert len(keys.alive(5000)) == 2
    assert len(rotate(keys, 6000, 0, os.urandom).alive(6000)) == 1


def test_rotating_twice_does_not_prolong_the_oldest() -> None:
    keys = rotate(rotate(new_keys(0, os.urandom), 0, 60, os.urandom), 1000, 86_400, os.urandom)
    assert [key.expires_at for key in keys.generations] == [None, 1000 + 86_400_000]


def test_ed25519_signature_verifies_with_the_public_key() -> None:
    keys = new_keys(0, os.urandom, ed25519=True)
    private = keys.generations[0].ed25519
    assert private is not None
    words = dict(word.split(",", 1) for word in sign(keys.generations, "evt_1", 5, b"body").split(" "))
    assert set(words) == {"v1", "v1a"}
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key_text(private).removeprefix("whpk_")))
    public.verify(base64.b64decode(words["v1a"]), b"evt_1.5.body")


def test_keys_survive_storing_and_are_not_printed() -> None:
    keys = rotate(new_keys(0, os.urandom, ed25519=True), 5, 60, os.urandom)
    assert decode_keys(encode_keys(keys)) == keys
    secret = secret_text(keys.generations[0].hmac)
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == KEY_BYTES
    assert secret not in repr(keys)
    assert str(keys.generations[0].hmac) not in repr(Keys(keys.generations))


def _now() -> int:
    return int(time.time())


def _headers(signature: str, stamp: int) -> dict[str, str]:
    return {"webhook-id": "evt_1", "webhook-timestamp": str(stamp), "webhook-signature": signature}
