"""`hub.core.text`: what comes out can be stored, and nothing else was touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.text import is_storable, sanitise, sanitise_or_none

anything = st.text(st.characters(codec=None, categories=None) | st.sampled_from("\x00\ud83d\ude00\udfff"))


@given(anything)
def test_what_comes_out_can_be_stored(text: str) -> None:
    clean = sanitise(text)
    clean.encode("utf-8")
    assert "\x00" not in clean
    assert is_storable(clean)
    assert sanitise(clean) == clean


@given(st.text())
def test_good_text_is_returned_as_it_is(text: str) -> None:
    if "\x00" not in text:
        assert sanitise(text) is text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\ud83d", "\ufffd"),
        ("\ude00x", "\ufffdx"),
        ("\ud83d\ude00", "😀"),
        ("😀\ud83d", "😀\ufffd"),
        ("\ud83d\ud83d\ude00", "\ufffd😀"),
        ("tab\tand\r\nline", "tab\tand\r\nline"),
    ],
)
def test_sanitise(text: str, clean: str) -> None:
    assert sanitise(text) == clean


def test_an_absent_text_stays_absent() -> None:
    assert sanitise_or_none(None) is None
    assert sanitise_or_none("\x00") == "\ufffd"
