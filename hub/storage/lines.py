"""Lines: the rows as their placement is decided on, and the statements that load and write them.

Placing SIMs reads and writes lines of a whole account, so whoever changes one locks the account's row first; `NO KEY UPDATE`, since
every insert with a reference to the account holds a key share lock on it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.direct import fetch
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Device, Line
from hub.storage.types import table_of

LINE = table_of(Line)
DEVICE = table_of(Device)
ACCOUNT = table_of(Account)


class LineRecord(msgspec.Struct, kw_only=True):
    """A stored line, field by field as in `hub.storage.schema.devices.Line`, and whether its phone is online."""

    id: str
    account_id: str
    name: str
    alias: str | None = None
    pool: str | None = None
    number: str | None = None
    mark: int = 0
    device_id: str | None = None
    subscription_id: int | None = None
    slot: int | None = None
    carrier: str | None = None
    fingerprint: str | None = None
    is_present: bool = True
    is_enabled: bool = True
    paused_until: UtcMs | None = None
    paused_reason: str | None = None
    awaiting_confirmation: bool = False
    per_minute: int = 20
    per_hour: int | None = None
    per_day: int | None = None
    per_month: int | None = None
    created_at: UtcMs
    removed_at: UtcMs | None = None
    is_device_online: bool = False


_NAMES = LineRecord.__struct_fields__[:-1]
_COLUMNS = (*(LINE.c[name] for name in _NAMES), func.coalesce(DEVICE.c.is_online, False))
_PLACING = (
    "number",
    "device_id",
    "subscription_id",
    "slot",
    "carrier",
    "fingerprint",
    "is_present",
    "awaiting_confirmation",
    "removed_at",
)
"""What finding a SIM somewhere changes."""
_SETTINGS = (
    "name",
    "alias",
    "pool",
    "number",
    "is_enabled",
    "per_minute",
    "per_hour",
    "per_day",
    "per_month",
    "paused_until",
    "paused_reason",
)
"""What the operator changes."""

_JOINED = LINE.outerjoin(DEVICE, DEVICE.c.id == LINE.c.device_id)
_LIVE = select(*_COLUMNS).select_from(_JOINED).where(LINE.c.removed_at.is_(None))
_IN_DEVICES = _LIVE.where(one_of(LINE.c.device_id, texts("device_ids"))).order_by(LINE.c.id)
_OF_ACCOUNT = _LIVE.where(LINE.c.account_id == bindparam("account_id")).order_by(LINE.c.id).with_for_update(of=LINE)
_NEAR = (
    _LIVE.where(
        LINE.c.account_id == bindparam("account_id"),
        or_(LINE.c.device_id == bindparam("device_id"), one_of(LINE.c.number, texts("numbers"))),
    )
    .order_by(LINE.c.id)
    .with_for_update(of=LINE)
)
_MISSING = (
    _LIVE.where(
        LINE.c.account_id == bindparam("account_id"),
        or_(one_of(func.lower(LINE.c.carrier), texts("folded")), one_of(LINE.c.carrier, texts("carriers"))),
        or_(~LINE.c.is_present, ~func.coalesce(DEVICE.c.is_online, False)),
        ~LINE.c.awaiting_confirmation,
    )
    .order_by(LINE.c.id)
    .limit(bindparam("most"))
)
_NUMBERED = (
    select(LINE.c.account_id, LINE.c.number, func.min(LINE.c.id))
    .where(
        one_of(LINE.c.account_id, texts("account_ids")),
        one_of(LINE.c.number, texts("numbers")),
        LINE.c.removed_at.is_(None),
    )
    .group_by(LINE.c.account_id, LINE.c.number)
)
_NUMBER = select(LINE.c.number).where(
    LINE.c.account_id == bindparam("account_id"), LINE.c.id == bindparam("line_id"), LINE.c.removed_at.is_(None)
)
_WITHOUT_PHONE = select(func.count()).where(
    LINE.c.account_id == bindparam("account_id"),
    LINE.c.device_id.is_(None),
    LINE.c.removed_at.is_(None),
)
_LOCK_ACCOUNT = (
    select(ACCOUNT.c.settings).where(ACCOUNT.c.id == bindparam("account_id")).with_for_update(key_share=True)
)
_NEXT_MARK = select(func.coalesce(func.max(LINE.c.mark), -1) + 1).where(LINE.c.account_id == bindparam("account_id"))
_INSERT = insert(LINE)


def _write(names: Sequence[str]) -> Any:
    return (
        update(LINE)
        .where(LINE.c.id == bindparam("b_id"))
        .values({name: bindparam(f"b_{name}", type_=LINE.c[name].type) for name in names})
    )


_WRITE_PLACING = _write(_PLACING)
_WRITE_SETTINGS = _write(_SETTINGS)


def _line(row: Sequence[Any]) -> LineRecord:
    return LineRecord(**dict(zip(LineRecord.__struct_fields__, row, strict=True)))


def lines_in(conn: Connection, device_ids: Collection[str]) -> dict[str, list[LineRecord]]:
    """The lines placed in these phones, by phone. Not locked: to see whether anything changed at all."""
    found: dict[str, list[LineRecord]] = {}
    if device_ids:
        for row in fetch(conn, _IN_DEVICES, {"device_ids": sorted(device_ids)}):
            line = _line(row)
            found.setdefault(line.device_id or "", []).append(line)
    return found


def lock_account(conn: Connection, account_id: str) -> str | None:
    """Lock the account against other changes of its lines; returns its stored settings, None when there is no such account."""
    settings: str | None = conn.execute(_LOCK_ACCOUNT, {"account_id": account_id}).scalar_one_or_none()
    return settings


def lock_lines(conn: Connection, account_id: str) -> list[LineRecord]:
    """Every line of an account that was not removed, locked, in id order. Call `lock_account` before."""
    return [_line(row) for row in conn.execute(_OF_ACCOUNT, {"account_id": account_id})]


def lock_lines_near(conn: Connection, account_id: str, device_id: str, numbers: Collection[str]) -> list[LineRecord]:
    """The account's lines in this phone and those with one of these numbers, locked. Call `lock_account` before."""
    given = {"account_id": account_id, "device_id": device_id, "numbers": sorted(numbers)}
    return [_line(row) for row in conn.execute(_NEAR, given)]


