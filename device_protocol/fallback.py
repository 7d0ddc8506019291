"""The two HTTP calls of a phone whose network lets no websocket through; the frames are the same.

`POST /device/v1/events` carries frames both ways, `GET /device/v1/jobs?wait=25&session_no=N` waits for frames of the
hub. The first frame of a session is `hello`, without `session_no`; its answer holds `welcome`, whose number goes into
every later call. A call with an older number is answered 409 and `bye` 4007: that is the fence of the websocket.
"""

from collections.abc import Sequence

import msgspec

from device_protocol.codec import decode_from_hub, decode_from_phone, encode, sanitise_json
from device_protocol.errors import BAD_FRAME, FRAME_TOO_BIG, ProtocolError
from device_protocol.frames import AnyFrame, HubFrame, PhoneFrame
from device_protocol.limits import HTTP_BODY_MAX_BYTES, HTTP_FRAMES_MAX
from device_protocol.wire_types import Positive


class _Body(msgspec.Struct, omit_defaults=True):
    frames: list[msgspec.Raw]
    session_no: Positive | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Body)


def encode_body(session_no: int | None, frames: Sequence[AnyFrame]) -> bytes:
    """JSON body of either direction: `{"frames": [...], "session_no": 7}`."""
    return _encoder.encode(_Body([msgspec.Raw(encode(frame).encode()) for frame in frames], session_no))


def decode_body_from_phone(body: bytes) -> tuple[int | None, list[PhoneFrame | ProtocolError]]:
    """Session number and frames of a phone's call; a frame that does not parse is its error, in its place."""
    session_no, raw = _decode_body(body)
    frames: list[PhoneFrame | ProtocolError] = []
    for text in raw:
        try:
            frames.append(decode_from_phone(text))
        except ProtocolError as error:
            frames.append(error)
    return session_no, frames


def decode_body_from_hub(body: bytes) -> tuple[int | None, list[HubFrame]]:
    """Session number and frames of the hub's answer."""
    session_no, raw = _decode_body(body)
    return session_no, [decode_from_hub(text) for text in raw]


def _decode_body(body: bytes) -> tuple[int | None, list[bytes]]:
    if len(body) > HTTP_BODY_MAX_BYTES:
        raise ProtocolError(FRAME_TOO_BIG, f"body of {len(body)} bytes, {HTTP_BODY_MAX_BYTES} allowed")
    try:
        decoded = _decoder.decode(sanitise_json(body.decode(errors="replace")))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError(BAD_FRAME, str(error)) from error
    if len(decoded.frames) > HTTP_FRAMES_MAX:
        raise ProtocolError(BAD_FRAME, f"{len(decoded.frames)} frames, {HTTP_FRAMES_MAX} allowed")
    return decoded.session_no, [bytes(raw) for raw in decoded.frames]
