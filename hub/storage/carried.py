"""Texts that carriers posted, known by their keys."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert
from hub.storage.schema.messages import CarrierText
from hub.storage.transaction import Tx
from hub.storage.types import table_of

_TEXT = table_of(CarrierText)


class CarrierKey(NamedTuple):
    """What makes a carrier's text itself."""

    account_id: str
    door: str
    key: str


class Claim(NamedTuple):
    """A key, and the message that its text becomes if the key is new. The order is that of the insert's columns."""

    account_id: str
    door: str
    key: str
    message_id: str
    at: UtcMs


_CLAIM = BulkInsert(
    _TEXT, ("account_id", "door", "key", "message_id", "received_at"), on_conflict="on conflict do nothing"
)
_FIND = select(_TEXT.c.account_id, _TEXT.c.door, _TEXT.c.key, _TEXT.c.message_id).where(
    one_of(_TEXT.c.account_id, texts("account_ids")), one_of(_TEXT.c.key, texts("keys"))
)


def claim(tx: Tx, claims: Sequence[Claim]) -> dict[CarrierKey, str]:
    """The message that each key belongs to: the one it was claimed for, or the one that came first.

    On PostgreSQL a claim waits for another hub's open transaction with the same key, so that only one of them has it; the keys are
    claimed in one order everywhere, so that two hubs do not wait for each other.
    """
    _CLAIM.run(tx.conn, sorted(claims))
    given = {
        "account_ids": sorted({one.account_id for one in claims}),
        "keys": sorted({one.key for one in claims}),
    }
    return {CarrierKey(row[0], row[1], row[2]): row[3] for row in tx.conn.execute(_FIND, given)}
