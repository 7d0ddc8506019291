"""What is stored of each segment of a message's current submission: the letter the rules know it by, and its evidence."""

from collections.abc import Sequence

import msgspec

from hub.core.clock import UtcMs
from hub.core.reports import DeliveryReport, SubmitReport
from hub.core.segments import SILENT, Segments

_Word = SubmitReport | DeliveryReport


class KnownSegment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One segment: `letter` is one of `hub.core.segments`."""

    letter: str
    at: UtcMs | None = None
    """When the phone says it happened."""
    reason: str | None = None
    code: int | None = None
    """Android's result code, or the TP-Status of its delivery report."""


_DECODER = msgspec.json.Decoder(tuple[KnownSegment, ...])
_ENCODER = msgspec.json.Encoder()


def read_segments(stored: str | None) -> tuple[KnownSegment, ...]:
    """The segments of `message.segment_reports`."""
    return _DECODER.decode(stored) if stored else ()


def letters_of(stored: str | None) -> Segments:
    """The same as the rules want it."""
    return Segments("".join(known.letter for known in read_segments(stored))) if stored else Segments()


def write_segments(stored: str | None, segments: Segments, word: object, at: UtcMs) -> str | None:
    """What to store after `word` made the letters `segments`: new evidence where a letter changed, the old elsewhere."""
    if not segments.letters:
        return None
    before: Sequence[KnownSegment] = read_segments(stored)
    evidence = _evidence(word, at)
    after = [
        before[place] if place < len(before) and before[place].letter == letter else _known(letter, evidence)
        for place, letter in enumerate(segments.letters)
    ]
    return _ENCODER.encode(after).decode()


def _known(letter: str, evidence: KnownSegment) -> KnownSegment:
    return KnownSegment(letter) if letter == SILENT else msgspec.structs.replace(evidence, letter=letter)


def _evidence(word: object, at: UtcMs) -> KnownSegment:
    if isinstance(word, SubmitReport):
        return KnownSegment("", at, word.reason, word.code)
    if isinstance(word, DeliveryReport):
        return KnownSegment("", at, word.reason, word.tp_status)
    return KnownSegment("", at)
