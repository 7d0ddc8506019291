"""Looking things up in timelines, beyond reading one from its beginning (`hub.storage.messages`)."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, bindparam, select

from hub.storage.arrays import one_of, texts
from hub.storage.messages import TIMELINE
from hub.storage.messages_lines import DEVICE, LINE


class OfferFacts(msgspec.Struct, frozen=True):
    """The facts of an `offered` row that say where the offer went."""

    submission: int = 0
    device_id: str | None = None
    line_id: str | None = None


_OFFERS = (
    select(TIMELINE.c.data)
    .where(
        TIMELINE.c.message_id == bindparam("message_id"),
        TIMELINE.c.account_id == bindparam("account_id"),
        TIMELINE.c.kind == "offered",
    )
    .order_by(TIMELINE.c.id.desc())
)
_DEVICE_NAMES = select(DEVICE.c.id, DEVICE.c.name).where(
    DEVICE.c.account_id == bindparam("account_id"), one_of(DEVICE.c.id, texts("ids"))
)
_LINE_NAMES = select(LINE.c.id, LINE.c.name).where(
    LINE.c.account_id == bindparam("account_id"), one_of(LINE.c.id, texts("ids"))
)
_DECODER = msgspec.json.Decoder(OfferFacts)


def line_of_offer(conn: Connection, account_id: str, message_id: str, device_id: str, submission: int) -> str | None:
    """The line by which this submission was offered to this phone, None when the hub does not remember it."""
    for (data,) in conn.execute(_OFFERS, {"account_id": account_id, "message_id": message_id}):
        offer = _DECODER.decode(data)
        if (offer.device_id, offer.submission) == (device_id, submission):
            return offer.line_id
    return None


def names_of(
    conn: Connection, account_id: str, device_ids: Collection[str], line_ids: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Present names of an account's phones and lines, removed ones included."""
    devices = conn.execute(_DEVICE_NAMES, {"account_id": account_id, "ids": sorted(device_ids)})
    lines = conn.execute(_LINE_NAMES, {"account_id": account_id, "ids": sorted(line_ids)})
    return {str(row[0]): str(row[1]) for row in devices}, {str(row[0]): str(row[1]) for row in lines}
