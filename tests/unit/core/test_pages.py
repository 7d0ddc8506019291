"""The pages drawn from tables are the ones in `docs/`, and the words of the core are in the glossary."""

from pathlib import Path

import pytest

from hub.core import pages
from hub.core.address import AddressKind
from hub.core.commands import PRIORITIES
from hub.core.errors import Code
from hub.core.status import Status

DOCS = Path(__file__).resolve().parents[3] / "docs"


def read(name: str) -> str:
    """A page."""
    return (DOCS / name).read_text(encoding="utf-8")


def test_states_page_is_drawn_from_the_table() -> None:
    assert read("states.md") == pages.states_page(), "the command that draws it stands at the page's top"


def test_errors_page_is_drawn_from_the_catalogue() -> None:
    assert read("errors.md") == pages.errors_page(), "the command that draws it stands at the page's top"


@pytest.mark.parametrize("code", Code)
def test_every_problem_is_documented(code: Code) -> None:
    assert f"| `{code}` |" in read("errors.md")


@pytest.mark.parametrize("word", [*Status, *AddressKind, *PRIORITIES])
def test_every_word_of_the_core_is_in_the_glossary(word: str) -> None:
    assert f"`{word}`" in read("glossary.md")
