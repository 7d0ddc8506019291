import pytest
from hypothesis import given
from hypothesis import strategies as st

from android_emulator.segments import divide, is_gsm7


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", [0]),
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("€" * 80, [80]),
        ("€" * 81, [76, 5]),
        ("a" * 152 + "€" * 10, [152, 10]),
        ("ж" * 70, [70]),
        ("ж" * 71, [67, 4]),
        ("🙂" * 35, [35]),
        ("🙂" * 36, [33, 3]),
    ],
)
def test_divide_cuts_as_the_standard_says(text: str, lengths: list[int]) -> None:
    assert [len(segment) for segment in divide(text)] == lengths


@pytest.mark.parametrize(
    ("text", "expected"), [("Grüße @ 5€ {ok}", True), ("naïve", False), ("ç", False), ("Ç", True), ("`", False)]
)
def test_is_gsm7_knows_the_default_alphabet(text: str, *, expected: bool) -> None:
    assert is_gsm7(text) is expected


@given(st.text(max_size=400))
def test_divide_loses_nothing_and_fits_every_segment(text: str) -> None:
    segments = divide(text)
    assert "".join(segments) == text
    if not is_gsm7(text) and len(segments) > 1:
        assert all(len(segment.encode("utf-16-le", "surrogatepass")) <= 134 for segment in segments)
