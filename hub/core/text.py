"""What text may hold inside the hub: anything but NUL and lone surrogates.

PostgreSQL refuses NUL in text, and neither database driver can encode half of a surrogate pair. Both do arrive from broken
senders; they become U+FFFD here, and the raw report is kept beside the text.
"""

import re

REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether both databases can store the text as it is."""
    return "\x00" not in text if text.isascii() else _UNSTORABLE.search(text) is None


def sanitise(text: str) -> str:
    """The text with each NUL and each lone surrogate replaced by U+FFFD; two halves of one pair become their character."""
    if is_storable(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", REPLACEMENT)


def sanitise_or_none(text: str | None) -> str | None:
    """`sanitise`, for a field that may be absent."""
    return None if text is None else sanitise(text)
