"""The short-lived access token of a phone: a JWT (RFC 7519) signed with HS256, and what it is exchanged for.

A token says which phone, of which account, by which of its credentials; the database is asked again in the transaction of `hello`,
so a token that outlived its phone opens a socket and nothing more. The signing key is derived from the hub's key file.

Reading one stands in the way of every reconnect, so it is done here in a few lines instead of by a library that takes ten times as long.
Only one header is ever taken, byte by byte, which leaves nothing of the algorithm to the bearer's choice (RFC 8725 §3.1).
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

import msgspec

from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError

LIFE_SECONDS = 900
PURPOSE = "device-token"
"""What the signing key is derived for (`SecretBox.derive`)."""
AUDIENCE = "handset.v1"


class PhoneIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token speaks for."""

    device_id: str
    account_id: str
    credential_no: int


class _Claims(msgspec.Struct):
    sub: str
    acc: str
    cred: int
    aud: str
    iat: int
    exp: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Claims)


def _segment(octets: bytes) -> bytes:
    return urlsafe_b64encode(octets).rstrip(b"=")


_HEADER = _segment(b'{"alg":"HS256","typ":"JWT"}')


class DeviceTokens:
    """Makes and reads access tokens. `keys`: newest first; the first one signs."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def issue(self, identity: PhoneIdentity, now: UtcMs) -> str:
        """A token that is good for 15 minutes."""
        seconds = now // 1000
        claims = _Claims(
            sub=identity.device_id,
            acc=identity.account_id,
            cred=identity.credential_no,
            aud=AUDIENCE,
            iat=seconds,
            exp=seconds + LIFE_SECONDS,
        )
        signed = _HEADER + b"." + _segment(_encoder.encode(claims))
        return (signed + b"." + _segment(hmac.digest(self._keys[0], signed, "sha256"))).decode()

    def read(self, token: str, now: UtcMs) -> PhoneIdentity:
        """Who the token speaks for. `unauthenticated` for anything else than a live token of this hub."""
        claims = self._verified(token)
        # Against the hub's own clock, which does not step.
        if now // 1000 >= claims.exp:
            raise HubError(Code.UNAUTHENTICATED, "The access token has expired: fetch a new one.")
        return PhoneIdentity(device_id=claims.sub, account_id=claims.acc, credential_no=claims.cred)

    def _verified(self, token: str) -> _Claims:
        try:
            signed, _, signature = token.encode("ascii").rpartition(b".")
            header, _, payload = signed.partition(b".")
            if header != _HEADER or not self._is_ours(signed, signature):
                raise _refused()
            claims = _decoder.decode(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        except (ValueError, msgspec.DecodeError) as error:
            raise _refused() from error
        if claims.aud != AUDIENCE:
            raise _refused()
        return claims

    def _is_ours(self, signed: bytes, signature: bytes) -> bool:
        # Every key is tried, so that the time taken does not tell which one fits.
        fits = [hmac.compare_digest(_segment(hmac.digest(key, signed, "sha256")), signature) for key in self._keys]
        return any(fits)


def _refused() -> HubError:
    return HubError(Code.UNAUTHENTICATED, "The access token is missing or not of this hub: fetch a new one.")
