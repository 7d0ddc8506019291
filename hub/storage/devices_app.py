"""Phones whose app registers by itself: what it comes in by, and how it is found by its token."""

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select

from hub.core.clock import UtcMs
from hub.storage.devices import DEVICE, DeviceRow
from hub.storage.schema.devices import DeviceReturn
from hub.storage.types import table_of

RETURN = table_of(DeviceReturn)


class ReturnRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a phone registers by (`hub.storage.schema.devices.DeviceReturn`)."""

    token_sha256: str
    account_id: str
    device_id: str | None
    created_at: UtcMs


_RETURN_NAMES = ReturnRow.__struct_fields__
_FIND_RETURN = (
    select(*(RETURN.c[name] for name in _RETURN_NAMES))
    .where(RETURN.c.token_sha256 == bindparam("token_sha256"))
    .with_for_update()
)
_INSERT_RETURN = insert(RETURN)
_FORGET_RETURNS = delete(RETURN).where(RETURN.c.device_id == bindparam("b_device_id"))
_DEVICE_COLUMNS = tuple(DEVICE.c[name] for name in DeviceRow.__struct_fields__)
_BY_TOKEN = select(*_DEVICE_COLUMNS).where(
    DEVICE.c.secret_sha256 == bindparam("secret_sha256"), DEVICE.c.transport == bindparam("transport")
)
_BY_ID = select(*_DEVICE_COLUMNS).where(DEVICE.c.id == bindparam("id"), DEVICE.c.transport == bindparam("transport"))
_IDS = select(DEVICE.c.id).where(
    DEVICE.c.account_id == bindparam("account_id"),
    DEVICE.c.transport == bindparam("transport"),
    DEVICE.c.revoked_at.is_(None),
)


def lock_return(conn: Connection, token_sha256: str) -> ReturnRow | None:
    """What this token lets in by, locked: the one look-up without an account, because it finds the account."""
    row = conn.execute(_FIND_RETURN, {"token_sha256": token_sha256}).first()
    return None if row is None else ReturnRow(**dict(zip(_RETURN_NAMES, row, strict=True)))


def put_return(conn: Connection, row: ReturnRow) -> None:
    """Store a token that a phone came in by just now; the ones it had before are void."""
    if row.device_id is not None:
        conn.execute(_FORGET_RETURNS, {"b_device_id": row.device_id})
    conn.execute(_INSERT_RETURN, msgspec.structs.asdict(row))


def find_device_by_token(conn: Connection, transport: str, secret_sha256: str) -> DeviceRow | None:
    """The phone of this transport whose token has this hash, of whatever account."""
    row = conn.execute(_BY_TOKEN, {"transport": transport, "secret_sha256": secret_sha256}).first()
    return None if row is None else DeviceRow(*row)


def find_device_of(conn: Connection, transport: str, device_id: str) -> DeviceRow | None:
    """The phone of this transport with this id, of whatever account: for a caller that proved the id."""
    row = conn.execute(_BY_ID, {"transport": transport, "id": device_id}).first()
    return None if row is None else DeviceRow(*row)


def ids_of_transport(conn: Connection, account_id: str, transport: str) -> list[str]:
    """The account's phones of this transport that were not removed."""
    return [row[0] for row in conn.execute(_IDS, {"account_id": account_id, "transport": transport})]
