"""Phones, lines and what belongs to them, as lists and pages for people; every look-up is scoped by account in the query itself."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.devices import CONNECTION, DEVICE, GAP, NOTICE, STREAM
from hub.storage.lines import LINE
from hub.storage.schema.devices import DeviceEvent
from hub.storage.types import table_of

EVENT = table_of(DeviceEvent)


class DeviceInfo(NamedTuple):
    """A phone's columns that are shown, with how its current event stream stands."""

    id: str
    account_id: str
    name: str
    transport: str
    created_at: UtcMs
    enrolled_at: UtcMs
    revoked_at: UtcMs | None
    suspended_at: UtcMs | None
    suspended_reason: str | None
    paused_at: UtcMs | None
    is_online: bool
    online_since: UtcMs | None
    offline_since: UtcMs | None
    last_seen_at: UtcMs | None
    manufacturer: str | None
    model: str | None
    os_version: str | None
    app_version: str | None
    permissions: str
    status: str
    status_at: UtcMs | None
    is_sandbox: bool
    last_event_at: UtcMs | None
    complete_up_to: UtcMs | None
    clock_ahead_ms: int | None
    contiguous: int | None
    given_out: int | None
    beyond: str | None


_ON_DEVICE = DeviceInfo._fields[:22]
_ON_STREAM = DeviceInfo._fields[22:]
_DEVICES = select(*(DEVICE.c[name] for name in _ON_DEVICE), *(STREAM.c[name] for name in _ON_STREAM)).select_from(
    DEVICE.outerjoin(STREAM, and_(STREAM.c.device_id == DEVICE.c.id, STREAM.c.stream == DEVICE.c.stream))
)
_ACCOUNTS_DEVICES = _DEVICES.where(DEVICE.c.account_id == bindparam("account_id"))
_ONE_DEVICE = _ACCOUNTS_DEVICES.where(DEVICE.c.id == bindparam("device_id"))
_PAGE_OF_DEVICES = (
    _ACCOUNTS_DEVICES.where(
        DEVICE.c.id > bindparam("after"), or_(DEVICE.c.revoked_at.is_(None), bindparam("with_revoked"))
    )
    .order_by(DEVICE.c.id)
    .limit(bindparam("most"))
)
_HAS_DEVICE = select(DEVICE.c.id).where(
    DEVICE.c.account_id == bindparam("account_id"), DEVICE.c.id == bindparam("device_id")
)


def page_of_devices(
    conn: Connection, account_id: str, after: str, most: int, *, with_revoked: bool
) -> list[DeviceInfo]:
    """Phones of an account in id order, after the id `after`."""
    given = {"account_id": account_id, "after": after, "most": most, "with_revoked": with_revoked}
    return [DeviceInfo(*row) for row in conn.execute(_PAGE_OF_DEVICES, given)]


def find_device_info(conn: Connection, account_id: str, device_id: str) -> DeviceInfo | None:
    """One phone of an account."""
    row = conn.execute(_ONE_DEVICE, {"account_id": account_id, "device_id": device_id}).first()
    return None if row is None else DeviceInfo(*row)


def has_device(conn: Connection, account_id: str, device_id: str) -> bool:
    """Whether the phone is the account's."""
    return conn.execute(_HAS_DEVICE, {"account_id": account_id, "device_id": device_id}).first() is not None


# --- lines -----------------------------------------------------------------------------------------------------------------


class LineInfo(NamedTuple):
    """A line's columns that are shown, with its phone's name."""

    id: str
    account_id: str
    name: str
    alias: str | None
    pool: str | None
    number: str | None
    mark: int
    device_id: str | None
    subscription_id: int | None
    slot: int | None
    carrier: str | None
    fingerprint: str | None
    is_present: bool
    is_enabled: bool
    paused_until: UtcMs | None
    paused_reason: str | None
    awaiting_confirmation: bool
    per_minute: int
    per_hour: int | None
    per_day: int | None
    per_month: int | None
    created_at: UtcMs
    removed_at: UtcMs | None
    device_name: str | None
    is_device_online: bool
    is_sandbox: bool
    sends_mms: bool


_LINES: Select[Any] = select(
    *(LINE.c[name] for name in LineInfo._fields[:-4]),
    DEVICE.c.name,
    func.coalesce(DEVICE.c.is_online, False),
    func.coalesce(DEVICE.c.is_sandbox, False),
    func.coalesce(DEVICE.c.sends_mms, False),
).select_from(LINE.outerjoin(DEVICE, DEVICE.c.id == LINE.c.device_id))
_ACCOUNTS_LINES = _LINES.where(LINE.c.account_id == bindparam("account_id"))
_LINES_OF_ACCOUNT = _ACCOUNTS_LINES.where(or_(LINE.c.removed_at.is_(None), bindparam("with_removed"))).order_by(
    LINE.c.mark
)
_LINES_OF_DEVICES = _ACCOUNTS_LINES.where(
    LINE.c.removed_at.is_(None), one_of(LINE.c.device_id, texts("device_ids"))
).order_by(LINE.c.slot, LINE.c.mark)
_ONE_LINE = _ACCOUNTS_LINES.where(LINE.c.id == bindparam("line_id"))


def _line_infos(rows: Any) -> list[LineInfo]:
    return [LineInfo(*row) for row in rows]


def lines_of(conn: Connection, account_id: str, *, with_removed: bool = False) -> list[LineInfo]:
    """An account's lines in the order they were made."""
    return _line_infos(conn.execute(_LINES_OF_ACCOUNT, {"account_id": account_id, "with_removed": with_removed}))


