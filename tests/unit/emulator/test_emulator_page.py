"""The page for users names everything that can be asked of the emulator."""

from pathlib import Path

import pytest

from android_emulator.__main__ import _parser
from android_emulator.failpoints import NAMES
from android_emulator.handset import PERMISSIONS
from android_emulator.magic_numbers import BEHAVIOURS, RECOVERS
from android_emulator.misbehaviour import Misbehaviour

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")


def test_every_failpoint_is_named() -> None:
    assert [name for name in NAMES if f"`{name}`" not in PAGE] == []


def test_every_magic_number_is_named_with_what_it_does() -> None:
    assert [number for number, (what, _) in BEHAVIOURS.items() if f"| `{number}` | {what} |" not in PAGE] == []
    assert RECOVERS in PAGE


@pytest.mark.parametrize("word", ["refuses", "ignores_jobs", "accepts_late", "repeats", "holds_back", "spoils"])
def test_every_misbehaviour_is_named(word: str) -> None:
    assert word in Misbehaviour.__slots__
    assert f".{word}`" in PAGE or f"`misbehaviour.{word}`" in PAGE


def test_every_permission_is_named() -> None:
    assert [word for word in PERMISSIONS if word not in PAGE] == []


def test_every_option_of_a_phone_is_named() -> None:
    help_text = next(action for action in _parser()._actions if action.choices).choices["phone"].format_help()  # type: ignore[index,union-attr]
    options = {word.strip(",") for word in help_text.split() if word.startswith("--")} - {"--help", "--hasty"}
    assert sorted(option for option in options if option not in PAGE) == []
