"""Links by which an attachment can be fetched without credentials, until they expire.

    https://hub.example/media/acc_…/med_…?expires=1763000000&signature=…

The signature is HMAC-SHA256 over account, attachment and expiry, with a key derived from the hub's key file: hubs that share a database
share that file, so a link made by one opens at the other. A link names one attachment and no action but reading it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

from msgspec import structs

from hub.accounts.secretbox import SecretBox
from hub.core.clock import UtcMs
from hub.core.events import DATA_OF, EventType, MessageData, MmsData, decode, encode
from hub.core.ids import parse, render
from hub.core.ports import EventView

PURPOSE = "media-links"
PATH = "/media"
MAY_HAVE_MEDIA = frozenset(type_ for type_, data in DATA_OF.items() if data in (MmsData, MessageData))
"""Events whose data may name attachments."""


class MediaLinks:
    """Makes links, and says whether one is genuine."""

    def __init__(self, box: SecretBox, base_url: str, lives_seconds: int) -> None:
        self._keys = box.derive_each(PURPOSE)
        self._base_url = base_url
        self.lives_seconds = lives_seconds

    def link(self, account_id: str, media_id: str, now: UtcMs) -> str:
        """A link that works from now on for as long as links live."""
        expires = now // 1000 + self.lives_seconds
        signature = _signature(self._keys[0], account_id, media_id, expires)
        place = f"{PATH}/{render('account', account_id)}/{render('media', media_id)}"
        return f"{self._base_url}{place}?expires={expires}&signature={signature}"

    def expires_at(self, now: UtcMs) -> UtcMs:
        """When a link made now ends."""
        return (now // 1000 + self.lives_seconds) * 1000

    def is_genuine(self, account_id: str, media_id: str, expires: str, signature: str, now: UtcMs) -> bool:
        """Whether this hub made the link, and it has not expired. Takes as long for a wrong signature as for a right one."""
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
            return False
        made = [_signature(key, account_id, media_id, int(expires)) for key in self._keys]
        found = [hmac.compare_digest(one.encode(), signature.encode("utf-8", "surrogatepass")) for one in made]
        return any(found) and now // 1000 < int(expires)

    def complete(self, event: EventView, made_at: UtcMs) -> EventView:
        """The event with links to its attachments, counted from `made_at`: the same bytes whenever it is asked for again."""
        if event.type not in MAY_HAVE_MEDIA or b'"med_' not in event.data:
            return event
        return structs.replace(event, data=self.complete_data(event.account_id, event.type, event.data, made_at))

    def complete_data(self, account_id: str, type_: EventType, data: bytes, made_at: UtcMs) -> bytes:
        """The same for the data of an event of `MAY_HAVE_MEDIA`."""
        told = decode(type_, data)
        assert isinstance(told, MmsData | MessageData)
        media = tuple(
            one
            if one.why is not None
            else structs.replace(one, url=self.link(account_id, parse("media", one.id), made_at))
            for one in told.media
        )
        return encode(structs.replace(told, media=media)).encode()


def _signature(key: bytes, account_id: str, media_id: str, expires: int) -> str:
    digest = hmac.digest(key, f"{account_id}\x00{media_id}\x00{expires}".encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
