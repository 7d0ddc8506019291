"""Endpoint columns that hold secrets: sealed with the hub's key file, bound to their row, opened only to send."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from hub.accounts.secretbox import SealBroken, SecretBox
from hub.webhooks.records import Auth
from hub.webhooks.signing import Keys, decode_keys, encode_keys

T = TypeVar("T")

_AUTH: msgspec.json.Decoder[Auth] = msgspec.json.Decoder(Auth)


def if_readable(read: Callable[[], T], otherwise: T) -> T:
    """What `read` opens; `otherwise` where the key file that sealed it was lost. For showing and replacing, never for sending."""
    try:
        return read()
    except SealBroken:
        return otherwise


def sealed_context(endpoint_id: str, column: str) -> str:
    """What binds a sealed column to its endpoint."""
    return f"wh_endpoint:{endpoint_id}:{column}"


class Sealer:
    """Seals and opens the columns of endpoints that hold secrets."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def keys(self, endpoint_id: str, stored: bytes) -> Keys:
        """The signing keys; none yet for an implicit endpoint that has not sent."""
        return decode_keys(self._box.open(stored, sealed_context(endpoint_id, "secrets"))) if stored else Keys(())

    def seal_keys(self, endpoint_id: str, keys: Keys) -> bytes:
        """For the column `secrets`."""
        return self._box.seal(encode_keys(keys), sealed_context(endpoint_id, "secrets"))

    def tokens(self, gateway_id: str, stored: bytes) -> Keys:
        """The tokens of a gateway, which sign what its platform is told; their bytes are the token's letters."""
        return decode_keys(self._box.open(stored, f"gateway:{gateway_id}:tokens"))

    def seal_tokens(self, gateway_id: str, tokens: Keys) -> bytes:
        """For the column `tokens` of a gateway."""
        return self._box.seal(encode_keys(tokens), f"gateway:{gateway_id}:tokens")

    def headers(self, endpoint_id: str, stored: bytes | None) -> dict[str, str]:
        """The endpoint's own headers."""
        if stored is None:
            return {}
        return msgspec.json.decode(self._box.open(stored, sealed_context(endpoint_id, "headers")), type=dict[str, str])

    def auth(self, endpoint_id: str, stored: bytes | None) -> Auth | None:
        """The credentials the receiver asks for."""
        if stored is None:
            return None
        return _AUTH.decode(self._box.open(stored, sealed_context(endpoint_id, "auth")))

    def seal(self, endpoint_id: str, column: str, value: object) -> bytes | None:
        """For the columns `headers` and `auth`; nothing is stored for nothing."""
        return self._box.seal(msgspec.json.encode(value), sealed_context(endpoint_id, column)) if value else None
