"""Each line of the vendors' lists is a named test, or `docs/adapters/README.md` says what it waits for; what the pages name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "adapters"
LISTS = {"T": 23, "A": 24, "G": 10, "M": 16}
"""How many lines each list has."""
_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
_LINES = re.compile(r"[TAGM][0-9]+")


def named_tests() -> set[str]:
    return {name for path in (ROOT / "tests").rglob("test_*.py") for name in _TEST.findall(path.read_text("utf-8"))}


def lines_with_a_test() -> set[str]:
    """`test_A1_A2_a_key` is a test of A1 and of A2."""
    found: set[str] = set()
    for name in named_tests():
        for word in name.removeprefix("test_").split("_"):
            if not _LINES.fullmatch(word):
                break
            found.add(word)
    return found


def waiting_lines() -> set[str]:
    table = (PAGES / "README.md").read_text("utf-8").partition("| waits for | lines |")[2].partition("\n\n")[0]
    return set(re.findall(r"\b[TAGM][0-9]+\b", table))


def test_every_line_is_tested_or_waits_for_something() -> None:
    lines = {f"{letter}{number}" for letter, last in LISTS.items() for number in range(1, last + 1)}
    assert lines - lines_with_a_test() - waiting_lines() == set()
    assert (lines_with_a_test() | waiting_lines()) - lines == set()


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_a_test_that_a_page_names_is_there(page: Path) -> None:
    known = named_tests()
    for named in re.findall(r"`(test_\w+?)_?…?`", page.read_text("utf-8")):
        assert any(name.startswith(named) for name in known), named
    for path in re.findall(r"`(tests/[\w/]+\.py)`", page.read_text("utf-8")):
        assert (ROOT / path).exists(), path
