"""What waits on which line, as forecasts need it. All over unfinished messages only."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text

from hub.core.clock import UtcMs
from hub.storage.arrays import texts

_OPEN = "state in ('scheduled', 'queued', 'retried')"


class WaitingOf(NamedTuple):
    """What of a batch waits on one line; None = on no line yet."""

    batch_id: str
    line_id: str | None
    segments: int
    last_id: str
    first_scheduled_at: UtcMs | None
    """When the first of those that wait for their time goes; None when none does."""
    last_scheduled_at: UtcMs | None


_WAITING_OF_BATCHES = """select batch_id, line_id, sum(segments), max(id),
  min(case when state = 'scheduled' then scheduled_at end), max(case when state = 'scheduled' then scheduled_at end)
from message where batch_id in ({ids}) and batch_id is not null and {open} group by batch_id, line_id"""


def waiting_of_batches(conn: Connection, batch_ids: Collection[str]) -> list[WaitingOf]:
    """What waits in the hub of these batches, by line."""
    if not batch_ids:
        return []
    found = conn.execute(_with_ids(conn, _WAITING_OF_BATCHES), {"ids": sorted(batch_ids)})
    return [WaitingOf(row[0], row[1], int(row[2]), row[3], row[4], row[5]) for row in found]


def _with_ids(conn: Connection, statement: str) -> TextClause:
    listed = "select value from json_each(:ids)" if conn.dialect.name == "sqlite" else "select unnest(:ids)"
    return text(statement.format(ids=listed, open=_OPEN)).bindparams(texts("ids"))


_AHEAD = text(
    f"select coalesce(sum(segments), 0) from message where line_id = :line_id and {_OPEN}"
    " and state in ('queued', 'retried') and id <= :last_id"
)


def waiting_up_to(conn: Connection, line_id: str, last_id: str) -> int:
    """Segments that wait on a line, of texts no younger than this one."""
    return int(conn.execute(_AHEAD, {"line_id": line_id, "last_id": last_id}).scalar_one())


_ON_LINES = """select line_id, sum(segments) from message
where line_id in ({ids}) and state in ('queued', 'retried') group by line_id"""


def waiting_on_lines(conn: Connection, line_ids: Collection[str]) -> dict[str, int]:
    """Segments that wait on each of these lines."""
    if not line_ids:
        return {}
    found = conn.execute(_with_ids(conn, _ON_LINES), {"ids": sorted(line_ids)})
    return {str(line_id): int(segments) for line_id, segments in found}
