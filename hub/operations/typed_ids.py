"""Ids as operators type them."""

from __future__ import annotations

from hub.core.errors import Code, HubError
from hub.core.ids import BadId, Kind, parse


def bare(kind: Kind, shown_id: str) -> str:
    """The stored id of one that was typed. Raises `not_found` with a sentence for what is none."""
    try:
        return parse(kind, shown_id)
    except BadId as error:
        raise HubError(Code.NOT_FOUND, f"{error}.") from None
