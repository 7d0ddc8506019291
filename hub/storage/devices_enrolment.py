"""Enrolments: the one-time codes phones come in by. Only the SHA-256 of a code is ever stored."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.schema.devices import Enrolment
from hub.storage.types import table_of

ENROLMENT = table_of(Enrolment)


class EnrolmentRow(msgspec.Struct, kw_only=True):
    """A stored enrolment, field by field as in `hub.storage.schema.devices.Enrolment`."""

    id: str
    account_id: str
    token_sha256: str
    name: str | None = None
    created_at: UtcMs
    expires_at: UtcMs
    revoked_at: UtcMs | None = None
    used_at: UtcMs | None = None
    used_secret_sha256: str | None = None
    device_id: str | None = None
    for_device_id: str | None = None
    is_sandbox: bool = False
    transport: str = "native"


_NAMES = EnrolmentRow.__struct_fields__
_COLUMNS = tuple(ENROLMENT.c[name] for name in _NAMES)
_CHANGING = ("revoked_at", "used_at", "used_secret_sha256", "device_id")

_BY_TOKEN = (
    select(*_COLUMNS)
    .where(one_of(ENROLMENT.c.token_sha256, texts("tokens")))
    .order_by(ENROLMENT.c.id)
    .with_for_update()
)
_BY_ID = select(*_COLUMNS).where(one_of(ENROLMENT.c.id, texts("ids"))).order_by(ENROLMENT.c.id)
_LOCK = _BY_ID.with_for_update()
_INSERT = insert(ENROLMENT)
_WRITE = (
    update(ENROLMENT)
    .where(ENROLMENT.c.id == bindparam("b_id"))
    .values({name: bindparam(f"b_{name}", type_=ENROLMENT.c[name].type) for name in _CHANGING})
)
_PAGE = (
    select(*_COLUMNS)
    .where(ENROLMENT.c.account_id == bindparam("account_id"))
    .order_by(ENROLMENT.c.id.desc())
    .limit(bindparam("most"))
)
_PAGE_AFTER = _PAGE.where(ENROLMENT.c.id < bindparam("after"))
_FIND = select(*_COLUMNS).where(ENROLMENT.c.account_id == bindparam("account_id"), ENROLMENT.c.id == bindparam("id"))


def _enrolment(row: Sequence[Any]) -> EnrolmentRow:
    return EnrolmentRow(**dict(zip(_NAMES, row, strict=True)))


def lock_enrolments_by_token(conn: Connection, tokens_sha256: Collection[str]) -> dict[str, EnrolmentRow]:
    """The enrolments of these codes, by the code's hash, locked."""
    rows = map(_enrolment, conn.execute(_BY_TOKEN, {"tokens": sorted(tokens_sha256)}))
    return {row.token_sha256: row for row in rows}


def lock_enrolments(conn: Connection, ids: Collection[str]) -> dict[str, EnrolmentRow]:
    """The enrolments with these ids, locked."""
    return {row.id: row for row in map(_enrolment, conn.execute(_LOCK, {"ids": sorted(ids)}))}


def insert_enrolments(conn: Connection, rows: Iterable[EnrolmentRow]) -> None:
    """Store new enrolments."""
    values = [msgspec.structs.asdict(row) for row in rows]
    if values:
        conn.execute(_INSERT, values)


def write_enrolments(conn: Connection, rows: Iterable[EnrolmentRow]) -> None:
    """Write what can change of these enrolments."""
    values = [{"b_id": row.id, **{f"b_{name}": getattr(row, name) for name in _CHANGING}} for row in rows]
    if values:
        conn.execute(_WRITE, values)


def page_of_enrolments(conn: Connection, account_id: str, after: str | None, most: int) -> list[EnrolmentRow]:
    """An account's enrolments, newest first, from the one before `after` on."""
    given = {"account_id": account_id, "most": most}
    rows = conn.execute(_PAGE, given) if after is None else conn.execute(_PAGE_AFTER, {**given, "after": after})
    return [_enrolment(row) for row in rows]


def find_enrolment_row(conn: Connection, account_id: str, enrolment_id: str) -> EnrolmentRow | None:
    """One enrolment of an account."""
    row = conn.execute(_FIND, {"account_id": account_id, "id": enrolment_id}).first()
    return None if row is None else _enrolment(row)
