"""Structured logs that can be shown to anybody: numbers masked, bodies and secrets absent.

One line is one JSON object (or, for people, one console line). A trace id bound at the edge (`bind_trace`) stands in every line of
the same request, is stored with the message, and comes back in the lines of its webhook deliveries.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

import msgspec
import structlog

from hub.core.clock import rfc3339

NEVER_LOGGED = frozenset(
    {"text", "body", "secret", "token", "authorization", "password", "key", "signature", "payload"}
)
"""Field names whose value is replaced whole, whatever it holds."""

_trace_id: ContextVar[str] = ContextVar("trace_id", default="")

_NUMBER = re.compile(r"(?<![\w.:-])\+?\d{7,15}(?![\w.:-])")
"""What looks like a phone number inside any logged text; ids and times do not."""


def mask_numbers(text: str) -> str:
    """`text` with each phone number cut to its last two digits."""
    return _NUMBER.sub(lambda found: "…" + found.group()[-2:], text)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: drop what must not be logged, mask what looks like a number."""
    for name, value in event.items():
        if name in NEVER_LOGGED:
            event[name] = "[not logged]"
        elif type(value) is str and name not in ("time", "trace_id"):
            event[name] = mask_numbers(value)
    return event


class _Stamp:
    """Adds the time from the hub's own clock, so that log and database agree."""

    def __init__(self, now: Any) -> None:
        self._now = now

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["time"] = rfc3339(self._now())
        event["level"] = method
        return event


def _as_json(_logger: object, _method: str, event: Mapping[str, Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def configure_logs(level: str, form: str, now: Any) -> None:
    """Set up logging for the whole process; `now` returns milliseconds since the epoch."""
    renderer: Any = _as_json if form == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            _traced,
            _Stamp(now),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge()], force=True)


class _Bridge(logging.Handler):
    """Libraries that log through the standard library end in the same stream, redacted the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger("library")
        extra = {"exc_info": record.exc_info} if record.exc_info else {}
        log.warning(record.getMessage(), library=record.name, **extra)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `room=name`; the first argument of a call is what happened, in words."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=name)
    return logger


def bind_trace(trace_id: str) -> None:
    """From here on in this task, every log line carries this trace id."""
    _trace_id.set(trace_id)


def _traced(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if trace_id := _trace_id.get():
        event.setdefault("trace_id", trace_id)
    return event
