"""`hub.core.encoding`, against a calculation that walks the text one character at a time and knows no shortcut."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.core.encoding import GSM7_BASIC, GSM7_EXTENSION, Measure, measure, simplify, split

gsm7 = st.text(st.sampled_from(GSM7_BASIC + GSM7_EXTENSION), max_size=700)
pairs = st.text(st.sampled_from("a€😀é"), max_size=700)
anything = st.text(max_size=400)
runs = st.lists(st.tuples(st.sampled_from("aé€\f😀ж"), st.integers(1, 160)), max_size=6).map(
    lambda parts: "".join(character * count for character, count in parts)
)
"""Long enough to fill segments to the brim, which drawing single characters seldom is."""
texts = st.one_of(gsm7, pairs, anything, runs, runs)


def walk(text: str) -> tuple[str, int, int]:
    """Encoding, segments and total units, character by character."""
    is_gsm7 = all(c in GSM7_BASIC or c in GSM7_EXTENSION for c in text)
    alone, in_a_row = (160, 153) if is_gsm7 else (70, 67)
    sizes = [(2 if c in GSM7_EXTENSION else 1) if is_gsm7 else len(c.encode("utf-16-le")) // 2 for c in text]
    total = sum(sizes)
    if total <= alone:
        return "gsm7" if is_gsm7 else "ucs2", 1, total
    segments, used = 1, 0
    for size in sizes:
        if used + size > in_a_row:
            segments, used = segments + 1, 0
        used += size
    return "gsm7" if is_gsm7 else "ucs2", segments, total


@given(texts)
@example("a" * 160)
@example("a" * 161)
@example("€" * 80)
@example("a" + "€" * 80)
@example("a" * 152 + "€" + "a" * 10)
@example("😀" * 35)
@example("😀" * 36)
@example("а" * 66 + "😀" + "а")
def test_measure_agrees_with_walking(text: str) -> None:
    measured = measure(text)
    assert (measured.encoding, measured.segments, measured.units) == walk(text)


@given(texts)
def test_segments_joined_are_the_text_and_each_fits(text: str) -> None:
    measured, parts = measure(text), split(text)
    assert "".join(parts) == text
    assert len(parts) == measured.segments
    for part in parts:
        assert units(part, measured.encoding) <= measured.per_segment
        assert part or not text
    assert measured.remaining == measured.per_segment - units(parts[-1], measured.encoding)


def units(text: str, encoding: str) -> int:
    """Septets or UTF-16 units."""
    if encoding == "gsm7":
        return sum(2 if c in GSM7_EXTENSION else 1 for c in text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@given(texts)
def test_only_what_is_outside_the_alphabet_forces_ucs2(text: str) -> None:
    measured = measure(text)
    assert bool(measured.forcing) == (measured.encoding == "ucs2")
    outside = [c for c in dict.fromkeys(text) if c not in GSM7_BASIC + GSM7_EXTENSION]
    assert list(measured.forcing) == outside[:8]


@given(texts)
def test_a_longer_text_never_takes_fewer_segments(text: str) -> None:
    assert measure(text + "a").segments >= measure(text).segments


def test_the_alphabet_is_the_one_of_ts_23_038() -> None:
    assert len(GSM7_BASIC) == len(set(GSM7_BASIC)) == 127  # 128 positions, one of them the escape
    assert len(GSM7_EXTENSION) == len(set(GSM7_EXTENSION)) == 10
    assert not set(GSM7_BASIC) & set(GSM7_EXTENSION)
    for character in "@£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà":
        assert character in GSM7_BASIC
    for character in "`\tçáíóúêëÀ’“”–…":
        assert measure(character).encoding == "ucs2", character


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("", Measure("gsm7", 1, 0, 160, 160)),
        ("hello", Measure("gsm7", 1, 5, 160, 155)),
        ("€", Measure("gsm7", 1, 2, 160, 158)),
        ("a" * 306, Measure("gsm7", 2, 306, 153, 0)),
        ("a" * 307, Measure("gsm7", 3, 307, 153, 152)),
        ("a" * 152 + "€" * 5, Measure("gsm7", 2, 162, 153, 143)),
        ("ж" * 70, Measure("ucs2", 1, 70, 70, 0, ("ж",))),
        ("ж" * 71, Measure("ucs2", 2, 71, 67, 63, ("ж",))),
        ("“hi” – €", Measure("ucs2", 1, 8, 70, 62, ("“", "”", "–"))),
    ],
)
def test_measure(text: str, measured: Measure) -> None:
    assert measure(text) == measured


def test_a_pair_is_never_split() -> None:
    assert split("a" * 152 + "€" + "b" * 20) == ["a" * 152, "€" + "b" * 20]
    assert split("ж" * 66 + "😀" + "ж" * 10) == ["ж" * 66, "😀" + "ж" * 10]


@given(st.text(st.sampled_from("‘’“”–—…\t abcäçêîõ`"), max_size=60))
def test_simplify_brings_typography_into_the_alphabet(text: str) -> None:
    assert measure(simplify(text)).encoding == "gsm7"


@given(gsm7)
def test_simplify_leaves_the_alphabet_alone(text: str) -> None:
    assert simplify(text) == text


def test_simplify_leaves_what_has_no_plain_form() -> None:
    assert simplify("Grüße an Zoë 😀 „Liebe“…") == 'Grüße an Zoe 😀 "Liebe"...'
