"""What is said about a delivery is said as people say it."""

import pytest

from hub.webhooks.sentences import explain_delivery


@pytest.mark.parametrize(
    ("attempts", "sentence"),
    [
        (0, "Waiting for its first try."),
        (1, "Failed once so far; waiting for the next try."),
        (7, "Failed 7 times so far; waiting for the next try."),
    ],
)
def test_a_delivery_that_waits_says_what_happened_so_far(attempts: int, sentence: str) -> None:
    assert explain_delivery("pending", None, attempts) == sentence
