"""Frame to JSON text and back. Decoding raises nothing but ProtocolError.

Text on the wire is UTF-8 JSON. NUL and lone surrogates, which no database stores, are replaced before parsing
(`sanitise_json`); the caller still has the raw text, and `is_storable` tells whether it differs. A frame of an unknown
type raises with reason `unknown_frame`, which the receiver counts and ignores; every other error closes the connection.
"""

import re
from typing import Final, TypeVar

import msgspec

from device_protocol.errors import BAD_FRAME, FRAME_TOO_BIG, UNKNOWN_FRAME, ProtocolError
from device_protocol.frames import AnyFrame, HubFrame, PhoneFrame
from device_protocol.limits import FRAME_MAX_BYTES

REPLACEMENT: Final = "\ufffd"

_T = TypeVar("_T")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_SUSPECT_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole surrogate pair: kept
    r"|(\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))"  # NUL or half a pair: replaced
    r"|\\."  # any other escape, an escaped backslash among them: kept
)

_encoder: Final = msgspec.json.Encoder()
_phone_decoder: Final[msgspec.json.Decoder[PhoneFrame]] = msgspec.json.Decoder(PhoneFrame)
_hub_decoder: Final[msgspec.json.Decoder[HubFrame]] = msgspec.json.Decoder(HubFrame)


class _TypeOnly(msgspec.Struct):
    type: str


_type_decoder: Final = msgspec.json.Decoder(_TypeOnly)


def sanitise_text(text: str) -> str:
    """`text` with NUL and lone surrogates as U+FFFD, so that every database and UTF-8 takes it."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def is_storable(text: str) -> bool:
    """Whether `sanitise_json` would leave this JSON text alone."""
    return sanitise_json(text) == text


def sanitise_json(text: str) -> str:
    """JSON text whose strings hold neither NUL nor half a surrogate pair, escaped or not."""
    clean = _UNSTORABLE.sub(REPLACEMENT, text) if "\0" in text or not text.isascii() else text
    if "\\u" not in clean or _SUSPECT_ESCAPE.search(clean) is None:
        return clean
    return _ESCAPE.sub(lambda match: r"\ufffd" if match.group(1) else match.group(), clean)


def encode(frame: AnyFrame) -> str:
    """JSON text of a frame; ProtocolError `frame_too_big` above 64 KiB, `bad_frame` for half a surrogate pair."""
    try:
        octets = _encoder.encode(frame)
    except UnicodeEncodeError as error:
        raise ProtocolError(BAD_FRAME, "text holds half a surrogate pair") from error
    _check_size(len(octets))
    return octets.decode()


def decode_from_phone(text: str | bytes) -> PhoneFrame:
    """The frame a phone sent. Checks form only; whether it is expected now is for states.py."""
    return _decode(_phone_decoder, text)


def decode_from_hub(text: str | bytes) -> HubFrame:
    """The frame a hub sent."""
    return _decode(_hub_decoder, text)


def _decode(decoder: "msgspec.json.Decoder[_T]", text: str | bytes) -> _T:
    clean = sanitise_json(_as_text(text))
    try:
        return decoder.decode(clean)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _why(clean, error) from error


def _as_text(text: str | bytes) -> str:
    """Text within the size limit; bytes that are not UTF-8 read as U+FFFD rather than stopping the queue."""
    if isinstance(text, bytes):
        _check_size(len(text))
        return text.decode(errors="replace")
    # A character is one to four octets: most frames need no second look.
    if len(text) * 4 > FRAME_MAX_BYTES:
        _check_size(len(text.encode(errors="replace")))
    return text


def _check_size(octets: int) -> None:
    if octets > FRAME_MAX_BYTES:
        raise ProtocolError(FRAME_TOO_BIG, f"{octets} bytes, {FRAME_MAX_BYTES} allowed")


def _why(text: str, error: Exception) -> ProtocolError:
    if isinstance(error, msgspec.ValidationError) and str(error).endswith("- at `$.type`"):
        frame_type = _frame_type(text)
        if frame_type is not None:
            return ProtocolError(UNKNOWN_FRAME, frame_type)
    if isinstance(error, RecursionError):
        return ProtocolError(BAD_FRAME, "nested too deeply")
    return ProtocolError(BAD_FRAME, str(error))


def _frame_type(text: str) -> str | None:
    """The type as far as an error message needs it; None when it is no text."""
    try:
        return _type_decoder.decode(text).type[:48] or "an empty type"
    except (msgspec.DecodeError, RecursionError):
        return None
