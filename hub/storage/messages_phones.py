"""Messages as their phones hold them, and the fence that keeps an older connection of a phone from writing."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, select, text

from hub.storage.arrays import one_of, texts
from hub.storage.direct import fetch
from hub.storage.messages import COLUMNS, MESSAGE, MessageRow
from hub.storage.messages_lines import DEVICE
from hub.storage.schema.messages import ON_DEVICE


class PhoneRow(msgspec.Struct, frozen=True):
    """What writing for a phone must know of it."""

    id: str
    account_id: str
    session_no: int
    name: str


_PHONES = (
    select(DEVICE.c.id, DEVICE.c.account_id, DEVICE.c.session_no, DEVICE.c.name)
    .where(one_of(DEVICE.c.id, texts("ids")))
    .order_by(DEVICE.c.id)
)
# A hello raises session_no under the row's lock: sharing it here means that either this batch sees the new number, or the
# hello sees what this batch wrote.
_FENCED = _PHONES.with_for_update(read=True)
_ON_PHONES = (
    select(*COLUMNS)
    .where(
        one_of(MESSAGE.c.device_id, texts("device_ids")),
        text(f"device_id is not null and {ON_DEVICE}"),
    )
    .order_by(MESSAGE.c.id)
    .with_for_update()
)


def fence_phones(conn: Connection, ids: Collection[str]) -> dict[str, PhoneRow]:
    """These phones, with their connection number held still until the transaction ends."""
    return {row[0]: PhoneRow(*row) for row in fetch(conn, _FENCED, {"ids": sorted(ids)})}


def read_phones(conn: Connection, ids: Collection[str]) -> dict[str, PhoneRow]:
    """These phones, not locked."""
    return {row[0]: PhoneRow(*row) for row in fetch(conn, _PHONES, {"ids": sorted(ids)})}


def lock_messages_on(conn: Connection, device_ids: Collection[str]) -> list[MessageRow]:
    """Every message that is offered or bound to one of these phones, locked, in id order."""
    if not device_ids:
        return []
    return [MessageRow(*row) for row in fetch(conn, _ON_PHONES, {"device_ids": sorted(device_ids)})]
