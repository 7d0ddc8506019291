"""Reads bodies and queries of that API: leniently where its clients differ, and naming the field that cannot be."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from hub.core.clock import UtcMs
from hub.core.text import is_storable
from hub.dialects.smsgate.answers import wrong

_WHOLE = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_TRUE, _FALSE = frozenset({"true", "1", "t", "yes", "on"}), frozenset({"false", "0", "f", "no", "off"})
_FRACTION = re.compile(r"\.(\d+)")
LATEST_MS = 253_402_300_799_999


def as_object(value: Any, what: str = "The body") -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise wrong(f"{what} must be a JSON object.")
    return value


def text(
    body: Mapping[str, Any], *names: str, least: int = 0, most: int, needed: bool = False, blank_is_none: bool = True
) -> str | None:
    """A text under the first of these names that is there. None when it is absent, null, or (as clients send it) empty."""
    name, value = _first(body, names)
    if value is None or (value == "" and blank_is_none):
        if needed:
            raise wrong(f"{names[0]} is required.")
        return None
    if not isinstance(value, str):
        raise wrong(f"{name} must be a string.")
    if not least <= len(value) <= most:
        raise wrong(f"{name} must have {least} to {most} characters.")
    if not is_storable(value):
        raise wrong(f"{name} holds a character that cannot be stored (NUL, or half of a surrogate pair).")
    return value


def number(body: Mapping[str, Any], *names: str, least: int, most: int) -> int | None:
    """A whole number between two bounds; 5.0 counts as one."""
    name, value = _first(body, names)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise wrong(f"{name} must be a whole number between {least} and {most}.")
    return value


def flag(body: Mapping[str, Any], *names: str, default: bool) -> bool:
    """True or false."""
    name, value = _first(body, names)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise wrong(f"{name} must be true or false.")
    return value


def moment(body: Mapping[str, Any], *names: str, needed: bool = False) -> UtcMs | None:
    """A time; one without an offset is UTC, as the Python client means it."""
    name, value = _first(body, names)
    if value is None or value == "":
        if needed:
            raise wrong(f"{names[0]} is required.")
        return None
    if not isinstance(value, str):
        raise wrong(f"{name} must be a time such as 2026-01-31T09:00:00Z.")
    return _time(name, value)


def _first(body: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, Any]:
    for name in names:
        if body.get(name) is not None:
            return name, body[name]
    return names[0], None


def _time(name: str, value: str) -> UtcMs:
    shown = value[:40]
    trimmed = _FRACTION.sub(lambda match: "." + match[1][:6].ljust(6, "0"), value.strip().replace(" ", "+"), count=1)
    try:
        read = datetime.fromisoformat(trimmed)
        aware = read if read.tzinfo is not None else read.replace(tzinfo=UTC)
        at = round(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise wrong(f"{name}: {shown!r} is no time; write it like 2026-01-31T09:00:00Z.") from None
    if not 0 <= at <= LATEST_MS:
        raise wrong(f"{name}: {shown!r} lies outside the years 1970 to 9999.")
    return at


# --- queries ---------------------------------------------------------------------------------------------------------------------


def query_number(query: Mapping[str, str], name: str, *, least: int, most: int, default: int) -> int:
    """A whole number of the query."""
    value = query.get(name)
    if value is None:
        return default
    if not _WHOLE.fullmatch(value) or not least <= int(value) <= most:
        raise wrong(f"{name} must be a whole number between {least} and {most}.")
    return int(value)


def query_flag(query: Mapping[str, str], name: str) -> bool:
    """True or false of the query, in any case: clients write `true`, `True` and `1`."""
    value = query.get(name, "false").lower()
    if value not in _TRUE | _FALSE:
        raise wrong(f"{name} must be true or false.")
    return value in _TRUE


def query_moment(query: Mapping[str, str], name: str) -> UtcMs | None:
    """A time of the query."""
    value = query.get(name)
    return None if value is None else _time(name, value)


def query_word(query: Mapping[str, str], name: str, words: Collection[str]) -> str | None:
    """One of these words."""
    value = query.get(name)
    if value is not None and value not in words:
        raise wrong(f"{name} must be one of {', '.join(words)}.")
    return value
