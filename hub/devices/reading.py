"""Phones, lines and codes as pages and single views, for REST and the dashboard. A foreign or unknown id is None."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from device_protocol.frames import Status
from hub.accounts.settings import read_settings
from hub.core.clock import UtcMs
from hub.core.pacing import HOUR_MS, MINUTE_MS, day_start, month_start
from hub.devices.app_guide import caveats_of
from hub.devices.lines import candidates_among
from hub.devices.risks import risks_of
from hub.devices.views import (
    ConnectionView,
    DevicePage,
    DeviceState,
    DeviceView,
    EnrolmentView,
    GapView,
    LineView,
    NoticeView,
    QuarantinedView,
    enrolment_view,
)
from hub.messages.lines import utc_offset
from hub.storage import devices_reading as stored
from hub.storage.devices_enrolment import find_enrolment_row, page_of_enrolments
from hub.storage.devices_reading import LAST_ID, DeviceInfo, LineInfo
from hub.storage.messages_lines import settings_of
from hub.storage.usage import usage_since

MOST = 500
"""Rows of one page."""

_status_decoder = msgspec.json.Decoder(Status)
_permissions_decoder = msgspec.json.Decoder(dict[str, bool])
_beyond_decoder = msgspec.json.Decoder(list[tuple[int, str | None, int | None]])


def list_devices(
    conn: Connection,
    account_id: str,
    *,
    now: UtcMs,
    include_revoked: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> DevicePage:
    """A page of the account's phones, each with its lines and risks."""
    most = min(limit, MOST)
    found = stored.page_of_devices(conn, account_id, after or "", most + 1, with_revoked=include_revoked)
    views = _device_views(conn, account_id, found[:most], now)
    return DevicePage(tuple(views), found[most - 1].id if len(found) > most else None)


def find_device(conn: Connection, account_id: str, device_id: str, *, now: UtcMs) -> DeviceView | None:
    """One phone."""
    info = stored.find_device_info(conn, account_id, device_id)
    return None if info is None else _device_views(conn, account_id, [info], now)[0]


def list_lines(
    conn: Connection, account_id: str, *, now: UtcMs, device_id: str | None = None, include_removed: bool = False
) -> tuple[LineView, ...]:
    """The account's lines in the order they were made, or those of one phone by slot."""
    if device_id is None:
        infos = stored.lines_of(conn, account_id, with_removed=include_removed)
    else:
        infos = stored.lines_in_phones(conn, account_id, [device_id])
    return tuple(_line_views(conn, account_id, infos, now))


def find_line(conn: Connection, account_id: str, line_id: str, *, now: UtcMs) -> LineView | None:
    """One line."""
    info = stored.find_line_info(conn, account_id, line_id)
    return None if info is None else _line_views(conn, account_id, [info], now)[0]


def list_connections(
    conn: Connection, account_id: str, device_id: str, *, before: int | None = None, limit: int = 50
) -> tuple[ConnectionView, ...] | None:
    """A phone's connections, newest first; `before` is the session number of the last one seen."""
    if not stored.has_device(conn, account_id, device_id):
        return None
    rows = stored.connections_of(conn, account_id, device_id, before or 2**62, min(limit, MOST))
    return _each(ConnectionView, rows)


def list_gaps(
    conn: Connection, account_id: str, device_id: str, *, after: str | None = None, limit: int = 100
) -> tuple[GapView, ...] | None:
    """A phone's gaps, newest first."""
    if not stored.has_device(conn, account_id, device_id):
        return None
    return _each(GapView, stored.gaps_of(conn, account_id, device_id, after or LAST_ID, min(limit, MOST)))


def list_notices(
    conn: Connection, account_id: str, *, device_id: str | None = None, after: str | None = None, limit: int = 100
) -> tuple[NoticeView, ...] | None:
    """Notices of one phone or of all, newest first."""
    if device_id is not None and not stored.has_device(conn, account_id, device_id):
        return None
    return _each(NoticeView, stored.notices_of(conn, account_id, device_id, after or LAST_ID, min(limit, MOST)))


def list_quarantined(
    conn: Connection, account_id: str, device_id: str, *, limit: int = 100
) -> tuple[QuarantinedView, ...] | None:
    """Events of a phone that could not be read, newest first, as they came."""
    if not stored.has_device(conn, account_id, device_id):
        return None
    return _each(QuarantinedView, stored.quarantined_of(conn, account_id, device_id, min(limit, MOST)))


def list_enrolments(
    conn: Connection, account_id: str, *, now: UtcMs, after: str | None = None, limit: int = 100
) -> tuple[EnrolmentView, ...]:
    """The account's codes, newest first."""
    return tuple(enrolment_view(row, now) for row in page_of_enrolments(conn, account_id, after, min(limit, MOST)))


