"""Payloads against the golden vectors: read after the envelope, quarantined instead of refused."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import device_protocol
from device_protocol.limits import FRAME_MAX_BYTES, RECEIVED_TEXT_BYTES
from device_protocol.payloads import (
    EVENT_TYPES,
    Quarantined,
    SmsReceived,
    SmsUncertain,
    decode_payload,
    encode_payload,
    event_time,
    event_type_of,
)

VECTORS = json.loads(
    (Path(str(device_protocol.__file__)).parent / "vectors" / "payloads.json").read_text(encoding="utf-8")
)
RECEIVED = SmsReceived("+1", "2026-11-21T14:31:04.000Z", 1, text="x")


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: str(vector["payload"])[:60])
def test_valid_payload_decodes_and_encodes_to_itself(vector: dict[str, Any]) -> None:
    payload = decode_payload(vector["event"], json.dumps(vector["payload"]))
    assert not isinstance(payload, Quarantined), payload
    assert event_type_of(payload) == vector["event"]
    assert json.loads(bytes(encode_payload(payload))) == vector["payload"]


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: vector["text"][:60])
def test_invalid_payload_is_quarantined_with_its_reason(vector: dict[str, Any]) -> None:
    payload = decode_payload(vector["event"], vector["text"])
    assert isinstance(payload, Quarantined)
    assert payload.reason == vector["error"]
    assert payload.detail


def test_every_event_word_has_a_vector() -> None:
    assert {vector["event"] for vector in VECTORS["valid"]} == set(EVENT_TYPES)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([*EVENT_TYPES, "x"]), st.text(st.characters()) | st.binary())
def test_decoding_a_payload_never_raises(event_type: str, raw: str | bytes) -> None:
    decode_payload(event_type, raw)
    event_time(raw)


def test_deep_nesting_is_quarantined() -> None:
    payload = decode_payload("sms:received", '{"x":' + "[" * 30_000 + "]" * 30_000 + "}")
    assert isinstance(payload, Quarantined)


def test_unstorable_characters_of_a_payload_are_replaced() -> None:
    raw = '{"from":"\\u0000","received_at":"2026-11-21T14:31:04.000Z","subscription_id":1,"text":"a\\ud800b"}'
    payload = decode_payload("sms:received", raw)
    assert isinstance(payload, SmsReceived)
    assert (payload.sender, payload.text) == ("�", "a�b")


def test_any_text_of_a_phone_can_be_encoded() -> None:
    raw = encode_payload(msgspec.structs.replace(RECEIVED, text="\ud800\x00", sender="\udc00"))
    assert decode_payload("sms:received", raw) == msgspec.structs.replace(RECEIVED, text="��", sender="�")
    assert json.loads(bytes(encode_payload(SmsUncertain("a", 1, "restarted"))))["reason"] == "restarted"


@pytest.mark.parametrize("character", ["x", "é", "€", "😀", "\x01", '"'])
def test_a_text_too_long_for_its_frame_is_cut_and_says_so(character: str) -> None:
    long = character * 40_000
    raw = encode_payload(msgspec.structs.replace(RECEIVED, text=long))
    payload = decode_payload("sms:received", raw)
    assert isinstance(payload, SmsReceived)
    assert payload.text is not None
    assert long.startswith(payload.text)
    assert payload.is_cut is (payload.text != long)
    assert len(bytes(raw)) < FRAME_MAX_BYTES - 1000
    more = len(msgspec.json.encode(payload.text + character))
    assert payload.text == long or more > RECEIVED_TEXT_BYTES


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"1970-01-01T00:00:00.001Z"', 1),
        (b'"2026-11-21T14:31:05.120Z"', 1795271465120),
        (msgspec.Raw(b'"2026-02-30T00:00:00.000Z"'), None),
        ("null", None),
        ("12", None),
        ("", None),
        ('"yesterday"', None),
    ],
)
def test_event_time(raw: str | bytes | msgspec.Raw, expected: int | None) -> None:
    assert event_time(raw) == expected
