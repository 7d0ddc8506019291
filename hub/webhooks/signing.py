"""Signatures and the keys they are made with.

Every request carries the Standard Webhooks headers, whatever its format: `webhook-id`, `webhook-timestamp` and `webhook-signature`,
the last a list of `v1,` and base64 of HMAC-SHA256(key, "id.timestamp.body"), one for each key alive, newest first, then `v1a,` and
base64 of the Ed25519 signature of the same, where the endpoint chose that
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).

A rotation makes a new key and lets the old one live on for a grace time; both sign, so that a receiver may swap at any moment of it.
A format with room for one signature only (`sms-gate.app`, Twilio) is signed with the *oldest* key alive: it cuts over when that ends.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.core.clock import UtcMs

SECRET_PREFIX = "whsec_"
PUBLIC_PREFIX = "whpk_"
KEY_BYTES = 32
MOST_ALIVE = 2
DEFAULT_GRACE_SECONDS = 24 * 3600
LONGEST_GRACE_SECONDS = 7 * 24 * 3600


class SigningKey(msgspec.Struct, frozen=True):
    """One generation of an endpoint's keys."""

    hmac: bytes
    created_at: UtcMs
    expires_at: UtcMs | None = None
    """None for the newest; an older one signs until then."""
    ed25519: bytes | None = None
    """The private key, where the endpoint chose asymmetric signatures."""

    def __repr__(self) -> str:
        return "SigningKey(…)"


class Keys(msgspec.Struct, frozen=True):
    """All keys of an endpoint, newest first; stored encrypted."""

    generations: tuple[SigningKey, ...]
    own: str | None = None
    """A key its owner chose, for formats that sign with a text; a rotation ends it."""

    def __repr__(self) -> str:
        return f"Keys({len(self.generations)})"

    def alive(self, now: UtcMs) -> tuple[SigningKey, ...]:
        """Those that sign now, newest first."""
        return tuple(key for key in self.generations if key.expires_at is None or key.expires_at > now)


def new_keys(now: UtcMs, randbytes: Callable[[int], bytes], *, ed25519: bool = False) -> Keys:
    """The keys of a new endpoint."""
    return Keys((_generate(now, randbytes, ed25519),))


def rotate(
    keys: Keys, now: UtcMs, grace_seconds: int, randbytes: Callable[[int], bytes], *, ed25519: bool = False
) -> Keys:
    """A new newest key; the one before lives for `grace_seconds` more, anything older ends at once."""
    before = keys.alive(now)[: MOST_ALIVE - 1] if grace_seconds else ()
    ends_at = now + grace_seconds * 1000
    kept = [
        msgspec.structs.replace(key, expires_at=ends_at if key.expires_at is None else min(ends_at, key.expires_at))
        for key in before
    ]
    return Keys((_generate(now, randbytes, ed25519), *kept))


def _generate(now: UtcMs, randbytes: Callable[[int], bytes], ed25519: bool) -> SigningKey:
    return SigningKey(randbytes(KEY_BYTES), now, ed25519=randbytes(KEY_BYTES) if ed25519 else None)


def secret_text(key: bytes) -> str:
    """A key as it is shown to its owner, once: `whsec_` and base64."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def public_key_text(private: bytes) -> str:
    """The public half of an Ed25519 key: `whpk_` and base64."""
    public = Ed25519PrivateKey.from_private_bytes(private).public_key()
    return PUBLIC_PREFIX + base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def encode_keys(keys: Keys) -> bytes:
    """For storing, after encryption."""
    return msgspec.json.encode(keys)


def decode_keys(data: bytes) -> Keys:
    """What `encode_keys` wrote. Raises msgspec.ValidationError."""
    return msgspec.json.decode(data, type=Keys)


def sign(keys: Sequence[SigningKey], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header. `timestamp` is in seconds."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    signatures = ["v1," + _base64(hmac_sha256(key.hmac, content)) for key in keys]
    signatures += ["v1a," + _ed25519(key.ed25519, content) for key in keys if key.ed25519 is not None]
    return " ".join(signatures)


def plain_signature(keys: Sequence[bytes], body: bytes) -> tuple[tuple[str, str], ...]:
    """`X-Hub-Signature-256: sha256=<hex HMAC-SHA256(secret as it was shown, body)>`, for receivers that check no more than one HMAC.

    There is room for one signature: it is made with the oldest key alive, which such a receiver has until its owner gives it the new one.
    """
    if not keys:
        return ()
    secret = secret_text(keys[-1]).encode()
    return (("x-hub-signature-256", f"sha256={hmac_sha256(secret, body).hex()}"),)


def hmac_sha256(key: bytes, content: bytes) -> bytes:
    """HMAC (RFC 2104) with what depends on the key alone kept: less than half the time of `hmac.digest`."""
    inner, outer = _pads(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(content)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=4096)
def _pads(key: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    return hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))


_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _ed25519(private: bytes, content: bytes) -> str:
    return _base64(Ed25519PrivateKey.from_private_bytes(private).sign(content))
