"""One look at the database: which lanes have work, and the next deliveries of those that have room."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.storage import webhooks_due as stored
from hub.storage.webhooks_due import Due, ReadBy, Want
from hub.storage.webhooks_lanes import free_lanes, read_versions
from hub.webhooks.lanes import Lane

SIZES = (8, 32, 128, 256)
"""How many deliveries are fetched for a lane at once: about four windows, in few sizes so that lanes share a statement."""
LIVE, REPLAYS = 0, 1


@dataclass(frozen=True, slots=True)
class Room:
    """What a lane can take in."""

    most: int
    read_by: ReadBy
    after_key: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a look. `rooms` are lanes that can take deliveries, `full` those that cannot now."""

    now: UtcMs
    rooms: Mapping[str, Room]
    full: frozenset[str]
    busy: tuple[int, ...]
    probes: Mapping[str, ReadBy] = field(default_factory=dict)
    is_complete: bool = True
    """Look for lanes with work; otherwise only the lanes in `rooms` are read."""
    versions_of: tuple[str, ...] = ()
    """Endpoints whose version is wanted: one that sends nothing would otherwise not notice that it was changed."""


@dataclass(slots=True)
class Found:
    """What a look saw."""

    lanes: list[stored.Lane] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Endpoints with work that are neither in `rooms` nor in `full`, and that no other process sends to."""
    rows: dict[str, list[Due]] = field(default_factory=dict)
    after_keys: dict[str, str] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)
    probes: dict[str, list[Due]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)


def plan(lanes: Collection[Lane], now: UtcMs, *, is_complete: bool, with_versions: bool) -> Plan:
    """Ask for about four windows of each lane that may send and has less than one ready."""
    rooms: dict[str, Room] = {}
    full: set[str] = set()
    probes: dict[str, ReadBy] = {}
    busy: list[int] = []
    for lane in lanes:
        if lane.breaker.may_probe(now) and lane.endpoint.is_sending and now >= lane.paused_until and not lane.is_stale:
            probes[lane.id] = lane.endpoint.read_by
        if lane.may_send(now) and lane.room() > 0 and (is_complete or lane.has_more):
            most = next((size for size in SIZES if size >= 4 * lane.window.size), SIZES[-1])
            rooms[lane.id] = Room(most, lane.endpoint.read_by, lane.after_key, lane.has_more)
            busy.extend(lane.known())
        else:
            full.add(lane.id)
    versions_of = tuple(lane.id for lane in lanes) if with_versions else ()
    return Plan(now, rooms, frozenset(full), tuple(busy), probes, is_complete, versions_of)


def look(conn: Connection, asked: Plan) -> Found:
    """Read everything a plan asks for, in one snapshot."""
    found = Found()
    wants = _wants(conn, asked, found)
    by_due = [want for want in wants if asked.rooms[want.endpoint_id].read_by == "due"]
    if by_due:
        for due in stored.read_due(conn, by_due, asked.busy, asked.now):
            found.rows.setdefault(due.endpoint_id, []).append(due)
    for want in wants:
        kind = asked.rooms[want.endpoint_id].read_by
        if kind == "key":
            rows, found.after_keys[want.endpoint_id] = stored.read_heads(conn, want, asked.busy, asked.now)
            found.rows.setdefault(want.endpoint_id, []).extend(rows)
        elif kind == "number":
            found.rows.setdefault(want.endpoint_id, []).extend(stored.read_row(conn, want, asked.now))
    for endpoint_id, read_by in asked.probes.items():
        found.probes[endpoint_id] = _candidates(conn, endpoint_id, read_by)
    found.versions = read_versions(conn, asked.versions_of)
    for want in wants:
        if len(found.rows.get(want.endpoint_id, ())) >= want.most:
            found.more.add(want.endpoint_id)
    return found


def _wants(conn: Connection, asked: Plan, found: Found) -> list[Want]:
    if not asked.is_complete:
        return [
            Want(endpoint_id, queue, room.most, room.after_key)
            for endpoint_id, room in asked.rooms.items()
            for queue in (LIVE, REPLAYS)
        ]
    wants: list[Want] = []
    found.lanes = stored.due_lanes(conn)
    unknown: dict[str, None] = {}
    for lane in found.lanes:
        room = asked.rooms.get(lane.endpoint_id)
        if lane.due_at > asked.now:
            continue
        if room is not None:
            wants.append(Want(lane.endpoint_id, lane.queue, room.most, room.after_key))
        elif lane.endpoint_id not in asked.full:
            unknown[lane.endpoint_id] = None
    found.unknown = free_lanes(conn, list(unknown))
    return wants


def _candidates(conn: Connection, endpoint_id: str, read_by: ReadBy) -> list[Due]:
    """Deliveries to probe an endpoint with: live ones, or replays where there are none."""
    for queue in (LIVE, REPLAYS):
        rows = stored.read_probes(conn, Want(endpoint_id, queue, 3), read_by)
        if rows:
            return rows
    return []
