"""Segments handed to each line's radio, added up over five seconds: what pacing and budgets are counted from.

It is written in the transaction that binds a message to its phone, so a restarted hub goes on counting where it stopped.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.core.pacing import bucket_of
from hub.storage.arrays import one_of, texts
from hub.storage.schema.devices import LineUsage
from hub.storage.transaction import DialectName, Tx
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


def _add(insert: Any) -> Any:
    return insert.on_conflict_do_update(
        index_elements=["line_id", "at"], set_={"segments": USAGE.c.segments + insert.excluded.segments}
    )


_ADD: Mapping[DialectName, Any] = {
    "sqlite": _add(sqlite.insert(USAGE)),
    "postgresql": _add(postgresql.insert(USAGE)),
}


def recent_usage(conn: Connection, line_ids: Collection[str], since: UtcMs) -> dict[str, list[tuple[UtcMs, int]]]:
    """`(start of its five seconds, segments)` of each line, from those five seconds on that `since` is in."""
    usage: dict[str, list[tuple[UtcMs, int]]] = {}
    for line_id, at, segments in conn.execute(_RECENT, {"line_ids": sorted(line_ids), "since": bucket_of(since)}):
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
    if used:
        at = bucket_of(tx.now)
        rows = [
            {"account_id": account_id, "line_id": line_id, "at": at, "segments": segments}
            for (account_id, line_id), segments in sorted(used.items())
        ]
        tx.conn.execute(_ADD[tx.dialect], rows)
