"""Amounts in words for a person."""

from __future__ import annotations


def size_in_words(count: int) -> str:
    """Bytes: `340 B`, `1.2 MiB`, `64 GiB`."""
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"


def span_in_words(seconds: float) -> str:
    """A span of time: `12 s`, `5 min`, `1 h 20 min`, `14 h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min" if hours < 10 else f"{hours} h"
