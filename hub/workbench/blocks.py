"""How a delivery is shown to a developer: one block, secrets masked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

WIDTH = 100
LONGEST_BODY = 4_000
_SECRET_WORDS = ("auth", "token", "secret", "key", "password", "cookie", "signature")
"""A header or query parameter whose name holds one of these is not shown."""


def block(title: str, rows: Sequence[tuple[str, str]], body: str = "") -> str:
    """A title line with the time, a row for each thing to say, and the body below."""
    head = f"── {datetime.now().astimezone():%H:%M:%S}  {title} "
    lines = [head.ljust(WIDTH, "─"), *(f"   {name:<9} {text}" for name, text in rows if text)]
    if body:
        lines += ["", *(f"   {line}" for line in body.splitlines())]
    return "\n".join([*lines, ""])


def shown_body(body: bytes) -> str:
    """JSON laid out, anything else as it is; never more than a screen."""
    text = body.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST_BODY else f"{text[:LONGEST_BODY]}\n… {len(text) - LONGEST_BODY} more characters"


def shown_path(target: str) -> str:
    """The request's path; values of its query that may be secret are masked."""
    parts = urlsplit(target)
    if not parts.query:
        return parts.path
    pairs = (f"{name}={mask(name, value)}" for name, value in parse_qsl(parts.query, keep_blank_values=True))
    return f"{parts.path}?{'&'.join(pairs)}"


def shown_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each header, as a row."""
    return [("", f"{name}: {mask(name, value)}") for name, value in headers.items()]


def mask(name: str, value: str) -> str:
    """The value, unless its name says that it is secret."""
    return "••••" if any(word in name.lower() for word in _SECRET_WORDS) else value
