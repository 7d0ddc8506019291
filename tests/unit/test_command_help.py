"""The command line explains itself: no word's line in a list of words breaks off."""

from collections.abc import Iterator

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hub.cli import app


def groups() -> Iterator[tuple[str, ...]]:
    yield ()
    top = get_command(app)
    assert hasattr(top, "commands")
    for name, command in top.commands.items():
        if hasattr(command, "commands"):
            yield (name,)


@pytest.mark.parametrize("words", list(groups()), ids=lambda words: " ".join(words) or "hub")
def test_every_list_of_words_has_whole_sentences(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}, terminal_width=80).output
    assert "Commands:" in shown
    _, _, listed = shown.partition("Commands:")
    assert [line for line in listed.splitlines() if line.endswith("...")] == []
