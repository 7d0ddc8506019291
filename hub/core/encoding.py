"""How a text travels: GSM-7 or UCS-2, and in how many segments.

3GPP TS 23.038 §6.2.1 (default alphabet and its extension table) and TS 23.040 §9.2.3.24 (concatenation): 140 bytes hold 160 septets
or 70 UTF-16 units; with the 6-byte header that joins segments, 153 and 67. An extension character is an escape and a second septet,
a character above U+FFFF two UTF-16 units, and neither pair is ever split: a segment may stay one unit short for it.
One character outside the alphabet puts the whole text into UCS-2.
"""

import re
from typing import Literal

import msgspec

Encoding = Literal["gsm7", "ucs2", "8bit"]
"""`8bit`: octets the hub does not read, of a data SMS or of a text that only its phone can decrypt."""

GSM7_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENSION = "\f^{}\\[~]|€"
"""Each of these takes two septets."""

_ALL_BASIC = re.compile(f"[{re.escape(GSM7_BASIC)}]*")
_ALL_GSM7 = re.compile(f"[{re.escape(GSM7_BASIC + GSM7_EXTENSION)}]*")
_EXTENSION = re.compile(f"[{re.escape(GSM7_EXTENSION)}]")
_NOT_GSM7 = re.compile(f"[^{re.escape(GSM7_BASIC + GSM7_EXTENSION)}]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_FORCING_SHOWN = 8
_ROOM: dict[Encoding, tuple[int, int]] = {"gsm7": (160, 153), "ucs2": (70, 67), "8bit": (140, 134)}

_SIMPLER = {
    "‘": "'", "’": "'", "‚": ",", "‛": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": "'", "›": "'",
    "′": "'", "″": '"', "`": "'", "´": "'", "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "…": "...", "•": "*",
    "\t": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "", "\u200d": "", "\ufeff": "",
    "á": "a", "â": "a", "ã": "a", "ç": "c", "ê": "e", "ë": "e", "í": "i", "î": "i", "ï": "i", "ó": "o", "ô": "o", "õ": "o",
    "ú": "u", "û": "u", "À": "A", "Á": "A", "Â": "A", "Ã": "A", "È": "E", "Ê": "E", "Ë": "E", "Ì": "I", "Í": "I", "Î": "I",
    "Ï": "I", "Ò": "O", "Ó": "O", "Ô": "O", "Õ": "O", "Ù": "U", "Ú": "U", "Û": "U",
}  # fmt: skip
_TO_SIMPLER = str.maketrans(_SIMPLER)


class Measure(msgspec.Struct, frozen=True):
    """What a text costs. A text of no characters is still one segment."""

    encoding: Encoding
    segments: int
    units: int
    """Septets or UTF-16 units of the text itself."""
    per_segment: int
    """Units that fit in each segment: 160 or 70 alone, 153 or 67 in a row."""
    remaining: int
    """Units still free in the last segment."""
    forcing: tuple[str, ...] = ()
    """The different characters that force UCS-2, in order, at most eight."""


def measure(text: str) -> Measure:
    """Encoding, segments and room of a text."""
    if _ALL_BASIC.fullmatch(text):
        return _measure_even("gsm7", len(text))
    if _ALL_GSM7.fullmatch(text):
        units = len(text) + len(_EXTENSION.findall(text))
        return _measure_pairs("gsm7", text, units, _EXTENSION, ())
    forcing = tuple(dict.fromkeys(_NOT_GSM7.findall(text)))[:_FORCING_SHOWN]
    units = len(text) + len(_ASTRAL.findall(text))
    return _measure_pairs("ucs2", text, units, _ASTRAL, forcing)


def measure_sealed(ciphertext: str) -> Measure:
    """What an end-to-end encrypted text may cost, guessed from the length of its base64: the hub cannot see its characters.

    Counted as octets, of which the cipher's own are the least part; the phone splits the real text as it wants.
    """
    octets = len(ciphertext.rpartition("$")[2]) * 3 // 4
    return _measure_even("8bit", octets)


def split(text: str) -> list[str]:
    """The text of each segment, in order; joined they are the text again."""
    measured = measure(text)
    if measured.segments == 1:
        return [text]
    wide = _EXTENSION if measured.encoding == "gsm7" else _ASTRAL
    starts = _segment_starts(text, wide, measured.per_segment)
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def simplify(text: str) -> str:
    """The text with typographic signs and accents written with GSM-7 letters where that reads the same.

    For offering, not for doing unasked: `measure(simplify(text))` tells what it would save.
    """
    return "".join(
        character if _ALL_GSM7.fullmatch(character) else character.translate(_TO_SIMPLER) for character in text
    )


def _measure_even(encoding: Encoding, units: int, forcing: tuple[str, ...] = ()) -> Measure:
    """No pairs: segments fill up completely."""
    alone, in_a_row = _ROOM[encoding]
    if units <= alone:
        return Measure(encoding, 1, units, alone, alone - units, forcing)
    segments = -(-units // in_a_row)
    return Measure(encoding, segments, units, in_a_row, segments * in_a_row - units, forcing)


def _measure_pairs(
    encoding: Encoding, text: str, units: int, wide: re.Pattern[str], forcing: tuple[str, ...]
) -> Measure:
    alone, in_a_row = _ROOM[encoding]
    if units <= alone or units == len(text):
        return _measure_even(encoding, units, forcing)
    starts = _segment_starts(text, wide, in_a_row)
    last = text[starts[-1] :]
    remaining = in_a_row - len(last) - len(wide.findall(last))
    return Measure(encoding, len(starts), units, in_a_row, remaining, forcing)


def _segment_starts(text: str, wide: re.Pattern[str], room: int) -> list[int]:
    """Where each segment begins when characters of `wide` take two units and a pair is never split."""
    starts = [0]
    used = 0
    for index, character in enumerate(text):
        units = 2 if wide.match(character) else 1
        if used + units > room:
            starts.append(index)
            used = 0
        used += units
    return starts
