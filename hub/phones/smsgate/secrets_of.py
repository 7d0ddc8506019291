"""What the hub and one phone share beside its token, derived from the hub's key file, so that nothing of it is stored.

- the address it posts to: its id and a check that nobody can guess;
- the key it signs what it posts with, once it has fetched its settings;
- the ids of the webhooks it is given, which must be its own alone (they are a primary key on the phone) and stay the same.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from hub.core.ids import BadId, from_smsgate21, to_smsgate21

PURPOSE = "smsgate-phone"
_CHECK_LENGTH = 22


class PhoneSecrets:
    """Makes and checks them. `keys`: newest first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def address(self, device_id: str) -> str:
        """The last part of the address the phone posts to."""
        return to_smsgate21(device_id) + self._text(self._keys[0], "address", device_id)[:_CHECK_LENGTH]

    def device_of(self, address: str) -> str | None:
        """Whose address this is; None when it was guessed."""
        try:
            device_id = from_smsgate21(address[:21])
        except BadId:
            return None
        checks = [self._text(key, "address", device_id)[:_CHECK_LENGTH] for key in self._keys]
        fits = [hmac.compare_digest(check.encode(), address[21:].encode()) for check in checks]
        return device_id if any(fits) else None

    def signing_key(self, device_id: str) -> str:
        """What the phone is told to sign with: letters, digits and signs that its storage leaves alone."""
        return self._text(self._keys[0], "signing", device_id)[:32]

    def is_signed(self, device_id: str, body: bytes, timestamp: str, signature: str) -> bool:
        """Whether a post is signed with the phone's key: hex HMAC-SHA256 over the raw body and the time stamp behind it."""
        told = signature.lower().encode("utf-8", "replace")
        made = [
            hmac.new(
                self._text(key, "signing", device_id)[:32].encode(), body + timestamp.encode(), "sha256"
            ).hexdigest()
            for key in self._keys
        ]
        fits = [hmac.compare_digest(one.encode(), told) for one in made]
        return any(fits)

    def webhook_id(self, device_id: str, event: str) -> str:
        """21 characters, the same for this phone and event for ever."""
        return self._text(self._keys[-1], f"webhook {event}", device_id)[:21]

    @staticmethod
    def _text(key: bytes, what: str, device_id: str) -> str:
        digest = hmac.digest(key, f"{what} {device_id}".encode(), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode().replace("-", "a").replace("_", "b")
