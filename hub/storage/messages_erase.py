"""Removing the words of texts, and texts, from every table that keeps them."""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.media import release_media_of
from hub.storage.messages import MESSAGE, TIMELINE
from hub.storage.schema.devices import DeviceEvent
from hub.storage.schema.webhooks import WebhookEvent
from hub.storage.types import table_of

_PHONE_EVENT = table_of(DeviceEvent)
_EVENT = table_of(WebhookEvent)
_BLANK_MESSAGE = update(MESSAGE).where(one_of(MESSAGE.c.id, texts("ids"))).values(text="", metadata_json=None)
_BLANK_RAW = update(TIMELINE).where(one_of(TIMELINE.c.message_id, texts("ids"))).values(raw=None)
_EVENTS = select(_EVENT.c.seq, _EVENT.c.data).where(one_of(_EVENT.c.message_id, texts("ids")))
_BLANK_EVENT = update(_EVENT).where(_EVENT.c.seq == bindparam("_seq")).values(data=bindparam("_data"))
_BLANK_PHONE_EVENT = (
    update(_PHONE_EVENT)
    .where(_PHONE_EVENT.c.device_id == bindparam("_device_id"), _PHONE_EVENT.c.uuid == bindparam("_uuid"))
    .values(payload="{}", raw=None)
)
_DELETE = delete(MESSAGE).where(one_of(MESSAGE.c.id, texts("ids")))
_DELETE_HOPS = delete(TIMELINE).where(one_of(TIMELINE.c.message_id, texts("ids")))


def erase_words(conn: Connection, rows: Sequence[tuple[str, str | None, str | None]], now: UtcMs) -> None:
    """Blank these texts, attachments included: each as (message, phone it came by, that phone's event)."""
    if not rows:
        return
    ids = {"ids": [row[0] for row in rows]}
    conn.execute(_BLANK_MESSAGE, ids)
    conn.execute(_BLANK_RAW, ids)
    release_media_of(conn, ids["ids"], now)
    events = [{"_seq": seq, "_data": _without_words(data)} for seq, data in conn.execute(_EVENTS, ids)]
    if events:
        conn.execute(_BLANK_EVENT, events)
    came = [
        {"_device_id": device, "_uuid": uuid} for _, device, uuid in rows if device is not None and uuid is not None
    ]
    if came:
        conn.execute(_BLANK_PHONE_EVENT, came)


def _without_words(data: str) -> str:
    told = json.loads(data)
    blanks: dict[str, object] = {"text": "", "metadata": {}, "subject": None, "media": []}
    return json.dumps(
        {name: blanks.get(name, value) for name, value in told.items()}, ensure_ascii=False, separators=(",", ":")
    )


def delete_messages(conn: Connection, ids: Collection[str]) -> None:
    """Remove these texts and what their timelines say."""
    if ids:
        conn.execute(_DELETE_HOPS, {"ids": sorted(ids)})
        conn.execute(_DELETE, {"ids": sorted(ids)})
