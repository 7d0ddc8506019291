"""A log line shows neither texts nor secrets nor whole numbers."""

import io
import json

import pytest
import structlog

from hub.log import bind_trace, configure_logs, get_logger, mask_numbers, redact


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    structlog.reset_defaults()
    configure_logs("info", "json", lambda: 1_800_000_000_123)
    return stream


def test_line_is_one_json_object_with_time_and_trace(lines: io.StringIO) -> None:
    bind_trace("trace-0001")
    get_logger("test").info("accepted", messages=2)
    line = json.loads(lines.getvalue())
    assert line == {
        "room": "test",
        "event": "accepted",
        "messages": 2,
        "trace_id": "trace-0001",
        "time": "2027-01-15T08:00:00.123Z",
        "level": "info",
    }


def test_numbers_texts_and_secrets_do_not_reach_the_log(lines: io.StringIO) -> None:
    get_logger("test").warning("could not send to +4915112345678", text="my secret", token="abc", peer="+4915112345678")
    written = lines.getvalue()
    assert "4915112345678" not in written
    assert "my secret" not in written
    assert "abc" not in written
    assert "…78" in json.loads(written)["peer"]


def test_traceback_is_redacted_too(lines: io.StringIO) -> None:
    try:
        raise ValueError("no line for +4915112345678")
    except ValueError:
        get_logger("test").exception("failed")
    assert "4915112345678" not in lines.getvalue()
    assert "ValueError" in lines.getvalue()


@pytest.mark.parametrize("text", ["01hgw2bbg0000000000000000", "2026-01-31T09:00:00.123Z", "127.0.0.1:54321", "12 345"])
def test_ids_and_times_are_not_taken_for_numbers(text: str) -> None:
    assert mask_numbers(text) == text


def test_redact_keeps_what_is_not_text() -> None:
    assert redact(None, "info", {"event": "x", "count": 49151123456789}) == {"event": "x", "count": 49151123456789}
