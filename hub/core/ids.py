"""Ids: one 120-bit number per row, 48 bits of milliseconds before 72 random bits, so that id order is time order.

Stored as 24 characters of lower-case Crockford base32 without a prefix. Each door renders the same number its own way:

====================  ==========================================  ==============================
native API            `msg_` and the 24 characters                `render` / `parse`
Twilio-shaped         `SM` or `MM`, `00`, and 30 hex digits       `to_hex30` / `from_hex30`
sms-gate.app-shaped   20 base64url characters and a check letter  `to_smsgate21` / `from_smsgate21`
====================  ==========================================  ==============================
"""

import base64
import re
import threading
from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType
from typing import Literal

from hub.core.clock import UtcMs

Kind = Literal[
    "message",
    "batch",
    "device",
    "line",
    "conversation",
    "enrolment",
    "key",
    "endpoint",
    "delivery",
    "event",
    "account",
    "attempt",
    "user",
    "replay",
    "login",
    "contact",
    "snippet",
    "gateway",
    "mailbox",
    "media",
]

PREFIXES: Mapping[Kind, str] = MappingProxyType(
    {
        "message": "msg",
        "batch": "bat",
        "device": "dev",
        "line": "lin",
        "conversation": "cnv",
        "enrolment": "enr",
        "key": "key",
        "endpoint": "whk",
        "delivery": "dlv",
        "event": "evt",
        "account": "acc",
        "attempt": "att",
        "user": "usr",
        "replay": "rpl",
        "login": "lgn",
        "contact": "ctc",
        "snippet": "snp",
        "gateway": "gtw",
        "mailbox": "mbx",
        "media": "med",
    }
)

RANDOM_BYTES = 9
IDS_PER_DRAW = 256
MAX_MS = (1 << 48) - 1
_RANDOM_BITS = 72
_RANDOM_SPACE = 1 << _RANDOM_BITS
_STEP_MASK = (1 << 32) - 1

_DIGITS = b"0123456789abcdefghijklmnopqrstuv"
"""Those of a number in base 32, as `int` reads them."""
_CROCKFORD = b"0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(map("".join, product(_CROCKFORD.decode(), repeat=2)))
"""The letters of every ten bits: few enough to stay in the processor's cache, which the 32,768 of fifteen bits do not."""
_HALF_BITS = 60
_LOW_HALF = (1 << _HALF_BITS) - 1
_FROM_CROCKFORD = bytes.maketrans(_CROCKFORD, _DIGITS)
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{24}", re.ASCII)
_HEX30 = re.compile(r"[0-9a-f]{30}", re.ASCII)
_SMSGATE21 = re.compile(r"[A-Za-z0-9_-]{21}", re.ASCII)
_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIX_BITS = {character: value for value, character in enumerate(_BASE64URL)}


class BadId(ValueError):
    """A text that is no id of the expected kind; its sentence may be shown to the caller."""


def new_id(now: UtcMs, random: bytes) -> str:
    """The id for `now` with these 9 random bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"an id needs {RANDOM_BYTES} random bytes, got {len(random)}")
    return _encode((_bounded(now) << _RANDOM_BITS) | int.from_bytes(random, "big"))


def time_of(id_: str) -> UtcMs:
    """The millisecond in an id: when its row was made, or a little later after the clock was set back."""
    return _decode(id_) >> _RANDOM_BITS


def first_id_at(now: UtcMs) -> str:
    """The lowest id of a millisecond: a bound for finding rows by time."""
    return _encode(_bounded(now) << _RANDOM_BITS)


class IdSource:
    """Hands out strictly rising ids, also when the clock stands still or goes back. Safe to share between threads.

    `high_water` is the highest millisecond already issued or stored: a restarted hub whose clock was set back goes on above it.
    Within one millisecond each id is the last one plus a random step, so that a batch keeps its order.
    """

    def __init__(self, high_water: UtcMs, randbytes: Callable[[int], bytes]) -> None:
        self._randbytes = randbytes
        self._pool: list[int] = []
        self._high, self._head = -1, ""
        """The upper half of the last id and its letters: most ids of a millisecond have the same."""
        self._lock = threading.Lock()
        self._last = ((_bounded(high_water) + 1) << _RANDOM_BITS) - 1

    def next(self, now: UtcMs) -> str:
        """One id, above every id handed out before."""
        with self._lock:
            random = (self._pool or self._draw()).pop()
            first = now << _RANDOM_BITS
            is_later = self._last < first and now <= MAX_MS
            # Where the clock says no later: a random step on from the last id, into the next millisecond if need be.
            self._last = value = first | random if is_later else self._last + 1 + (random & _STEP_MASK)
            if value >> _HALF_BITS != self._high:
                self._high = value >> _HALF_BITS
                self._head = _letters(self._high)
            return self._head + _letters(value & _LOW_HALF)

    def _draw(self) -> list[int]:
        """72 random bits for many ids at once: asking the system costs more than the rest of an id."""
        drawn = self._randbytes(RANDOM_BYTES * IDS_PER_DRAW)
        starts = range(len(drawn) - RANDOM_BYTES, -1, -RANDOM_BYTES)
        self._pool = [int.from_bytes(drawn[start : start + RANDOM_BYTES], "big") for start in starts]
        return self._pool

    def raise_to(self, stored: UtcMs) -> None:
        """From now on no id is as old as this: the time of the youngest id that is stored."""
        with self._lock:
            self._last = max(self._last, ((_bounded(stored) + 1) << _RANDOM_BITS) - 1)

    @property
    def high_water(self) -> UtcMs:
        """The highest millisecond issued so far."""
        return self._last >> _RANDOM_BITS


def is_id(text: str) -> bool:
    """Whether a text is an id as it is stored."""
    return _ID.fullmatch(text) is not None


def render(kind: Kind, id_: str) -> str:
    """`render("message", id)` → `msg_…`, the native API's spelling."""
    return f"{PREFIXES[kind]}_{id_}"


