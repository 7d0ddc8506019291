"""Which single words ask for no more texts, or for texts again."""

import pytest

from hub.core.consent import asked_by


@pytest.mark.parametrize(
    "text", ["STOP", "stop", " Stop. ", "“Stop”", "STOP ALL", "opt  out", "Cancel!", "unsubscribe\n"]
)
def test_a_word_for_no_more_is_understood(text: str) -> None:
    assert asked_by(text) == "out"


@pytest.mark.parametrize("text", ["START", "unstop", "Start!"])
def test_a_word_for_again_is_understood(text: str) -> None:
    assert asked_by(text) == "in"


@pytest.mark.parametrize(
    "text", ["", "please stop by at five", "Don't stop", "stop it", "yes", "STOP" * 50, "ｓｔｏｐｐ"]
)
def test_anything_else_asks_for_nothing(text: str) -> None:
    assert asked_by(text) is None
