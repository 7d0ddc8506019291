"""How a phone cuts a text into segments, as Android's `SmsManager.divideMessage` does (3GPP TS 23.038 §6.2.1, TS 23.040 §9.2.3.24.1)."""

from collections.abc import Callable
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")

GSM7_SINGLE: Final = 160
GSM7_JOINED: Final = 153
UCS2_SINGLE: Final = 70
UCS2_JOINED: Final = 67


def is_gsm7(text: str) -> bool:
    """Whether the GSM 7-bit default alphabet, with its extension table, holds every character."""
    return all(char in _BASIC or char in _EXTENSION for char in text)


def divide(text: str) -> list[str]:
    """Cut a text into the segments that go on air; an empty text is one empty segment.

    A character of the extension table takes two septets and a character outside the basic plane two UTF-16 units; neither is
    ever cut in two.
    """
    if is_gsm7(text):
        return _fill(text, _septets, GSM7_SINGLE, GSM7_JOINED)
    return _fill(text, _utf16_units, UCS2_SINGLE, UCS2_JOINED)


def _septets(char: str) -> int:
    return 2 if char in _EXTENSION else 1


def _utf16_units(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1


def _fill(text: str, cost: Callable[[str], int], single: int, joined: int) -> list[str]:
    if sum(map(cost, text)) <= single:
        return [text]
    segments: list[str] = []
    start = used = 0
    for index, char in enumerate(text):
        if used + cost(char) > joined:
            segments.append(text[start:index])
            start, used = index, 0
        used += cost(char)
    return [*segments, text[start:]]