def parse(kind: Kind, text: str) -> str:
    """The stored id of a native API id. BadId when the prefix is another kind's or the rest is no id."""
    prefix = PREFIXES[kind]
    head, separator, id_ = text.partition("_")
    if not separator or head != prefix or not is_id(id_):
        raise BadId(_why_not(kind, prefix, head, text))
    return id_


def _why_not(kind: Kind, prefix: str, head: str, text: str) -> str:
    for other, its_prefix in PREFIXES.items():
        if head == its_prefix and other != kind:
            return f"{text[:40]!r} is the id of {_a(other)}, not of {_a(kind)}: one begins with {prefix}_"
    return f"{text[:40]!r} is not the id of {_a(kind)}: one is {prefix}_ and 24 letters and digits"


def _a(kind: str) -> str:
    """`a message`, `an event`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def to_hex30(id_: str) -> str:
    """30 lower-case hex digits; a Twilio-shaped SID is `SM00` or `MM00` before them."""
    return f"{_decode(id_):030x}"


def from_hex30(text: str) -> str:
    """The stored id of 30 hex digits. BadId otherwise."""
    if _HEX30.fullmatch(text) is None:
        raise BadId(f"{text[:40]!r} is not 30 lower-case hex digits")
    return _encode(int(text, 16))


def from_number(number: int) -> str:
    """The id of a row that the database numbered: the number, spelled like every other id."""
    return _encode(number)


def to_number(id_: str) -> int:
    """The number in such an id. BadId when it is none."""
    return _decode(id_)


def to_smsgate21(id_: str) -> str:
    """21 characters of `[A-Za-z0-9_-]`: the id and a check character."""
    body = base64.urlsafe_b64encode(_decode(id_).to_bytes(15, "big")).decode()
    return body + _check_character(body)


def from_smsgate21(text: str) -> str:
    """The stored id of such a text. BadId when it is another length, or the check character says that it was mistyped."""
    if _SMSGATE21.fullmatch(text) is None or _check_character(text[:20]) != text[20]:
        raise BadId(f"{text[:40]!r} is not an id of this hub")
    return _encode(int.from_bytes(base64.urlsafe_b64decode(text[:20]), "big"))


def _check_character(body: str) -> str:
    """Sum of value·x^position in GF(64), x^6 = x + 1: finds any one wrong character and any two swapped ones."""
    check = 0
    for character in body:
        check ^= _SIX_BITS[character]
        check <<= 1
        if check & 0x40:
            check ^= 0x43
    return _BASE64URL[check]


def _bounded(now: UtcMs) -> UtcMs:
    return min(max(now, 0), MAX_MS)


def _encode(value: int) -> str:
    return _letters(value >> _HALF_BITS) + _letters(value & _LOW_HALF)


def _letters(half: int) -> str:
    """Two letters at a time: every message has three ids made for it, and `base64.b32encode` takes three times as long."""
    pairs = _PAIRS
    return (
        f"{pairs[half >> 50]}{pairs[half >> 40 & 1023]}{pairs[half >> 30 & 1023]}"
        f"{pairs[half >> 20 & 1023]}{pairs[half >> 10 & 1023]}{pairs[half & 1023]}"
    )


def _decode(id_: str) -> int:
    if not is_id(id_):
        raise BadId(f"{id_[:40]!r} is not an id")
    return int(id_.encode().translate(_FROM_CROCKFORD), 32)
