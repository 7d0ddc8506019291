"""Server-sent events, whole and in pieces."""

import pytest

from hub.workbench.feed import LARGEST_EVENT, Message, Parser

STREAM = (
    b"event: ready\nid: a.0.1\ndata: {}\n\n: still here\n\nid: a.0.2\r\ndata: one\r\ndata:two\r\n\r\n"
    b"event: change\ndata: x\n\nid: a.0.3\n\ndata: \xc3\xbc\n\n"
)
EXPECTED = [
    Message("ready", "a.0.1", "{}"),
    Message("message", "a.0.2", "one\ntwo"),
    Message("change", "a.0.2", "x"),
    Message("message", "a.0.3", "ü"),
]


def test_messages_come_out_whole() -> None:
    assert Parser().feed(STREAM) == EXPECTED


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_messages_come_out_whole_from_pieces(size: int) -> None:
    parser = Parser()
    found = [message for at in range(0, len(STREAM), size) for message in parser.feed(STREAM[at : at + size])]
    assert found == EXPECTED


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="1 MiB"):
        Parser().feed(b"x" * (LARGEST_EVENT + 1))
