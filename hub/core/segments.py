"""N segment results make one status.

What is known of each segment is one letter, and a message's knowledge is the string of its letters:

====  ==========================================================
`.`   no word yet
`w`   refused before the air; it only has to wait (no service, busy)
`r`   refused before the air, and this used up a try
`?`   the phone cannot tell
`f`   refused for good
`s`   sent
`u`   sent, and the network gave up delivering it
`d`   delivered
====  ==========================================================

A segment's letter only ever moves down this list, so reports may come in any order and as often as they like. `?` stands below the
refusals on purpose: what may have reached the air once is never believed to be free for another try.

Rules of the whole:
 1. one segment refused for good: failed, at once;
 2. all delivered: delivered. All sent, one or more given up: undelivered. All sent: sent;
 3. otherwise nothing is said while a segment is silent;
 4. some sent and some refused: failed, reason `partial k/n`;
 5. every one refused before the air: it may be tried again, the only case in which it may;
 6. what is left has an unknown segment: uncertain.
"""

from enum import StrEnum

import msgspec

SILENT, WAITS, REFUSED, UNKNOWN, FAILED, SENT, UNDELIVERED, DELIVERED = ".wr?fsud"
_RANK = {letter: rank for rank, letter in enumerate(".wr?fsud")}
BEFORE_AIR = frozenset((WAITS, REFUSED))
"""Letters that say a segment never left and may be tried again."""
ON_AIR = frozenset("sud")
"""Letters that say a segment reached the network."""


class Verdict(StrEnum):
    """What the segments together say of the message."""

    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    PARTIAL = "partial"
    REFUSED = "refused"
    """Every segment was refused before the air."""
    UNCERTAIN = "uncertain"


class Segments(msgspec.Struct, frozen=True):
    """What is known of the segments of one submission."""

    letters: str = ""

    @property
    def sent(self) -> int:
        """How many reached the network."""
        return sum(letter in ON_AIR for letter in self.letters)

    @property
    def is_on_air(self) -> bool:
        """Whether any segment is known to have left."""
        return any(letter in ON_AIR for letter in self.letters)

    def heard(self, letter: str, index: int | None, total: int) -> "Segments":
        """After a report of `letter` for one segment (0-based), or for all of them (None).

        `total` is what the phone made of the text; it counts until a first report has fixed the number. A report for a segment beyond
        it changes nothing.
        """
        letters = self.letters or SILENT * max(total, 1)
        if index is None:
            return Segments("".join(_later(known, letter) for known in letters))
        if not 0 <= index < len(letters):
            return self
        return Segments(letters[:index] + _later(letters[index], letter) + letters[index + 1 :])

    def has(self, index: int | None) -> bool:
        """Whether there is such a segment; None, the whole, always is."""
        return index is None or 0 <= index < len(self.letters)

    def verdict(self, *, is_last_word: bool = False) -> Verdict:
        """What the letters say. With `is_last_word`, silent segments count as unknown: no more will be heard."""
        known = set(self.letters or SILENT)
        if is_last_word and SILENT in known:
            known = (known - {SILENT}) | {UNKNOWN}
        if FAILED in known:
            return Verdict.FAILED
        if known <= ON_AIR:
            return _of_sent(known)
        if SILENT in known:
            return Verdict.WAITING
        if known <= BEFORE_AIR:
            return Verdict.REFUSED
        return Verdict.PARTIAL if known & BEFORE_AIR and known & ON_AIR else Verdict.UNCERTAIN

    @property
    def may_have_left(self) -> bool:
        """Whether any segment left, or may have: sending again may then deliver twice."""
        return self.is_on_air or UNKNOWN in self.letters

    @property
    def uses_try(self) -> bool:
        """Whether refusals used up a try."""
        return REFUSED in self.letters

    def partial_reason(self) -> str:
        """`partial 1/3`: how many of the segments left."""
        return f"partial {self.sent}/{len(self.letters)}"


def _later(known: str, heard: str) -> str:
    return heard if _RANK[heard] > _RANK[known] else known


def _of_sent(known: set[str]) -> Verdict:
    if known == {DELIVERED}:
        return Verdict.DELIVERED
    return Verdict.UNDELIVERED if UNDELIVERED in known else Verdict.SENT
