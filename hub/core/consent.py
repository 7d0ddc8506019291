"""Which texts ask to hear no more, or to hear again, by a single word.

The words for "no more" are those that United States law names as sufficient in themselves (47 CFR 64.1200(a)(10): stop, quit, end,
revoke, opt out, cancel, unsubscribe) with the spellings carriers use (STOPALL, OPTOUT); the words for "again" are START and UNSTOP. A
text counts only when the word is all of it: "please stop by at five" asks for nothing.
"""

from typing import Literal

Asked = Literal["out", "in"]

OUT = frozenset(
    ["stop", "stopall", "stop all", "quit", "end", "revoke", "optout", "opt out", "opt-out", "cancel", "unsubscribe"]
)
IN = frozenset({"start", "unstop"})
LONGEST = 16
"""Characters; a longer text is no single word, and is not looked at."""


def asked_by(text: str) -> Asked | None:
    """What a received text asks for, None for all others. Case, quotes and a full stop do not matter."""
    if len(text) > LONGEST:
        return None
    word = " ".join(text.strip(" \t\r\n.!\"'“”‘’").casefold().split())
    return "out" if word in OUT else "in" if word in IN else None
