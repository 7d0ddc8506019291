"""How a receiver misbehaves, on purpose: a list of answers, worked off one request after the other.

    500*3,slow:10,hang,redirect,wrong-ack,drop,410,429:30,200

Each item answers one request, or as many as stand behind its `*` (`*` alone: all that follow). When the list is used up, every request
is answered 200.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["status", "slow", "hang", "redirect", "wrong-ack", "drop"]

WORDS: dict[str, str] = {
    "200": "any status from 200 to 599",
    "429:30": "429 (or another status) with Retry-After: 30",
    "slow:10": "200 after 10 seconds",
    "hang": "no answer at all",
    "redirect:URL": "302 to URL",
    "wrong-ack": "200 whose body is not +OK, for endpoints with that success rule",
    "drop": "the connection is closed without an answer",
}
"""What may stand in the list, and what it does."""

_ITEM = re.compile(r"(?P<what>.+?)(?P<times>\*[0-9]*)?")
DEFAULT_SLOW_SECONDS = 10.0
DEFAULT_REDIRECT = "https://example.org/elsewhere"
ACK = b"+OK received\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to answer. `argument` is the Retry-After of a status, the seconds of `slow`, the address of `redirect`."""

    kind: Kind
    status: int = 200
    argument: str = ""

    @property
    def shown(self) -> str:
        """In a few words."""
        if self.kind == "status":
            return f"{self.status}" + (f" with Retry-After: {self.argument}" if self.argument else "")
        return {
            "slow": f"200 after {self.argument} s",
            "hang": "nothing, for as long as the hub waits",
            "redirect": f"302 to {self.argument}",
            "wrong-ack": "200 with a body that is not +OK",
            "drop": "nothing, and closed the connection",
        }[self.kind]


FINE = Fault("status")


class Plan:
    """What to answer, request by request."""

    def __init__(self, text: str = "") -> None:
        """Raises ValueError with a sentence about the item that cannot be read."""
        self._faults = _unfolded([_read(item.strip()) for item in text.split(",") if item.strip()])

    def next(self) -> Fault:
        """The answer to the next request."""
        return next(self._faults, FINE)


def _unfolded(items: list[tuple[Fault, int | None]]) -> Iterator[Fault]:
    for fault, times in items:
        left = times
        while left is None or left > 0:
            yield fault
            left = None if left is None else left - 1


def _read(item: str) -> tuple[Fault, int | None]:
    match = _ITEM.fullmatch(item)
    assert match is not None
    times = match["times"]
    return _fault(match["what"], item), 1 if times is None else int(times[1:]) if times[1:] else None


def _fault(text: str, item: str) -> Fault:
    word, _, argument = text.partition(":")
    if word.isdigit() and 200 <= int(word) <= 599 and (not argument or argument.isdigit()):
        return Fault("status", int(word), argument)
    if word == "slow" and re.fullmatch(r"([0-9]{1,4}(\.[0-9]+)?)?", argument):
        return Fault("slow", argument=argument or f"{DEFAULT_SLOW_SECONDS:g}")
    if word == "redirect":
        return Fault("redirect", 302, argument or DEFAULT_REDIRECT)
    if word in ("hang", "wrong-ack", "drop") and not argument:
        return Fault(word)  # type: ignore[arg-type]
    known = "; ".join(f"{name} = {meaning}" for name, meaning in WORDS.items())
    raise ValueError(
        f"{item!r} is no answer this receiver knows. It knows: {known}. Put *3 behind one for three requests."
    )
