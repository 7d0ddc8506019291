"""Segments handed to each line's radio, added up over five seconds: what pacing and budgets are counted from.

It is written in the transaction that binds a message to its phone, so a restarted hub goes on counting where it stopped.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, func, select

from hub.core.clock import UtcMs
from hub.core.pacing import bucket_of
from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert
from hub.storage.direct import fetch
from hub.storage.schema.devices import LineUsage
from hub.storage.transaction import Tx
from hub.storage.types import table_of

USAGE = table_of(LineUsage)

_RECENT = select(USAGE.c.line_id, USAGE.c.at, USAGE.c.segments).where(
    one_of(USAGE.c.line_id, texts("line_ids")), USAGE.c.at >= bindparam("since")
)
_SUM = (
    select(USAGE.c.line_id, func.sum(USAGE.c.segments))
    .where(one_of(USAGE.c.line_id, texts("line_ids")), USAGE.c.at >= bindparam("since"))
    .group_by(USAGE.c.line_id)
)


_ADD = BulkInsert(
    USAGE,
    ("account_id", "line_id", "at", "segments"),
    on_conflict="on conflict (line_id, at) do update set segments = line_usage.segments + excluded.segments",
)


def recent_usage(conn: Connection, line_ids: Collection[str], since: UtcMs) -> dict[str, list[tuple[UtcMs, int]]]:
    """`(start of its five seconds, segments)` of each line, from those five seconds on that `since` is in."""
    usage: dict[str, list[tuple[UtcMs, int]]] = {}
    for line_id, at, segments in fetch(conn, _RECENT, {"line_ids": sorted(line_ids), "since": bucket_of(since)}):
        usage.setdefault(line_id, []).append((at, segments))
    return usage


def usage_since(conn: Connection, line_ids: Collection[str], since: UtcMs) -> dict[str, int]:
    """Segments of each line in one number, from those five seconds on that `since` is in."""
    if not line_ids:
        return {}
    rows = conn.execute(_SUM, {"line_ids": sorted(line_ids), "since": bucket_of(since)})
    return {str(line_id): int(segments) for line_id, segments in rows}


def add_usage(tx: Tx, used: Mapping[tuple[str, str], int]) -> None:
    """Count segments that (account, line) hands to its radio now."""
    at = bucket_of(tx.now)
    _ADD.run(tx.conn, [(*line, at, segments) for line, segments in sorted(used.items())])
