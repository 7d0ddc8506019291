"""The event streams of phones: where each one stands, and every event as it came."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, TextClause, and_, bindparam, delete, select, text, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert, BulkUpdate
from hub.storage.devices import DEVICE, STREAM
from hub.storage.direct import fetch
from hub.storage.schema.devices import DeviceEvent
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

EVENT = table_of(DeviceEvent)


class StreamRow(msgspec.Struct):
    """Where a stream stands (`hub.storage.schema.devices.DeviceStream`); `beyond` is its JSON."""

    device_id: str
    stream: str
    account_id: str
    contiguous: int
    contiguous_uuid: str | None
    given_out: int
    received: int
    asked: int
    beyond: str
    used_no: int
    last_event_at: UtcMs | None
    complete_up_to: UtcMs | None
    clock_ahead_ms: int | None
    created_at: UtcMs


class Progress(NamedTuple):
    """A phone as a batch of its events needs it: who it is, which connection counts, and its current stream, if it has one."""

    device_id: str
    account_id: str
    session_no: int
    stream: StreamRow | None


_STREAM_NAMES = StreamRow.__struct_fields__
_STREAM_COLUMNS = tuple(STREAM.c[name] for name in _STREAM_NAMES)
_CHANGING = (
    "contiguous",
    "contiguous_uuid",
    "given_out",
    "received",
    "asked",
    "beyond",
    "used_no",
    "last_event_at",
    "complete_up_to",
    "clock_ahead_ms",
)

_LOCK_PROGRESS = (
    select(DEVICE.c.id, DEVICE.c.account_id, DEVICE.c.session_no, *_STREAM_COLUMNS)
    .select_from(DEVICE.outerjoin(STREAM, and_(STREAM.c.device_id == DEVICE.c.id, STREAM.c.stream == DEVICE.c.stream)))
    .where(one_of(DEVICE.c.id, texts("ids")))
    .order_by(DEVICE.c.id)
    .with_for_update(of=DEVICE)
)
_STREAMS = (
    select(*_STREAM_COLUMNS)
    .where(one_of(STREAM.c.device_id, texts("ids")))
    .order_by(STREAM.c.used_no, STREAM.c.created_at)
)
_WRITE_STREAM = BulkUpdate(STREAM, _CHANGING, ["device_id", "stream"])
_stream_of = attrgetter(*_CHANGING, "device_id", "stream")
_FORGET_STREAM = delete(STREAM).where(
    STREAM.c.device_id == bindparam("b_device_id"), STREAM.c.stream == bindparam("b_stream")
)


_PUT_STREAM = BulkInsert(
    STREAM,
    _STREAM_NAMES,
    on_conflict="on conflict (device_id, stream) do update set "
    + ", ".join(f"{name} = excluded.{name}" for name in _CHANGING),
)


def lock_progress(conn: Connection, ids: Collection[str]) -> dict[str, Progress]:
    """These phones with their current streams, their rows locked."""
    return {
        row[0]: Progress(row[0], row[1], row[2], StreamRow(*row[3:]) if row[3] is not None else None)
        for row in fetch(conn, _LOCK_PROGRESS, {"ids": sorted(ids)})
    }


def streams_of(conn: Connection, ids: Collection[str]) -> dict[str, list[StreamRow]]:
    """All remembered streams of these phones, the one used last at the end. Call with the phones locked."""
    found: dict[str, list[StreamRow]] = {}
    if ids:
        for row in fetch(conn, _STREAMS, {"ids": sorted(ids)}):
            found.setdefault(row[0], []).append(StreamRow(*row))
    return found


def write_streams(conn: Connection, rows: Iterable[StreamRow]) -> None:
    """Write where existing streams stand."""
    _WRITE_STREAM.run(conn, [_stream_of(row) for row in rows])


def put_streams(conn: Connection, rows: Sequence[StreamRow]) -> None:
    """Write streams, new ones among them."""
    _PUT_STREAM.run(conn, [msgspec.structs.astuple(row) for row in rows])


def forget_streams(conn: Connection, streams: Sequence[tuple[str, str]]) -> None:
    """Forget (device, stream) pairs."""
    if streams:
        conn.execute(_FORGET_STREAM, [{"b_device_id": device, "b_stream": stream} for device, stream in streams])


# --- events ----------------------------------------------------------------------------------------------------------------


class EventRow(NamedTuple):
    """One event of a phone (`hub.storage.schema.devices.DeviceEvent`)."""

    device_id: str
    uuid: str
    account_id: str
    stream: str
    n: int
    type: str
    at: UtcMs
    received_at: UtcMs
    outcome: str
    why: str | None
    message_id: str | None
    payload: str
    raw: str | None
    fingerprint: str | None = None


# Pair by pair: two lists side by side would be looked up crosswise, each phone with the uuids of all.
_KNOWN: Mapping[DialectName, TextClause] = {
    "sqlite": text(
        """select e.device_id, e.uuid from json_each(:pairs) w join device_event e
