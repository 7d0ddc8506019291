"""A link to an attachment: its signature is for one account, one attachment and one moment."""

from urllib.parse import parse_qs, urlsplit

from hub.accounts.secretbox import SecretBox
from hub.core.ids import parse
from hub.media.links import MediaLinks

ACCOUNT, OTHER = "0" * 24, "1" * 24
MEDIA, NOW = "2" * 24, 1_763_000_000_000


def test_a_signature_is_for_nothing_else() -> None:
    links = MediaLinks(SecretBox([b"k" * 32]), "https://hub.example", 60)
    parts = urlsplit(links.link(ACCOUNT, MEDIA, NOW))
    assert parse("media", parts.path.rpartition("/")[2]) == MEDIA
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    expires, signature = given["expires"], given["signature"]
    assert links.is_genuine(ACCOUNT, MEDIA, expires, signature, NOW)
    assert links.is_genuine(ACCOUNT, MEDIA, expires, signature, NOW + 59_999)
    assert not links.is_genuine(ACCOUNT, MEDIA, expires, signature, NOW + 60_000)
    assert not links.is_genuine(OTHER, MEDIA, expires, signature, NOW)
    assert not links.is_genuine(ACCOUNT, OTHER, expires, signature, NOW)
    assert not links.is_genuine(ACCOUNT, MEDIA, str(int(expires) + 1), signature, NOW)
    assert not MediaLinks(SecretBox([b"o" * 32]), "", 60).is_genuine(ACCOUNT, MEDIA, expires, signature, NOW)
