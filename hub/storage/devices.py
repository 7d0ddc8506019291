"""Phones: the rows as the use cases hold them, and the statements that load and write them.

Whatever writes for a phone locks its row first, in id order, so that its connection number cannot change meanwhile and two
writers never wait for each other in a circle. Statements are built here once; lists are one parameter (`hub.storage.arrays`).
"""

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, case, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert, BulkUpdate
from hub.storage.direct import fetch
from hub.storage.schema.devices import Device, DeviceConnection, DeviceGap, DeviceNotice, DeviceStream
from hub.storage.types import table_of

DEVICE = table_of(Device)
STREAM = table_of(DeviceStream)
GAP = table_of(DeviceGap)
NOTICE = table_of(DeviceNotice)
CONNECTION = table_of(DeviceConnection)


class DeviceRow(msgspec.Struct):
    """A stored phone, field by field as in `hub.storage.schema.devices.Device`."""

    id: str
    account_id: str
    name: str
    created_at: UtcMs
    enrolled_at: UtcMs
    transport: str = "native"
    secret_sha256: str | None = None
    former_secret_sha256: str | None = None
    nonce: str | None = None
    nonce_before: str | None = None
    nonce_epoch: str | None = None
    credential_no: int = 1
    revoked_at: UtcMs | None = None
    suspended_at: UtcMs | None = None
    suspended_reason: str | None = None
    paused_at: UtcMs | None = None
    session_no: int = 0
    connect_counter: int = 0
    hub_epoch_seen: str | None = None
    stream: str | None = None
    recalled_epoch: str | None = None
    is_online: bool = False
    online_since: UtcMs | None = None
    offline_since: UtcMs | None = None
    offline_reason: str | None = None
    is_announced: bool = False
    pinged_at: UtcMs | None = None
    last_seen_at: UtcMs | None = None
    quiet_seconds: int | None = None
    manufacturer: str | None = None
    model: str | None = None
    os_version: str | None = None
    app_version: str | None = None
    permissions: str = "{}"
    status: str = "{}"
    status_at: UtcMs | None = None
    settings: str = "{}"
    is_sandbox: bool = False
    sends_mms: bool = False


_NAMES = DeviceRow.__struct_fields__
_COLUMNS = tuple(DEVICE.c[name] for name in _NAMES)
_CHANGING = tuple(name for name in _NAMES if name not in ("id", "account_id", "transport", "created_at"))
_NONCE = ("nonce", "nonce_before", "nonce_epoch")
_PRESENCE = (
    "is_online",
    "online_since",
    "offline_since",
    "offline_reason",
    "is_announced",
    "pinged_at",
    "last_seen_at",
)
_HELLO = (
    *_PRESENCE,
    "session_no",
    "connect_counter",
    "hub_epoch_seen",
    "stream",
    "manufacturer",
    "model",
    "os_version",
    "app_version",
    "permissions",
    "settings",
    "sends_mms",
)


_IDS = one_of(DEVICE.c.id, texts("ids"))
_LOCK = select(*_COLUMNS).where(_IDS).order_by(DEVICE.c.id).with_for_update()
_LOCK_BY_SECRET = (
    select(*_COLUMNS)
    .where(DEVICE.c.account_id == bindparam("account_id"), one_of(DEVICE.c.secret_sha256, texts("secrets")))
    .order_by(DEVICE.c.id)
    .with_for_update()
)
_INSERT = insert(DEVICE)


class _Write:
    """Writes some columns of phones whose locks the caller holds."""

    def __init__(self, names: Sequence[str]) -> None:
        self._update = BulkUpdate(DEVICE, names, ["id"])
        self._values_of = attrgetter(*names, "id")

    def run(self, conn: Connection, rows: Iterable[DeviceRow]) -> None:
        self._update.run(conn, [self._values_of(row) for row in rows])


_WRITE = _Write(_CHANGING)
_WRITE_NONCE = _Write(_NONCE)
_WRITE_PRESENCE = _Write(_PRESENCE)
_WRITE_HELLO = _Write(_HELLO)
_SESSIONS = select(DEVICE.c.id, DEVICE.c.account_id, DEVICE.c.session_no).where(_IDS)


def _device(row: Sequence[Any]) -> DeviceRow:
    return DeviceRow(*row)


def lock_devices(conn: Connection, ids: Collection[str]) -> dict[str, DeviceRow]:
    """The phones with these ids, by id, locked until the transaction ends."""
    if not ids:
        return {}
    return {row[0]: _device(row) for row in fetch(conn, _LOCK, {"ids": sorted(ids)})}


def lock_devices_by_secret(conn: Connection, account_id: str, secrets_sha256: Collection[str]) -> list[DeviceRow]:
    """The account's phones whose secret has one of these hashes, locked."""
    rows = conn.execute(_LOCK_BY_SECRET, {"account_id": account_id, "secrets": sorted(secrets_sha256)})
    return [_device(row) for row in rows]


def insert_devices(conn: Connection, rows: Iterable[DeviceRow]) -> None:
    """Store new phones."""
    values = [msgspec.structs.asdict(row) for row in rows]
    if values:
        conn.execute(_INSERT, values)