on e.device_id = json_extract(w.value, '$[0]') and e.uuid = json_extract(w.value, '$[1]')"""
    ),
    "postgresql": text(
        """select e.device_id, e.uuid from unnest(cast(:ids as text[]), cast(:uuids as text[])) w(device_id, uuid)
join device_event e on e.device_id = w.device_id and e.uuid = w.uuid"""
    ),
}
_encoder = msgspec.json.Encoder()
_INSERT = BulkInsert(EVENT, EventRow._fields)
_DEFERRED = (
    select(*(EVENT.c[name] for name in EventRow._fields))
    .where(EVENT.c.outcome == "deferred")
    .order_by(EVENT.c.received_at, EVENT.c.device_id, EVENT.c.n)
    .limit(bindparam("most"))
)
_JUDGE = (
    update(EVENT)
    .where(EVENT.c.device_id == bindparam("b_device_id"), EVENT.c.uuid == bindparam("b_uuid"))
    .values(outcome=bindparam("b_outcome"), why=bindparam("b_why"), message_id=bindparam("b_message_id"))
)


def known_events(tx: Tx, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (device, uuid) pairs are stored. Call with the phones locked: then nobody else stores one."""
    if not pairs:
        return set()
    if tx.dialect == "sqlite":
        given: dict[str, Any] = {"pairs": _encoder.encode(sorted(pairs)).decode()}
    else:
        given = {"ids": [device_id for device_id, _ in pairs], "uuids": [uuid for _, uuid in pairs]}
    return {(row[0], row[1]) for row in fetch(tx.conn, _KNOWN[tx.dialect], given)}


_KNOWN_FINGERPRINTS = select(EVENT.c.device_id, EVENT.c.fingerprint).where(
    one_of(EVENT.c.device_id, texts("ids")),
    one_of(EVENT.c.fingerprint, texts("fingerprints")),
    EVENT.c.fingerprint.is_not(None),
)


def known_fingerprints(conn: Connection, ids: Collection[str], fingerprints: Collection[str]) -> set[tuple[str, str]]:
    """Which (device, fingerprint) pairs of these are stored. Call with the phones locked."""
    if not fingerprints:
        return set()
    given = {"ids": sorted(ids), "fingerprints": sorted(fingerprints)}
    return {(row[0], row[1]) for row in conn.execute(_KNOWN_FINGERPRINTS, given)}


def insert_events(conn: Connection, rows: Sequence[EventRow]) -> None:
    """Store events whose uuids are new."""
    _INSERT.run(conn, rows)


def deferred_events(conn: Connection, most: int) -> list[EventRow]:
    """Reports that wait for the end of the hold, in the order they came."""
    return [EventRow(*row) for row in conn.execute(_DEFERRED, {"most": most})]


def judge_events(conn: Connection, judged: Sequence[tuple[str, str, str, str | None, str | None]]) -> None:
    """Write (device, uuid, outcome, why, message) of events that were deferred."""
    keys = ("b_device_id", "b_uuid", "b_outcome", "b_why", "b_message_id")
    if judged:
        conn.execute(_JUDGE, [dict(zip(keys, item, strict=True)) for item in judged])
