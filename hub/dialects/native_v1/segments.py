"""What a text costs before it is sent, and what to change to make it cost less."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub.core.encoding import measure, simplify
from hub.dialects.native_v1.fields import Count, Model, Request
from hub.dialects.native_v1.message_models import Encoding
from hub.dialects.native_v1.operation import AnyOperation, Call, NoQuery, Operation
from hub.dialects.native_v1.sending import MOST_CHARACTERS


class TextToMeasure(Request):
    """A text that is not sent."""

    text: Annotated[str, Meta(max_length=MOST_CHARACTERS)]


class ForcingCharacter(Model):
    """A character that is not in the GSM alphabet, so that the whole text needs two bytes a character."""

    character: str
    code_point: Annotated[str, Meta(examples=["U+2019"])]
    first_at: Annotated[Count, Meta(description="Index of its first occurrence, in characters (code points).")]


class Plainer(Model):
    """The same text with plain signs in place of typographic ones, where that saves something."""

    text: str
    encoding: Encoding
    segments: Count


class Measured(Model):
    """What a text costs (3GPP TS 23.038 and 23.040)."""

    encoding: Annotated[Encoding, Meta(description="One foreign character puts the whole text into UCS-2.")]
    segments: Annotated[int, Meta(ge=1)]
    units: Annotated[Count, Meta(description="Septets (GSM-7) or UTF-16 units (UCS-2) used.")]
    per_segment: Count
    remaining: Annotated[Count, Meta(description="Units free in the last segment.")]
    is_too_long: Annotated[bool, Meta(description="More segments than this hub sends.")]
    forcing: Annotated[list[ForcingCharacter], Meta(description="Up to eight characters that force UCS-2.")]
    plainer: Plainer | None


async def measure_text(call: Call[NoQuery, TextToMeasure]) -> Measured:
    """Measure a text.

    Its alphabet, segments and room left, and which characters make it expensive.
    """
    text = call.body.text
    found = measure(text)
    return Measured(
        encoding=found.encoding,
        segments=found.segments,
        units=found.units,
        per_segment=found.per_segment,
        remaining=found.remaining,
        is_too_long=found.segments > call.services.config.max_segments,
        forcing=[
            ForcingCharacter(character=one, code_point=f"U+{ord(one):04X}", first_at=text.index(one))
            for one in found.forcing
        ],
        plainer=_plainer(text, found.segments),
    )


def _plainer(text: str, segments: int) -> Plainer | None:
    simple = simplify(text)
    found = measure(simple)
    return Plainer(text=simple, encoding=found.encoding, segments=found.segments) if found.segments < segments else None


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST",
        path="/v1/segments",
        run=measure_text,
        knows_lines=True,
        scope=None,
        query=NoQuery,
        body=TextToMeasure,
        returns=Measured,
        example={"text": "We’ll keep it at the front desk."},
    ),
)
