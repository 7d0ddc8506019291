"""Version, close codes, lines, times and the fallback bodies; and that the page for app authors says the same as the code."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_protocol import limits
from device_protocol.codec import decode_from_hub, decode_from_phone
from device_protocol.enrolment import EnrolRequest, EnrolResponse, TokenRequest, TokenResponse
from device_protocol.errors import BAD_FRAME, CATALOGUE, FRAME_TOO_BIG, SUPERSEDED, After, ProtocolError, after_close
from device_protocol.fallback import decode_body_from_hub, decode_body_from_phone, encode_body
from device_protocol.frames import Go, HubFrame, Line, PhoneFrame, Ping, Sim
from device_protocol.lines import find_sim, sim_fingerprint
from device_protocol.payloads import EVENT_TYPES, Quarantined, decode_payload
from device_protocol.states import GONE_REASONS, REFUSALS, UNCERTAIN_REASONS
from device_protocol.version import SUBPROTOCOL, choose_subprotocol
from device_protocol.wire_types import read_utc, write_utc

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "device-protocol.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json ([^\n]+)\n(.*?)```", PAGE, re.DOTALL)


# --- version and closes


def test_the_known_version_is_chosen_and_others_are_refused_by_name() -> None:
    assert choose_subprotocol(["handset.v9", SUBPROTOCOL]) == SUBPROTOCOL
    for offered in ([], ["handset.v9"]):
        with pytest.raises(ProtocolError, match=r"handset\.v1") as caught:
            choose_subprotocol(offered)
        assert caught.value.reason.word == "unsupported_version"


def test_close_codes_are_distinct_and_in_the_range_for_applications() -> None:
    assert len({reason.code for reason in CATALOGUE}) == len({reason.word for reason in CATALOGUE}) == len(CATALOGUE)
    assert all(4000 <= reason.code <= 4999 for reason in CATALOGUE)


def test_a_superseded_phone_comes_back_and_so_does_one_with_a_code_it_does_not_know() -> None:
    assert after_close(SUPERSEDED.code) is After.RECONNECT
    assert after_close(1006) is After.RECONNECT
    assert after_close(4999) is After.RECONNECT
    assert after_close(4011) is After.TOKEN
    assert after_close(4012) is After.WAIT


# --- lines


@pytest.mark.parametrize(
    ("carrier", "number", "expected"),
    [
        ("Blau ", "+49 170 123-4711", "blau/4711"),
        (None, None, "/"),
        ("a", "٤٧١١", "a/"),
        ("o2", "12", "o2/12"),
        ("X" * 500, None, "x" * 100 + "/"),
    ],
)
def test_fingerprint(carrier: str | None, number: str | None, expected: str) -> None:
    assert sim_fingerprint(carrier, number) == expected


def test_a_job_never_gets_another_sim() -> None:
    sims = (Sim(0, 1, "blau/4711"), Sim(1, 2, "o2/0815"))
    assert find_sim(sims, Line(2, 0, "o2/0815")) == sims[1]
    assert find_sim(sims, Line(1, 0, "o2/0815")) is None
    assert find_sim(sims, Line(3, 1, "o2/0815")) is None
    assert find_sim((), Line(1, 0, "blau/4711")) is None


# --- times


@settings(max_examples=200, deadline=None)
@given(st.integers(0, read_utc("2999-12-31T23:59:59.999Z")))
def test_times_both_ways(at: int) -> None:
    text = write_utc(at)
    assert read_utc(text) == at
    assert len(text) == 24


# --- fallback


def test_bodies_both_ways() -> None:
    body = encode_body(7, [Ping(1), Ping(2)])
    assert json.loads(body) == {"session_no": 7, "frames": [{"type": "ping", "n": 1}, {"type": "ping", "n": 2}]}
    assert decode_body_from_phone(body) == (7, [Ping(1), Ping(2)])
    assert decode_body_from_hub(encode_body(None, [Go("m", 1)])) == (None, [Go("m", 1)])


def test_one_bad_frame_does_not_stop_the_others() -> None:
    session_no, frames = decode_body_from_phone(b'{"frames":[{"type":"ping","n":1},{"type":"ping"},{"type":"x"}]}')
    assert session_no is None
    assert frames[0] == Ping(1)
    errors = [frame.reason.word for frame in frames if isinstance(frame, ProtocolError)]
    assert errors == ["bad_frame", "unknown_frame"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"frames":1}', b'{"frames":[],"session_no":0}', b'{"frames":[' + b"1," * 64 + b"1]}"]
)
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_body_from_phone(body)
    assert caught.value.reason is BAD_FRAME


def test_a_body_too_large_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_body_from_phone(b" " * (limits.HTTP_BODY_MAX_BYTES + 1))
    assert caught.value.reason is FRAME_TOO_BIG


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        decode_body_from_phone(body)
    except ProtocolError:
        return


# --- the page


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=[f"{kind} {text[:40]}" for kind, text in EXAMPLES])
def test_every_example_of_the_page_is_valid(kind: str, text: str) -> None:
    if kind == "phone":
        decode_from_phone(text)
    elif kind == "hub":
        decode_from_hub(text)
    elif kind.startswith("event "):
        assert not isinstance(decode_payload(kind.removeprefix("event "), text), Quarantined)
    else:
        assert _reads_as_a_body(text)


def _reads_as_a_body(text: str) -> bool:
    if '"frames"' in text:
        is_request = '"hello"' in text
        return bool(decode_body_from_phone(text.encode()) if is_request else decode_body_from_hub(text.encode()))
    for body in (EnrolRequest, EnrolResponse, TokenRequest, TokenResponse):
        try:
            return bool(msgspec.json.decode(text, type=body))
        except msgspec.ValidationError:
            continue
    return False


def test_the_page_shows_every_frame_event_and_word() -> None:
    shown = {json.loads(text).get("type") for kind, text in EXAMPLES if kind in ("phone", "hub")}
    frames = {member.__struct_config__.tag for union in (PhoneFrame, HubFrame) for member in union.__args__}  # type: ignore[attr-defined]
    assert shown == frames
    words = [*EVENT_TYPES, *REFUSALS, *UNCERTAIN_REASONS, *GONE_REASONS]
    assert [word for word in words if f"`{word}`" not in PAGE] == []


def test_the_page_lists_every_close() -> None:
    rows = re.findall(r"^\| (4\d{3}) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert [(int(code), word) for code, word in rows] == [(reason.code, reason.word) for reason in CATALOGUE]


def test_the_page_tells_every_limit() -> None:
    section = PAGE[PAGE.index("## Limits") :].replace(",", "")
    numbers = {int(number) for number in re.findall(r"\d+", section)}
    not_told = {"NUMBER_MAX", "STREAMS_MAX", "STRIKES_MAX"}
    values = {name: value for name, value in vars(limits).items() if isinstance(value, int) and name not in not_told}
    assert {name: value for name, value in values.items() if value not in numbers} == {}
