"""What is attached to an MMS: which types the hub keeps, and how a type is found out.

A declared type is a claim of whoever sent the thing. The first bytes are looked at too, and both have to agree: what a browser is
handed as a picture begins like one. What no rule here knows (programs, archives, HTML, SVG) is kept from nobody's door.
Signatures: https://mimesniff.spec.whatwg.org/ §6, RFC 4867 §5 (AMR), ISO/IEC 14496-12 §4.3 (MP4 and its family).
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from hub.core.clock import UtcMs

GENERIC = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/binary"})
"""Declared types that claim nothing: the bytes decide."""

_SAME: Mapping[str, str] = MappingProxyType(
    {
        "image/jpg": "image/jpeg",
        "image/pjpeg": "image/jpeg",
        "image/x-png": "image/png",
        "audio/mp3": "audio/mpeg",
        "audio/x-wav": "audio/wav",
        "audio/wave": "audio/wav",
        "audio/vnd.wave": "audio/wav",
        "audio/x-m4a": "audio/mp4",
        "audio/m4a": "audio/mp4",
        "audio/3gp": "audio/3gpp",
        "video/3gp": "video/3gpp",
        "text/x-vcard": "text/vcard",
        "text/directory": "text/vcard",
        "text/x-vcalendar": "text/calendar",
    }
)
"""Spellings of one type."""

_FAMILY: Mapping[str, str] = MappingProxyType(
    {
        "image/jpeg": "jpeg",
        "image/png": "png",
        "image/gif": "gif",
        "image/webp": "webp",
        "image/bmp": "bmp",
        "image/heic": "bmff",
        "image/heif": "bmff",
        "image/avif": "bmff",
        "audio/amr": "amr",
        "audio/amr-wb": "amr",
        "audio/mpeg": "mpeg",
        "audio/wav": "wav",
        "audio/ogg": "ogg",
        "video/ogg": "ogg",
        "audio/mp4": "bmff",
        "audio/aac": "aac",
        "audio/3gpp": "bmff",
        "video/mp4": "bmff",
        "video/3gpp": "bmff",
        "video/3gpp2": "bmff",
        "video/quicktime": "bmff",
        "video/webm": "matroska",
        "audio/webm": "matroska",
        "application/pdf": "pdf",
        "text/plain": "text",
        "text/vcard": "text",
        "text/calendar": "text",
        "text/csv": "text",
    }
)
"""Types whose bytes begin alike: a container does not tell whether a picture moves."""

KNOWN_TYPES = frozenset(_FAMILY)
"""All types a hub can be set to take (`HUB_MEDIA_TYPES` leaves some out)."""
SHOWN_INLINE = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""Pictures every browser draws and none runs; everything else is a file to save."""
MOST_MEDIA = 10
"""Of one message: https://www.twilio.com/docs/messaging/api/message-resource (`MediaUrl`)."""
LONGEST_NAME = 100
WAITING, NOT_FETCHED = "waiting", "not_fetched"
UNTOLD_TYPE = "application/octet-stream"
"""Of what nobody said what it is."""

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"#!AMR-WB\n", "audio/amr-wb"),
    (0, b"#!AMR\n", "audio/amr"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (0, b"OggS\x00", "audio/ogg"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
)
_BRANDS: Mapping[bytes, str] = MappingProxyType(
    {
        b"heic": "image/heic",
        b"heix": "image/heic",
        b"mif1": "image/heif",
        b"avif": "image/avif",
        b"M4A ": "audio/mp4",
        b"qt  ": "video/quicktime",
        b"3gp4": "video/3gpp",
        b"3gp5": "video/3gpp",
        b"3gp6": "video/3gpp",
        b"3g2a": "video/3gpp2",
    }
)
_MARKUP = (b"<!", b"<?", b"<h", b"<s", b"<b", b"<i", b"<m")


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """One thing attached to a message."""

    id: str
    message_id: str
    position: int
    type: str
    name: str | None
    size_bytes: int | None
    sha256: str | None
    created_at: UtcMs
    why: str | None = None
    """Why its content is not here (`WHY_NOT`); None when it is."""


WHY_NOT: Mapping[str, str] = MappingProxyType(
    {
        "type": "Its type is not one this hub keeps, or its bytes are another one's.",
        "size": "It is larger than this hub keeps.",
        "missing": "The phone has not handed it over.",
        "deleted": "It was deleted.",
        WAITING: "It is being fetched from the carrier.",
        NOT_FETCHED: "The carrier did not hand it over. What happened to the message says why.",
    }
)
"""Why the content of an attachment is not here."""
PHONES_WHY = frozenset({"type", "size", "missing"})
"""Those of them that a phone may say."""


def declared_type(text: str | None) -> str:
    """A `Content-Type` without its parameters, in the one spelling the hub knows."""
    bare = (text or "").partition(";")[0].strip().lower()
    return _SAME.get(bare, bare)


def sniffed_type(content: bytes) -> str:
    """The type that the bytes begin like; `text/plain` for text that is no markup, empty for what is none of those known."""
    for at, signature, type_ in _SIGNATURES:
        if content.startswith(signature, at) and (at == 0 or content.startswith(b"RIFF")):
            return type_
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "video/mp4")
    return "text/plain" if _is_text(content) else ""


def agreed_type(declared: str, sniffed: str) -> str | None:
    """The type to keep and serve a thing as: the declared one if the bytes allow it; None when they do not, or nobody knows it."""
    if sniffed not in _FAMILY:
        return None
    if declared in GENERIC:
        return sniffed
    return declared if _FAMILY.get(declared) == _FAMILY[sniffed] else None


def shown_name(name: str | None) -> str | None:
    """A file's name as it may stand in a header and a page: its last word, without control characters; None when nothing is left."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    clean = "".join(one for one in last if one.isprintable()).strip().strip(".")
    return clean[:LONGEST_NAME] or None


def name_of(url: str) -> str | None:
    """A file's name by the last word of an address's path, where that looks like one."""
    last = url.partition("#")[0].partition("?")[0].rpartition("/")[2]
    return shown_name(last) if "." in last and "%" not in last else None


def _is_text(content: bytes) -> bool:
    if b"\x00" in content or content.lstrip()[:2].lower() in _MARKUP:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