def lines_in_phones(conn: Connection, account_id: str, device_ids: Collection[str]) -> list[LineInfo]:
    """The lines of these phones, by slot."""
    if not device_ids:
        return []
    return _line_infos(conn.execute(_LINES_OF_DEVICES, {"account_id": account_id, "device_ids": sorted(device_ids)}))


def find_line_info(conn: Connection, account_id: str, line_id: str) -> LineInfo | None:
    """One line of an account, removed or not."""
    row = conn.execute(_ONE_LINE, {"account_id": account_id, "line_id": line_id}).first()
    return None if row is None else LineInfo(*row)


# --- what happened to a phone ------------------------------------------------------------------------------------------------

_GAP_COUNTS = (
    select(GAP.c.device_id, func.count()).where(one_of(GAP.c.device_id, texts("device_ids"))).group_by(GAP.c.device_id)
)
_QUARANTINE_COUNTS = (
    select(EVENT.c.device_id, func.count())
    .where(one_of(EVENT.c.device_id, texts("device_ids")), EVENT.c.outcome == "quarantined")
    .group_by(EVENT.c.device_id)
)
_CONNECTIONS = (
    select(
        CONNECTION.c.session_no,
        CONNECTION.c.connected_at,
        CONNECTION.c.closed_at,
        CONNECTION.c.close_reason,
        CONNECTION.c.node,
    )
    .where(
        CONNECTION.c.account_id == bindparam("account_id"),
        CONNECTION.c.device_id == bindparam("device_id"),
        CONNECTION.c.session_no < bindparam("before"),
    )
    .order_by(CONNECTION.c.session_no.desc())
    .limit(bindparam("most"))
)
_GAPS = (
    select(GAP.c.id, GAP.c.stream, GAP.c.first_n, GAP.c.last_n, GAP.c.reason, GAP.c.at)
    .where(
        GAP.c.account_id == bindparam("account_id"),
        GAP.c.device_id == bindparam("device_id"),
        GAP.c.id < bindparam("before"),
    )
    .order_by(GAP.c.id.desc())
    .limit(bindparam("most"))
)
_NOTICES = select(NOTICE.c.id, NOTICE.c.device_id, NOTICE.c.kind, NOTICE.c.text, NOTICE.c.at).where(
    NOTICE.c.account_id == bindparam("account_id"), NOTICE.c.id < bindparam("before")
)
_NEWEST_NOTICES = _NOTICES.order_by(NOTICE.c.id.desc()).limit(bindparam("most"))
_NOTICES_OF_DEVICE = _NEWEST_NOTICES.where(NOTICE.c.device_id == bindparam("device_id"))
_QUARANTINED = (
    select(EVENT.c.uuid, EVENT.c.type, EVENT.c.n, EVENT.c.at, EVENT.c.received_at, EVENT.c.why, EVENT.c.payload)
    .where(
        EVENT.c.account_id == bindparam("account_id"),
        EVENT.c.device_id == bindparam("device_id"),
        EVENT.c.outcome == "quarantined",
    )
    .order_by(EVENT.c.received_at.desc(), EVENT.c.n.desc())
    .limit(bindparam("most"))
)

_RECENT_CONNECTIONS = (
    select(CONNECTION.c.device_id, func.count())
    .where(one_of(CONNECTION.c.device_id, texts("device_ids")), CONNECTION.c.connected_at >= bindparam("since"))
    .group_by(CONNECTION.c.device_id)
)

LAST_ID = "~"
"""Above every id."""


def gap_counts(conn: Connection, device_ids: Collection[str]) -> dict[str, int]:
    """How many gaps each of these phones has."""
    return {row[0]: row[1] for row in conn.execute(_GAP_COUNTS, {"device_ids": sorted(device_ids)})}


def connection_counts(conn: Connection, device_ids: Collection[str], since: UtcMs) -> dict[str, int]:
    """How often each of these phones has connected since then."""
    found = conn.execute(_RECENT_CONNECTIONS, {"device_ids": sorted(device_ids), "since": since})
    return {row[0]: row[1] for row in found}


def quarantine_counts(conn: Connection, device_ids: Collection[str]) -> dict[str, int]:
    """How many quarantined events are kept of each of these phones."""
    return {row[0]: row[1] for row in conn.execute(_QUARANTINE_COUNTS, {"device_ids": sorted(device_ids)})}


def connections_of(conn: Connection, account_id: str, device_id: str, before: int, most: int) -> list[Row[Any]]:
    """(session number, connected, closed, reason, node), newest first."""
    given = {"account_id": account_id, "device_id": device_id, "before": before, "most": most}
    return list(conn.execute(_CONNECTIONS, given))


def gaps_of(conn: Connection, account_id: str, device_id: str, before: str, most: int) -> list[Row[Any]]:
    """(id, stream, first, last, reason, at), newest first."""
    given = {"account_id": account_id, "device_id": device_id, "before": before, "most": most}
    return list(conn.execute(_GAPS, given))


def notices_of(conn: Connection, account_id: str, device_id: str | None, before: str, most: int) -> list[Row[Any]]:
    """(id, device, kind, text, at), newest first; of one phone or of all."""
    given = {"account_id": account_id, "before": before, "most": most}
    if device_id is None:
        return list(conn.execute(_NEWEST_NOTICES, given))
    return list(conn.execute(_NOTICES_OF_DEVICE, {**given, "device_id": device_id}))


def quarantined_of(conn: Connection, account_id: str, device_id: str, most: int) -> list[Row[Any]]:
    """(uuid, type, n, at, received at, why, payload), newest first."""
    return list(conn.execute(_QUARANTINED, {"account_id": account_id, "device_id": device_id, "most": most}))
