"""Lines as sending sees them: the SIM's placement and limits, and how its phone is.

Accounts with thousands of phones are normal. What names no line is offered a sample of the lines that can send now, so that
accepting a text costs the same with 5 phones and with 5,000; what names one reads that one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, bindparam, func, or_, select, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.direct import fetch
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Device, Line
from hub.storage.types import table_of

ACCOUNT = table_of(Account)
DEVICE = table_of(Device)
LINE = table_of(Line)

SAMPLE = 64
"""Lines a text without a sender is offered; an account with fewer is offered all it has."""


class LineRow(msgspec.Struct, frozen=True):
    """A line that was not removed, with the phone it sits in."""

    id: str
    account_id: str
    name: str
    alias: str | None
    pool: str | None
    number: str | None
    device_id: str | None
    subscription_id: int | None
    slot: int | None
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
    device_name: str | None
    is_online: bool | None
    last_seen_at: UtcMs | None
    session_no: int | None
    is_device_usable: bool
    """The phone is neither revoked nor suspended nor paused, and no real one in a sandbox."""
    is_phone_removed: bool
    is_sandbox: bool
    """In an emulated phone: nothing but what asks for it goes there while the account has a real line."""
    transport: str | None
    """The phone's transport."""
    account_settings: str
    """What the account has decided, as JSON: whoever chooses a line needs it, and asks only once so."""
    sends_mms: bool = False
    """The phone can send attachments."""


class LineFace(NamedTuple):
    """What customers are told of a line beside its id."""

    number: str | None
    slot: int | None


_LINE_FIELDS = LineRow.__struct_fields__[:19]
_COLUMNS = (
    *(LINE.c[name] for name in _LINE_FIELDS),
    DEVICE.c.name.label("device_name"),
    DEVICE.c.is_online,
    DEVICE.c.last_seen_at,
    DEVICE.c.session_no,
    (
        DEVICE.c.id.is_not(None)
        & DEVICE.c.revoked_at.is_(None)
        & DEVICE.c.suspended_at.is_(None)
        & DEVICE.c.paused_at.is_(None)
        # The last door of a sandbox: should a real phone ever stand in one, nothing is offered to it.
        & (ACCOUNT.c.sandbox_of.is_(None) | DEVICE.c.is_sandbox)
    ).label("is_device_usable"),
    (DEVICE.c.id.is_(None) | DEVICE.c.revoked_at.is_not(None)).label("is_phone_removed"),
    func.coalesce(DEVICE.c.is_sandbox, False).label("is_sandbox"),
    DEVICE.c.transport,
    ACCOUNT.c.settings,
    func.coalesce(DEVICE.c.sends_mms, False).label("sends_mms"),
)
_JOINED = LINE.join(ACCOUNT, ACCOUNT.c.id == LINE.c.account_id).outerjoin(DEVICE, DEVICE.c.id == LINE.c.device_id)
_LINES: Select[Any] = select(*_COLUMNS).select_from(_JOINED).where(LINE.c.removed_at.is_(None))

_BY_ID = _LINES.where(one_of(LINE.c.id, texts("ids")), one_of(LINE.c.account_id, texts("account_ids"))).order_by(
    LINE.c.id
)
_FACES = select(LINE.c.id, LINE.c.number, LINE.c.slot).where(
    one_of(LINE.c.id, texts("ids")), one_of(LINE.c.account_id, texts("account_ids")), LINE.c.removed_at.is_(None)
)
_BY_DEVICE = _LINES.where(
    one_of(LINE.c.device_id, texts("device_ids")), one_of(LINE.c.account_id, texts("account_ids"))
).order_by(LINE.c.id)
_PLACED = _LINES.where(one_of(LINE.c.id, texts("ids")))
_READY_ACCOUNTS = (
    select(LINE.c.account_id)
    .join(DEVICE, DEVICE.c.id == LINE.c.device_id)
    .where(
        one_of(LINE.c.account_id, texts("ids")),
        LINE.c.removed_at.is_(None),
        LINE.c.is_enabled,
        LINE.c.is_present,
        or_(LINE.c.paused_until.is_(None), LINE.c.paused_until <= bindparam("now")),
        DEVICE.c.is_online,
    )
    .distinct()
)
_OF_ACCOUNT = _LINES.where(LINE.c.account_id == bindparam("account_id")).order_by(LINE.c.id)
_FIRST_OF_ACCOUNT = _OF_ACCOUNT.limit(SAMPLE + 1)
_COUNT_READY = (
    select(func.count())
    .select_from(LINE)
    .where(LINE.c.account_id == bindparam("account_id"), LINE.c.removed_at.is_(None), LINE.c.is_enabled)
)
_SAMPLE = (
    _LINES.where(LINE.c.account_id == bindparam("account_id"), LINE.c.is_enabled, LINE.c.is_present)
    .where(or_(LINE.c.paused_until.is_(None), LINE.c.paused_until <= bindparam("now")))
    .order_by(LINE.c.id)
    .limit(SAMPLE)
    .offset(bindparam("skip"))
)
_SETTINGS = select(ACCOUNT.c.id, ACCOUNT.c.settings).where(one_of(ACCOUNT.c.id, texts("ids")))
_PAUSE = (
    update(LINE)
    .where(LINE.c.id == bindparam("b_id"), LINE.c.account_id == bindparam("b_account_id"))
    .values(paused_until=bindparam("b_until"), paused_reason=bindparam("b_reason"))
)
_MARK_ABSENT = (
    update(LINE)
    .where(LINE.c.id == bindparam("b_id"), LINE.c.account_id == bindparam("b_account_id"))
    .values(is_present=False)
)


