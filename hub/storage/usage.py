"""Segments handed to each line's radio, per minute: what pacing and budgets are counted from.

It is written in the transaction that binds a message to its phone, so a restarted hub goes on counting where it stopped.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.arrays import one_of, texts
from hub.storage.schema.devices import LineUsage
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

USAGE = table_of(LineUsage)

_RECENT = select(USAGE.c.line_id, USAGE.c.minute, USAGE.c.segments).where(
    one_of(USAGE.c.line_id, texts("line_ids")), USAGE.c.minute >= bindparam("since")
)
_SUM = (
    select(USAGE.c.line_id, func.sum(USAGE.c.segments))
    .where(one_of(USAGE.c.line_id, texts("line_ids")), USAGE.c.minute >= bindparam("since"))
    .group_by(USAGE.c.line_id)
)


def _add(insert: Any) -> Any:
    return insert.on_conflict_do_update(
        index_elements=["line_id", "minute"], set_={"segments": USAGE.c.segments + insert.excluded.segments}
    )


_ADD: Mapping[DialectName, Any] = {
    "sqlite": _add(sqlite.insert(USAGE)),
    "postgresql": _add(postgresql.insert(USAGE)),
}


def recent_usage(conn: Connection, line_ids: Collection[str], since_minute: int) -> dict[str, list[tuple[int, int]]]:
    """`(minute since the epoch, segments)` of each line from a minute on."""
    usage: dict[str, list[tuple[int, int]]] = {}
    for line_id, minute, segments in conn.execute(_RECENT, {"line_ids": sorted(line_ids), "since": since_minute}):
        usage.setdefault(line_id, []).append((minute, segments))
    return usage


def usage_since(conn: Connection, line_ids: Collection[str], since_minute: int) -> dict[str, int]:
    """Segments of each line from a minute on, in one number."""
    if not line_ids:
        return {}
    rows = conn.execute(_SUM, {"line_ids": sorted(line_ids), "since": since_minute})
    return {str(line_id): int(segments) for line_id, segments in rows}


def add_usage(tx: Tx, used: Sequence[tuple[str, str, int, int]]) -> None:
    """Count `(account, line, minute, segments)`; each line and minute stands in the list once."""
    if used:
        keys = ("account_id", "line_id", "minute", "segments")
        tx.conn.execute(_ADD[tx.dialect], [dict(zip(keys, row, strict=True)) for row in sorted(used)])
