"""What the API and the dashboard see of phones, lines and codes. Ids without prefix, times in milliseconds; None = not known."""

from typing import Literal

import msgspec

from hub.core.clock import UtcMs
from hub.devices.app_guide import Caveat
from hub.storage.devices_enrolment import EnrolmentRow

DeviceState = Literal["online", "offline", "paused", "suspended", "revoked"]
EnrolmentState = Literal["open", "used", "expired", "revoked"]
Severity = Literal["info", "warning", "critical"]


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can cost texts, in a sentence, and what to do about it, in another."""

    code: str
    severity: Severity
    text: str
    fix: str


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A sending identity and the SIM it is."""

    id: str
    account_id: str
    name: str
    alias: str | None
    pool: str | None
    number: str | None
    mark: int
    device_id: str | None
    device_name: str | None
    subscription_id: int | None
    slot: int | None
    carrier: str | None
    fingerprint: str | None
    is_present: bool
    is_enabled: bool
    is_online: bool
    paused_until: UtcMs | None
    paused_reason: str | None
    awaiting_confirmation: bool
    candidates: tuple[str, ...] = ()
    """While `awaiting_confirmation`: ids of the lines it may be."""
    per_minute: int
    per_hour: int | None
    per_day: int | None
    per_month: int | None
    used_minute: int = 0
    """Segments handed to the radio in the last 60 s, hour, and so on."""
    used_hour: int = 0
    used_day: int = 0
    used_month: int = 0
    created_at: UtcMs
    removed_at: UtcMs | None
    is_sandbox: bool = False
    """Its phone is an emulated one: what it sends reaches nobody."""
    sends_mms: bool = False
    """Its phone sends MMS."""


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A phone, with its lines and what is wrong with it."""

    id: str
    account_id: str
    name: str
    transport: str
    state: DeviceState
    is_online: bool
    online_since: UtcMs | None
    offline_since: UtcMs | None
    last_seen_at: UtcMs | None
    last_event_at: UtcMs | None
    complete_up_to: UtcMs | None
    """Phone time of the last event before the first hole: every text up to here has arrived."""
    clock_ahead_ms: int | None
    created_at: UtcMs
    enrolled_at: UtcMs
    revoked_at: UtcMs | None
    suspended_at: UtcMs | None
    suspended_reason: str | None
    paused_at: UtcMs | None
    manufacturer: str | None
    model: str | None
    os_version: str | None
    app_version: str | None
    permissions: dict[str, bool]
    battery_percent: int | None
    is_charging: bool | None
    signal_percent: tuple[int | None, ...]
    queued_events: int | None
    queued_jobs: int | None
    status_at: UtcMs | None
    quarantined_events: int
    missing_events: int
    """Numbers between the events that arrived, asked for again and not answered yet."""
    open_gaps: int
    """Gaps: ranges of numbers that the phone said it no longer has."""
    recent_connections: int = 0
    """Connections it made in the last hour."""
    is_sandbox: bool = False
    """Not a phone but the emulator, started by the hub: its texts reach nobody."""
    lines: tuple[LineView, ...]
    risks: tuple[Risk, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    """What this kind of phone cannot promise."""


class DevicePage(msgspec.Struct, frozen=True):
    """Phones in order of their ids; `next` asks for the page after."""

    items: tuple[DeviceView, ...]
    next: str | None = None


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True):
    """One connection of a phone."""

    session_no: int
    connected_at: UtcMs
    closed_at: UtcMs | None
    close_reason: str | None
    node: str


class GapView(msgspec.Struct, frozen=True, kw_only=True):
    """Event numbers (both ends included) that no event will come for."""

    id: str
    stream: str
    first_n: int
    last_n: int
    reason: str
    at: UtcMs


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator must know of a phone."""

    id: str
    device_id: str
    kind: str
    text: str
    at: UtcMs


class QuarantinedView(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose payload did not parse, kept as it came."""

    uuid: str
    type: str
    n: int
    at: UtcMs
    received_at: UtcMs
    why: str | None
    payload: str


class EnrolmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A code; the code itself is known to nobody any more."""

    id: str
    name: str | None
    created_at: UtcMs
    expires_at: UtcMs
    revoked_at: UtcMs | None
    used_at: UtcMs | None
    device_id: str | None
    for_device_id: str | None
    state: EnrolmentState
    transport: str = "native"


def enrolment_view(row: EnrolmentRow, now: UtcMs) -> EnrolmentView:
    """A stored code as it is seen at `now`."""
    return EnrolmentView(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
        device_id=row.device_id,
        for_device_id=row.for_device_id,
        state=_state(row, now),
        transport=row.transport,
    )


def _state(row: EnrolmentRow, now: UtcMs) -> EnrolmentState:
    if row.used_at is not None:
        return "used"
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if now >= row.expires_at else "open"
