"""Frames against the golden vectors, both ways; whatever comes in, decoding raises nothing but ProtocolError."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import device_protocol
from device_protocol.codec import (
    REPLACEMENT,
    decode_from_hub,
    decode_from_phone,
    encode,
    is_storable,
    sanitise_json,
    sanitise_text,
)
from device_protocol.errors import BAD_FRAME, FRAME_TOO_BIG, ProtocolError
from device_protocol.frames import Bye, Event, Ping
from device_protocol.limits import FRAME_MAX_BYTES

VECTORS = Path(str(device_protocol.__file__)).parent / "vectors"
Decode = Callable[[str | bytes], Any]
SIDES: dict[str, Decode] = {"phone_to_hub": decode_from_phone, "hub_to_phone": decode_from_hub}


def _cases(part: str) -> list[Any]:
    cases = []
    for name, decode in SIDES.items():
        vectors = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        for vector in vectors[part]:
            cases.append(pytest.param(decode, vector, id=f"{name}: {vector['name']}"))
    return cases


@pytest.mark.parametrize(("decode", "vector"), _cases("valid"))
def test_valid_vector_decodes_and_encodes_to_itself(decode: Decode, vector: dict[str, Any]) -> None:
    frame = decode(json.dumps(vector["frame"]))
    assert json.loads(encode(frame)) == vector["frame"]
    assert decode(encode(frame)) == frame


@pytest.mark.parametrize(("decode", "vector"), _cases("valid"))
def test_other_forms_of_a_vector_are_the_same_frame(decode: Decode, vector: dict[str, Any]) -> None:
    frame = decode(json.dumps(vector["frame"]))
    for text in [*vector.get("also", []), json.dumps(vector["frame"], ensure_ascii=False, indent=1)]:
        assert json.loads(encode(decode(text))) == json.loads(encode(frame))
        assert json.loads(encode(decode(text.encode()))) == json.loads(encode(frame))


@pytest.mark.parametrize(("decode", "vector"), _cases("repaired"))
def test_what_no_database_stores_is_replaced(decode: Decode, vector: dict[str, Any]) -> None:
    assert json.loads(encode(decode(vector["text"]))) == vector["frame"]


@pytest.mark.parametrize(("decode", "vector"), _cases("invalid"))
def test_invalid_vector_is_refused_with_its_reason(decode: Decode, vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(vector["text"])
    assert caught.value.reason.word == vector["error"]
    assert caught.value.detail


def test_every_frame_has_a_vector() -> None:
    for name, union in (("phone_to_hub", decode_from_phone), ("hub_to_phone", decode_from_hub)):
        vectors = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        seen = {vector["frame"]["type"] for vector in vectors["valid"]}
        assert seen == _tags(union), name


def _tags(decode: Decode) -> set[str]:
    union = decode.__annotations__["return"]
    return {str(member.__struct_config__.tag) for member in union.__args__}


def test_frame_of_the_largest_size_passes_and_one_more_does_not() -> None:
    head, tail = '{"type":"ping","n":1,"pad":"', '"}'
    room = FRAME_MAX_BYTES - len(head) - len(tail)
    assert decode_from_phone(head + "x" * room + tail) == Ping(1)
    for text in (head + "x" * (room + 1) + tail, head + "é" * (room // 2 + 1) + tail):
        for form in (text, text.encode()):
            with pytest.raises(ProtocolError) as caught:
                decode_from_phone(form)
            assert caught.value.reason is FRAME_TOO_BIG


def test_too_big_a_frame_is_not_encoded() -> None:
    with pytest.raises(ProtocolError) as caught:
        encode(Event("s", 1, "u", "x", payload=msgspec.Raw(b'"' + b"x" * FRAME_MAX_BYTES + b'"')))
    assert caught.value.reason is FRAME_TOO_BIG


def test_half_a_pair_is_not_encoded() -> None:
    with pytest.raises(ProtocolError) as caught:
        encode(Bye(4000, "bad_frame", "\ud800"))
    assert caught.value.reason is BAD_FRAME


def test_bytes_that_are_no_utf8_do_not_stop_the_queue() -> None:
    frame = decode_from_phone(b'{"type":"event","stream":"s","n":1,"uuid":"u","event":"x","payload":{"text":"\xff"}}')
    assert isinstance(frame, Event)
    assert json.loads(bytes(frame.payload)) == {"text": REPLACEMENT}


@pytest.mark.parametrize("depth", [100, 5_000, 30_000])
def test_nesting_never_gets_through_as_another_error(depth: int) -> None:
    text = '{"type":"event","stream":"s","n":1,"uuid":"u","event":"x","payload":' + "[" * depth + "]" * depth + "}"
    try:
        frame = decode_from_phone(text)
    except ProtocolError as refused:
        reason = refused.reason
    else:
        assert isinstance(frame, Event)
        return
    assert reason is BAD_FRAME


# --- whatever comes in

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
VALID = [case.values[1]["frame"] for case in _cases("valid")]


@st.composite
def damaged_frames(draw: st.DrawFn) -> str:
    """A good frame with one field replaced by anything, or a piece of its text cut out or doubled."""
    frame = dict(draw(st.sampled_from(VALID)))
    field = draw(st.sampled_from(sorted(frame)))
    frame[field] = draw(JSON)
    text = json.dumps(frame)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 10)))
    return draw(st.sampled_from([text, text[:start] + text[end:], text[:end] + text[start:]]))


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.text(st.characters()), JSON.map(json.dumps), damaged_frames()))
@example('{"type":"ping","n":' + "9" * 5000 + "}")
@example('{"type":"ping","n":1e999}')
@example('{"type":"dance","x":' + "[" * 20_000 + "]" * 20_000 + "}")
@example('{"x":' + "[" * 20_000 + "]" * 20_000 + ',"type":"dance"}')
@example('\ufeff{"type":"ping","n":1}')
def test_decoding_raises_nothing_but_protocol_errors(text: str) -> None:
    for decode in SIDES.values():
        try:
            frame = decode(text)
        except ProtocolError:
            continue
        assert decode(encode(frame)) == frame


@settings(max_examples=300, deadline=None)
@given(st.binary())
def test_decoding_bytes_raises_nothing_but_protocol_errors(octets: bytes) -> None:
    for decode in SIDES.values():
        try:
            decode(octets)
        except ProtocolError:
            continue


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 2**53), st.text(st.characters(codec="utf-8")), JSON)
def test_an_event_whose_envelope_parses_is_always_returned(n: int, text: str, payload: object) -> None:
    at = json.dumps(text + "\x00\ud800")
    body = json.dumps(payload, allow_nan=False) if _is_plain(payload) else "null"
    frame = decode_from_phone(
        f'{{"type":"event","stream":"s","n":{n},"uuid":"u","event":"x","at":{at},"payload":{body}}}'
    )
    assert isinstance(frame, Event)
    assert frame.n == n


def _is_plain(payload: object) -> bool:
    try:
        json.dumps(payload, allow_nan=False)
    except ValueError:
        return False
    return True


# --- sanitising

ANY_TEXT = st.text(st.characters() | st.sampled_from("\x00\ud800\udbff\udc00\udfff\\u"))


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT)
def test_sanitised_text_is_storable_and_otherwise_the_same(text: str) -> None:
    clean = sanitise_text(text)
    clean.encode()
    assert "\x00" not in clean
    assert len(clean) == len(text)
    assert all(new in (old, REPLACEMENT) for old, new in zip(text, clean, strict=True))
    assert sanitise_text(clean) == clean


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT)
def test_sanitised_json_says_what_the_sanitised_text_says(text: str) -> None:
    for escaped in (True, False):
        clean = sanitise_json(json.dumps(text, ensure_ascii=escaped))
        # JSON joins an escaped high and low half to one character, whoever wrote them.
        assert json.loads(clean) == sanitise_text(json.loads(json.dumps(text, ensure_ascii=escaped)))
        assert is_storable(clean)


def test_storable_json_is_left_alone() -> None:
    for text in ('"a\\\\u0000"', '"\\ud83d\\ude00"', '"\\u00e9\\n"', "{}"):
        assert is_storable(text)
        assert sanitise_json(text) == text
    for text in ('"\\u0000"', '"\\\\\\u0000"', '"\\ud800"', '"\ud800"', '"\x00"'):
        assert not is_storable(text)