def missing_lines(conn: Connection, account_id: str, carriers: Collection[str], most: int = 20) -> list[LineRecord]:
    """Some of the account's lines of these carriers whose SIM is not in a phone that is online."""
    given = {
        "account_id": account_id,
        "carriers": sorted(carriers),
        "folded": sorted({carrier.lower() for carrier in carriers}),
        "most": most,
    }
    return [_line(row) for row in conn.execute(_MISSING, given)]


def lines_numbered(
    conn: Connection, account_ids: Collection[str], numbers: Collection[str]
) -> dict[tuple[str, str], str]:
    """By account and number: the line that has it, the oldest where a phone and an operator told two of one number."""
    found = conn.execute(_NUMBERED, {"account_ids": sorted(account_ids), "numbers": sorted(numbers)})
    return {(row[0], row[1]): row[2] for row in found}


class LineNumber(NamedTuple):
    """A line's number, as far as it is known."""

    number: str | None


def find_number(conn: Connection, account_id: str, line_id: str) -> LineNumber | None:
    """The number of a line; None without such a line."""
    row = conn.execute(_NUMBER, {"account_id": account_id, "line_id": line_id}).first()
    return None if row is None else LineNumber(row[0])


def count_without_phone(conn: Connection, account_id: str) -> int:
    """Lines of an account that sit in no phone."""
    count: int = conn.execute(_WITHOUT_PHONE, {"account_id": account_id}).scalar_one()
    return count


def next_mark(conn: Connection, account_id: str) -> int:
    """The mark of the account's next line; marks of removed lines are not given out again."""
    mark: int = conn.execute(_NEXT_MARK, {"account_id": account_id}).scalar_one()
    return mark


def insert_lines(conn: Connection, rows: Iterable[LineRecord]) -> None:
    """Store new lines."""
    values = [{name: getattr(row, name) for name in _NAMES} for row in rows]
    if values:
        conn.execute(_INSERT, values)


def write_placing(conn: Connection, rows: Iterable[LineRecord]) -> None:
    """Write where these lines are; the caller holds their locks."""
    _execute(conn, _WRITE_PLACING, _PLACING, rows)


def write_settings(conn: Connection, rows: Iterable[LineRecord]) -> None:
    """Write what the operator set on these lines; the caller holds their locks."""
    _execute(conn, _WRITE_SETTINGS, _SETTINGS, rows)


def _execute(conn: Connection, statement: Any, names: Sequence[str], rows: Iterable[LineRecord]) -> None:
    values = [{"b_id": row.id, **{f"b_{name}": getattr(row, name) for name in names}} for row in rows]
    if values:
        conn.execute(statement, values)