def write_devices(conn: Connection, rows: Iterable[DeviceRow]) -> None:
    """Write everything that can change of these phones; the caller holds their locks."""
    _WRITE.run(conn, rows)


def write_nonces(conn: Connection, rows: Iterable[DeviceRow]) -> None:
    """Write only how far these phones' token nonces are."""
    _WRITE_NONCE.run(conn, rows)


def write_presence(conn: Connection, rows: Iterable[DeviceRow]) -> None:
    """Write only whether these phones are there, and what was told of it."""
    _WRITE_PRESENCE.run(conn, rows)


def write_hellos(conn: Connection, rows: Iterable[DeviceRow]) -> None:
    """Write what a hello changes of these phones."""
    _WRITE_HELLO.run(conn, rows)


# --- what is written without a lock: it only ever moves on, and only for the session it names ------------------------------


class Sighting(msgspec.Struct, frozen=True):
    """A connected phone was heard at `at`; with its last `status` frame when there is a new one."""

    device_id: str
    session_no: int
    at: UtcMs
    status: str | None = None
    """JSON, with `status_at` = `at`."""
    permissions: str | None = None
    """JSON; None leaves them as they are."""


_SAME_SESSION: tuple[ColumnElement[bool], ...] = (
    DEVICE.c.id == bindparam("b_id"),
    DEVICE.c.session_no == bindparam("b_session_no"),
)
_IS_BACK = or_(DEVICE.c.offline_since.is_(None), DEVICE.c.offline_since < bindparam("b_at"))
"""Heard after it was taken for gone: only its process was away from the database. A goodbye is never older than the last word."""
_ALIVE = {
    "last_seen_at": bindparam("b_at"),
    "is_online": case((_IS_BACK, True), else_=DEVICE.c.is_online),
    "online_since": case(
        (_IS_BACK, func.coalesce(DEVICE.c.online_since, bindparam("b_at"))), else_=DEVICE.c.online_since
    ),
}
_SEEN = update(DEVICE).where(*_SAME_SESSION).values(_ALIVE)
_SEEN_WITH_STATUS = (
    update(DEVICE)
    .where(*_SAME_SESSION)
    .values(
        {
            **_ALIVE,
            "status_at": bindparam("b_at"),
            "status": bindparam("b_status"),
            "permissions": func.coalesce(
                bindparam("b_permissions", type_=DEVICE.c.permissions.type), DEVICE.c.permissions
            ),
        }
    )
)


def write_sightings(conn: Connection, sightings: Collection[Sighting]) -> None:
    """Write when phones were last heard, in id order; a phone that has another session by now is left alone."""
    plain, full = [], []
    for seen in sorted(sightings, key=lambda item: item.device_id):
        values: dict[str, Any] = {"b_id": seen.device_id, "b_session_no": seen.session_no, "b_at": seen.at}
        if seen.status is None:
            plain.append(values)
        else:
            full.append({**values, "b_status": seen.status, "b_permissions": seen.permissions})
    if plain:
        conn.execute(_SEEN, plain)
    if full:
        conn.execute(_SEEN_WITH_STATUS, full)


# --- presence --------------------------------------------------------------------------------------------------------------