def find_enrolment(conn: Connection, account_id: str, enrolment_id: str, *, now: UtcMs) -> EnrolmentView | None:
    """One code: whether it was used, and by which phone."""
    row = find_enrolment_row(conn, account_id, enrolment_id)
    return None if row is None else enrolment_view(row, now)


# --- making views ------------------------------------------------------------------------------------------------------------


def _each(kind: type[Any], rows: Sequence[Any]) -> tuple[Any, ...]:
    names = kind.__struct_fields__
    return tuple(kind(**dict(zip(names, row, strict=True))) for row in rows)


def _device_views(conn: Connection, account_id: str, infos: Sequence[DeviceInfo], now: UtcMs) -> list[DeviceView]:
    ids = [info.id for info in infos]
    if not ids:
        return []
    lines: dict[str | None, list[LineView]] = {}
    for line in _line_views(conn, account_id, stored.lines_in_phones(conn, account_id, ids), now):
        lines.setdefault(line.device_id, []).append(line)
    gaps, quarantined = stored.gap_counts(conn, ids), stored.quarantine_counts(conn, ids)
    connected = stored.connection_counts(conn, ids, now - HOUR_MS)
    views = []
    for info in infos:
        own = tuple(lines.get(info.id, ()))
        view = _device_view(info, own, gaps.get(info.id, 0), quarantined.get(info.id, 0))
        view = msgspec.structs.replace(view, recent_connections=connected.get(info.id, 0))
        views.append(msgspec.structs.replace(view, risks=risks_of(view, own, now)))
    return views


def _device_view(info: DeviceInfo, lines: tuple[LineView, ...], gaps: int, quarantined: int) -> DeviceView:
    status = read_status(info.status)
    return DeviceView(
        id=info.id,
        account_id=info.account_id,
        name=info.name,
        transport=info.transport,
        state=_state_of(info),
        is_online=info.is_online,
        online_since=info.online_since if info.is_online else None,
        offline_since=None if info.is_online else info.offline_since,
        last_seen_at=info.last_seen_at,
        last_event_at=info.last_event_at,
        complete_up_to=info.complete_up_to,
        clock_ahead_ms=info.clock_ahead_ms,
        created_at=info.created_at,
        enrolled_at=info.enrolled_at,
        revoked_at=info.revoked_at,
        suspended_at=info.suspended_at,
        suspended_reason=info.suspended_reason,
        paused_at=info.paused_at,
        manufacturer=info.manufacturer,
        model=info.model,
        os_version=info.os_version,
        app_version=info.app_version,
        permissions=_permissions_decoder.decode(info.permissions),
        battery_percent=status.battery_percent,
        is_charging=status.is_charging,
        signal_percent=status.signal_percent,
        queued_events=status.queued_events if info.status_at is not None else None,
        queued_jobs=status.queued_jobs if info.status_at is not None else None,
        status_at=info.status_at,
        quarantined_events=quarantined,
        missing_events=_missing(info),
        open_gaps=gaps,
        is_sandbox=info.is_sandbox,
        lines=lines,
        caveats=caveats_of(info.transport),
    )


def read_status(stored_json: str) -> Status:
    """The last `status` frame as it was stored; an empty one when there was none."""
    return Status() if stored_json == "{}" else _status_decoder.decode(stored_json)


def _missing(info: DeviceInfo) -> int:
    if info.contiguous is None or info.given_out is None or info.given_out <= info.contiguous:
        return 0
    return info.given_out - info.contiguous - len(_beyond_decoder.decode(info.beyond or "[]"))


def _state_of(info: DeviceInfo) -> DeviceState:
    if info.revoked_at is not None:
        return "revoked"
    if info.suspended_at is not None:
        return "suspended"
    if info.paused_at is not None:
        return "paused"
    return "online" if info.is_online else "offline"


def _line_views(conn: Connection, account_id: str, infos: Sequence[LineInfo], now: UtcMs) -> list[LineView]:
    ids = [info.id for info in infos]
    settings = read_settings(settings_of(conn, [account_id]).get(account_id, "{}"))
    offset = utc_offset(settings.time_zone, now)
    windows = [
        usage_since(conn, ids, since)
        for since in (
            now - MINUTE_MS,
            now - HOUR_MS,
            day_start(now, offset),
            month_start(now, offset),
        )
    ]
    waiting = any(info.awaiting_confirmation for info in infos)
    everything = stored.lines_of(conn, account_id) if waiting else []
    return [_line_view(info, [used.get(info.id, 0) for used in windows], everything) for info in infos]


def _line_view(info: LineInfo, used: Sequence[int], others: Sequence[LineInfo]) -> LineView:
    named = info._asdict()
    is_device_online = named.pop("is_device_online")
    return LineView(
        **named,
        is_online=is_device_online and info.is_present and info.removed_at is None,
        candidates=tuple(candidates_among(info, others)) if info.awaiting_confirmation else (),
        used_minute=used[0],
        used_hour=used[1],
        used_day=used[2],
        used_month=used[3],
    )