def _lines(conn: Connection, statement: Select[Any], values: Mapping[str, Any]) -> list[LineRow]:
    return [LineRow(*row) for row in fetch(conn, statement, values)]


def lines_by_id(conn: Connection, account_ids: Collection[str], ids: Collection[str]) -> dict[str, LineRow]:
    """These lines of these accounts."""
    if not ids:
        return {}
    given = {"account_ids": sorted(account_ids), "ids": sorted(ids)}
    return {row.id: row for row in _lines(conn, _BY_ID, given)}


def faces_of(conn: Connection, account_ids: Collection[str], ids: Collection[str]) -> dict[str, LineFace]:
    """Number and slot of these lines of these accounts, without all that a choice among them would want."""
    if not ids:
        return {}
    rows = fetch(conn, _FACES, {"account_ids": sorted(account_ids), "ids": sorted(ids)})
    return {row[0]: LineFace(row[1], row[2]) for row in rows}


def lines_in_devices(conn: Connection, account_ids: Collection[str], device_ids: Collection[str]) -> list[LineRow]:
    """The lines whose SIM sits in one of these phones, of these accounts."""
    if not device_ids:
        return []
    given = {"account_ids": sorted(account_ids), "device_ids": sorted(device_ids)}
    return _lines(conn, _BY_DEVICE, given)


def lines_of_account(conn: Connection, account_id: str) -> list[LineRow]:
    """Every line of an account."""
    return _lines(conn, _OF_ACCOUNT, {"account_id": account_id})


def live_lines(conn: Connection, ids: Collection[str]) -> list[LineRow]:
    """Those of these lines that were not removed, whosever they are: for the hub's own loops."""
    return _lines(conn, _PLACED, {"ids": sorted(ids)}) if ids else []


def ready_accounts(conn: Connection, account_ids: Collection[str], now: UtcMs) -> set[str]:
    """Which of these accounts have a line that could send now."""
    if not account_ids:
        return set()
    return {row[0] for row in conn.execute(_READY_ACCOUNTS, {"ids": sorted(account_ids), "now": now})}


def sample_of_account(conn: Connection, account_id: str, now: UtcMs, random: float) -> list[LineRow]:
    """Up to 64 lines of an account: those that could send when there are more, else all. `random` in [0, 1) picks which."""
    few = _lines(conn, _FIRST_OF_ACCOUNT, {"account_id": account_id})
    if len(few) <= SAMPLE:
        return few
    count = conn.execute(_COUNT_READY, {"account_id": account_id}).scalar_one()
    skip = int(max(count - SAMPLE + 1, 0) * random)
    sample = _lines(conn, _SAMPLE, {"account_id": account_id, "now": now, "skip": skip})
    return sample or few


_MMS_LINE = (
    select(LINE.c.id)
    .join(DEVICE, DEVICE.c.id == LINE.c.device_id)
    .where(
        LINE.c.account_id == bindparam("account_id"),
        LINE.c.removed_at.is_(None),
        DEVICE.c.revoked_at.is_(None),
        DEVICE.c.sends_mms,
    )
    .limit(1)
)


def has_mms_line(conn: Connection, account_id: str) -> bool:
    """Whether a phone of the account sends MMS."""
    return conn.execute(_MMS_LINE, {"account_id": account_id}).first() is not None


def settings_of(conn: Connection, account_ids: Collection[str]) -> dict[str, str]:
    """The stored settings of accounts, as JSON."""
    rows = conn.execute(_SETTINGS, {"ids": sorted(account_ids)})
    return {str(row[0]): str(row[1]) for row in rows}


def pause_lines(conn: Connection, pauses: Sequence[tuple[str, str, UtcMs, str]]) -> None:
    """`(account, line, until, reason)`: no offers on these lines until then."""
    if pauses:
        keys = ("b_account_id", "b_id", "b_until", "b_reason")
        conn.execute(_PAUSE, [dict(zip(keys, pause, strict=True)) for pause in pauses])


def mark_absent(conn: Connection, lines: Sequence[tuple[str, str]]) -> None:
    """`(account, line)`: the SIM is gone or locked, until the phone lists it again."""
    if lines:
        conn.execute(_MARK_ABSENT, [{"b_account_id": account, "b_id": line} for account, line in lines])


class Placement(msgspec.Struct, frozen=True):
    """Which phone a line's SIM sits in."""

    line_id: str
    account_id: str
    device_id: str


_PLACEMENTS = select(LINE.c.id, LINE.c.account_id, LINE.c.device_id).where(
    LINE.c.device_id.is_not(None), LINE.c.removed_at.is_(None)
)
_PLACEMENTS_BY_ID = _PLACEMENTS.where(one_of(LINE.c.id, texts("ids")))
_PLACEMENTS_OF = _PLACEMENTS.where(one_of(LINE.c.account_id, texts("ids")))


def placements(conn: Connection, line_ids: Collection[str], account_ids: Collection[str]) -> list[Placement]:
    """Where these lines are, and every line of these accounts."""
    rows: list[Any] = []
    if line_ids:
        rows += conn.execute(_PLACEMENTS_BY_ID, {"ids": sorted(line_ids)})
    if account_ids:
        rows += conn.execute(_PLACEMENTS_OF, {"ids": sorted(account_ids)})
    return [Placement(*row) for row in rows]