_STALE = (
    select(*_COLUMNS)
    .where(DEVICE.c.is_online, DEVICE.c.last_seen_at < bindparam("before"))
    .where(
        DEVICE.c.quiet_seconds.is_(None) | (DEVICE.c.last_seen_at < bindparam("now") - DEVICE.c.quiet_seconds * 1000)
    )
    .order_by(DEVICE.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_UNANNOUNCED = (
    select(*_COLUMNS)
    .where(DEVICE.c.is_announced, ~DEVICE.c.is_online, DEVICE.c.offline_since <= bindparam("before"))
    .order_by(DEVICE.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_UNANNOUNCED_BACK = (
    select(*_COLUMNS)
    .where(DEVICE.c.is_online, ~DEVICE.c.is_announced)
    .order_by(DEVICE.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_PING_DUE = (
    select(*_COLUMNS)
    .where(DEVICE.c.is_online, DEVICE.c.pinged_at <= bindparam("before"))
    .order_by(DEVICE.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_HOLDS_CONNECTION = (DEVICE.c.is_online, DEVICE.c.quiet_seconds.is_(None))
_IS_ONLINE = select(*_COLUMNS).where(*_HOLDS_CONNECTION).order_by(DEVICE.c.id).with_for_update()
_OPEN_UNDER = (
    select(CONNECTION.c.device_id)
    .where(CONNECTION.c.node == bindparam("node"), CONNECTION.c.closed_at.is_(None))
    .where(CONNECTION.c.session_no == DEVICE.c.session_no)
    .correlate(DEVICE)
)
_IS_ONLINE_UNDER = (
    select(*_COLUMNS).where(*_HOLDS_CONNECTION, DEVICE.c.id.in_(_OPEN_UNDER)).order_by(DEVICE.c.id).with_for_update()
)


def lock_stale(conn: Connection, before: UtcMs, most: int, *, now: UtcMs) -> list[DeviceRow]:
    """Phones that count as online and were not heard since `before`: the process that held their sockets has died.

    One that only asks from time to time has its own, longer time.
    """
    return [_device(row) for row in conn.execute(_STALE, {"before": before, "most": most, "now": now})]


def lock_unannounced(conn: Connection, before: UtcMs, most: int) -> list[DeviceRow]:
    """Phones offline since `before` or longer whose customers still believe them online."""
    return [_device(row) for row in conn.execute(_UNANNOUNCED, {"before": before, "most": most})]


def lock_unannounced_back(conn: Connection, most: int) -> list[DeviceRow]:
    """Online phones that customers were told are away: they had been taken for gone, and were not."""
    return [_device(row) for row in conn.execute(_UNANNOUNCED_BACK, {"most": most})]


def lock_ping_due(conn: Connection, before: UtcMs, most: int) -> list[DeviceRow]:
    """Online phones whose last `system:ping` is not younger than `before`."""
    return [_device(row) for row in conn.execute(_PING_DUE, {"before": before, "most": most})]


def lock_connected_to(conn: Connection, node: str | None) -> list[DeviceRow]:
    """Online phones whose current connection stands open under this node's name; None = any name. Those without one are not among them."""
    rows = conn.execute(_IS_ONLINE) if node is None else conn.execute(_IS_ONLINE_UNDER, {"node": node})
    return [_device(row) for row in rows]


def sessions_of(conn: Connection, ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Account and current session number of these phones."""
    return {row[0]: (row[1], row[2]) for row in conn.execute(_SESSIONS, {"ids": sorted(ids)})}


_UNRECALLED = (
    select(DEVICE.c.id)
    .where(
        DEVICE.c.transport == "native",
        DEVICE.c.revoked_at.is_(None),
        DEVICE.c.suspended_at.is_(None),
        DEVICE.c.secret_sha256.is_not(None),
        DEVICE.c.recalled_epoch.is_distinct_from(bindparam("hub_epoch")),
    )
    .limit(1)
)
_ONLINE_IDS = select(DEVICE.c.id).where(DEVICE.c.is_online)


def is_somebody_unrecalled(conn: Connection, hub_epoch: str) -> bool:
    """Whether a phone that may connect has not told yet what it did in the life of the hub that a restore forgot."""
    return conn.execute(_UNRECALLED, {"hub_epoch": hub_epoch}).first() is not None


def online_ids(conn: Connection) -> list[str]:
    """Every phone that counts as online."""
    return [row[0] for row in conn.execute(_ONLINE_IDS)]


# --- connections -----------------------------------------------------------------------------------------------------------


class ConnectionRow(NamedTuple):
    """One connection of a phone (`hub.storage.schema.devices.DeviceConnection`)."""

    device_id: str
    session_no: int
    account_id: str
    connected_at: UtcMs
    node: str


_INSERT_CONNECTION = BulkInsert(CONNECTION, ConnectionRow._fields)
_CLOSE_CONNECTION = BulkUpdate(
    CONNECTION, ("closed_at", "close_reason"), ("device_id", "session_no"), while_null="closed_at"
)


def insert_connections(conn: Connection, rows: Sequence[ConnectionRow]) -> None:
    """Note new connections; the one before, where it is still open, ends as superseded.

    Only the one before can be: each one ends its own. Looking for any that is open would read every connection the phone ever had.
    """
    close_connections(conn, [(row.device_id, row.session_no - 1, row.connected_at, "superseded") for row in rows])
    _INSERT_CONNECTION.run(conn, rows)


def close_connections(conn: Connection, closings: Sequence[tuple[str, int, UtcMs, str]]) -> None:
    """Note ends: (device, session number, when, why). One that has ended keeps its first reason."""
    # The first of two ends of one connection is written last here, and stands.
    rows = {(device_id, session_no): (at, reason) for device_id, session_no, at, reason in reversed(closings)}
    _CLOSE_CONNECTION.run(conn, [(*end, *connection) for connection, end in rows.items()])


# --- notices and gaps ------------------------------------------------------------------------------------------------------


class NoticeRow(msgspec.Struct, frozen=True):
    """What an operator must know (`hub.storage.schema.devices.DeviceNotice`)."""

    id: str
    account_id: str
    device_id: str
    kind: str
    text: str
    at: UtcMs


class GapRow(msgspec.Struct, frozen=True):
    """Numbers that no event will come for (`hub.storage.schema.devices.DeviceGap`)."""

    id: str
    account_id: str
    device_id: str
    stream: str
    first_n: int
    last_n: int
    reason: str
    at: UtcMs


_INSERT_NOTICE = insert(NOTICE)
_INSERT_GAP = insert(GAP)


def insert_notices(conn: Connection, rows: Sequence[NoticeRow]) -> None:
    """Store notices."""
    if rows:
        conn.execute(_INSERT_NOTICE, [msgspec.structs.asdict(row) for row in rows])


def insert_gaps(conn: Connection, rows: Sequence[GapRow]) -> None:
    """Store gaps."""
    if rows:
        conn.execute(_INSERT_GAP, [msgspec.structs.asdict(row) for row in rows])
