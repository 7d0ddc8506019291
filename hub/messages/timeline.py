"""Reading what happened to a text: every hop in plain words.

The acceptance and the first choice of a line have no rows of their own; the message's row tells them. Facts name phones,
lines and texts by id, and here get the names they have today.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from hub.accounts.settings import read_settings
from hub.core.clock import UtcMs
from hub.core.ids import Kind as IdKind
from hub.core.ids import render
from hub.core.status import Status
from hub.core.timeline import Kind, sentence
from hub.messages.views import Fact, TimelineHop, TimelineView
from hub.storage.messages import Hop, MessageRow, hops_of
from hub.storage.messages_lines import settings_of
from hub.storage.messages_search import find_message
from hub.storage.timeline import names_of

MOST_HOPS = 1000
"""Hops shown of one text; a text that was offered a hundred times and never taken has a few hundred."""

_DECODER = msgspec.json.Decoder(dict[str, Any])
_JSON = msgspec.json.Encoder()
_IDS: Mapping[str, IdKind] = {
    "device_id": "device",
    "line_id": "line",
    "from_line_id": "line",
    "message_id": "message",
    "retry_of": "message",
}
_WHY = {
    "asked": "The request asks for it.",
    "sticky": "This contact was last in touch with it.",
    "least_loaded": "It had the shortest queue.",
    "only_line": "It is the only line.",
    "failover": "The contact's usual line could not send.",
}
_NO_LINE = "There was no line yet. It waits for one."


class _Names(NamedTuple):
    devices: Mapping[str, str]
    lines: Mapping[str, str]
    zone: ZoneInfo


def read_timeline(conn: Connection, account_id: str, message_id: str) -> TimelineView | None:
    """The timeline of a text, oldest hop first; None for an unknown id and for another account's."""
    found = find_message(conn, account_id, message_id)
    if found is None:
        return None
    hops = [*_beginning(found.row), *hops_of(conn, account_id, message_id, MOST_HOPS)]
    hops = _told(found.row, hops)
    facts = [_DECODER.decode(hop.data) for hop in hops]
    names = _names(conn, account_id, facts)
    entries = tuple(_entry(hop, known, names) for hop, known in zip(hops, facts, strict=True))
    return TimelineView(message_id=message_id, state=found.row.state, entries=entries)


def _beginning(row: MessageRow) -> list[Hop]:
    """The acceptance of an outbound text, as its row tells it."""
    if row.direction != "mt":
        return []
    facts: dict[str, Any] = {"door": row.door, "segments": row.segments}
    if row.scheduled_at is not None:
        facts["scheduled_at_ms"] = row.scheduled_at
    if row.retry_of is not None:
        facts["retry_of"] = row.retry_of
    state = Status.SCHEDULED if row.scheduled_at is not None else Status.QUEUED
    return [_hop(row, "api", Kind.ACCEPTED, facts, to_state=state.value)]


def _told(row: MessageRow, hops: Sequence[Hop]) -> list[Hop]:
    """The hops with the first choice of a line put behind the acceptance, or that there was none."""
    if row.direction != "mt":
        return list(hops)
    routed = [_DECODER.decode(hop.data) for hop in hops if hop.kind == Kind.ROUTED]
    line_id = routed[0].get("from_line_id") if routed else row.line_id
    if line_id is None:
        return [hops[0], _hop(row, "hub", Kind.NO_LINE, {"sentence": _NO_LINE}), *hops[1:]]
    facts = {"line_id": line_id}
    if not routed and row.line_why in _WHY:
        facts |= {"why": row.line_why, "sentence": _WHY[row.line_why]}
    return [hops[0], _hop(row, "hub", Kind.ROUTED, facts), *hops[1:]]


def _hop(row: MessageRow, actor: str, kind: Kind, facts: dict[str, Any], to_state: str | None = None) -> Hop:
    data = _JSON.encode(facts).decode()
    return Hop(row.account_id, row.id, row.created_at, actor, kind.value, None, to_state, True, data, None)


def _names(conn: Connection, account_id: str, facts: Sequence[Mapping[str, Any]]) -> _Names:
    devices = {str(known["device_id"]) for known in facts if known.get("device_id")}
    lines = {str(known[name]) for known in facts for name in ("line_id", "from_line_id") if known.get(name)}
    settings = read_settings(settings_of(conn, [account_id]).get(account_id, "{}"))
    return _Names(*names_of(conn, account_id, devices, lines), ZoneInfo(settings.time_zone))


def _entry(hop: Hop, facts: dict[str, Any], names: _Names) -> TimelineHop:
    why_not = facts.get("why_not")
    told = facts | _in_words(hop, facts, names)
    return TimelineHop(
        at=hop.at,
        actor=hop.actor,
        kind=hop.kind,
        from_state=hop.from_state,
        to_state=hop.to_state,
        is_applied=hop.is_applied,
        sentence=sentence(hop.kind, told, is_applied=hop.is_applied, why_not=why_not),
        data=_shown(facts, told),
        raw=hop.raw,
    )


def _in_words(hop: Hop, facts: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    """The facts as the sentence wants them: names for ids, clock times for milliseconds."""
    words: dict[str, Any] = {
        "device": names.devices.get(str(facts.get("device_id"))),
        "line": names.lines.get(str(facts.get("line_id"))),
        "message": render("message", facts["message_id"]) if facts.get("message_id") else None,
    }
    for name, told in (("next_at_ms", "next_at"), ("scheduled_at_ms", "scheduled_at")):
        if facts.get(name) is not None:
            words[told] = _clock_time(facts[name], hop.at, names.zone)
    return {name: value for name, value in words.items() if value is not None}


def _clock_time(at: UtcMs, since: UtcMs, zone: ZoneInfo) -> str:
    """`14:31` on the same day there, else `2026-01-31 14:31`."""
    there, then = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone) for ms in (at, since))
    return f"{there:%H:%M}" if there.date() == then.date() else f"{there:%Y-%m-%d %H:%M}"


def _shown(facts: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Fact]:
    """The facts for programs: ids as customers know them, and what the sentence says in words."""
    shown: dict[str, Fact] = {}
    for name, value in {**told, **facts}.items():
        if name in _IDS and isinstance(value, str):
            shown[name] = render(_IDS[name], value)
        elif isinstance(value, str | int | float | bool):
            shown[name] = value
    return shown
