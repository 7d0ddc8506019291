"""The short-lived access token of a phone (JWT, RFC 7519, HS256), and what it is exchanged for.

A token says which phone, of which account, by which of its credentials; the database is asked again in the transaction of `hello`,
so a token that outlived its phone opens a socket and nothing more. The signing key is derived from the hub's key file.
"""

from collections.abc import Sequence

import jwt
import msgspec

from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError

LIFE_SECONDS = 900
PURPOSE = "device-token"
"""What the signing key is derived for (`SecretBox.derive`)."""
_ALGORITHM = "HS256"
_AUDIENCE = "handset.v1"
_OPTIONS: "jwt.types.Options" = {
    # Checked below against the hub's own clock, which does not step.
    "verify_exp": False,
    "verify_iat": False,
    "require": ["exp", "sub", "aud"],
}


class PhoneIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token speaks for."""

    device_id: str
    account_id: str
    credential_no: int


class DeviceTokens:
    """Makes and reads access tokens. `keys`: newest first; the first one signs."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def issue(self, identity: PhoneIdentity, now: UtcMs) -> str:
        """A token that is good for 15 minutes."""
        claims = {
            "sub": identity.device_id,
            "acc": identity.account_id,
            "cred": identity.credential_no,
            "aud": _AUDIENCE,
            "iat": now // 1000,
            "exp": now // 1000 + LIFE_SECONDS,
        }
        return jwt.encode(claims, self._keys[0], _ALGORITHM)

    def read(self, token: str, now: UtcMs) -> PhoneIdentity:
        """Who the token speaks for. `unauthenticated` for anything else than a live token of this hub."""
        claims = self._verified(token)
        if now // 1000 >= claims.exp:
            raise HubError(Code.UNAUTHENTICATED, "The access token has expired: fetch a new one.")
        return PhoneIdentity(device_id=claims.sub, account_id=claims.acc, credential_no=claims.cred)

    def _verified(self, token: str) -> "_Claims":
        for key in self._keys:
            try:
                claims = jwt.decode(token, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, options=_OPTIONS)
                return msgspec.convert(claims, _Claims)
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
                raise _refused() from error
        raise _refused()


class _Claims(msgspec.Struct):
    sub: str
    acc: str
    cred: int
    exp: int


def _refused() -> HubError:
    return HubError(Code.UNAUTHENTICATED, "The access token is missing or not of this hub: fetch a new one.")
