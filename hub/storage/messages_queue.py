"""Which messages wait: what dispatch claims, and what the timers find.

Every statement here reads a partial index that holds unfinished messages only (`message_waiting`, `message_offered`,
`message_scheduled`, `message_expiring`, `message_cancel_waits`, `message_uncertain`, `message_on_device`), so ten million
finished ones cost it nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Connection, TextClause, bindparam, func, or_, select, text

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.direct import fetch
from hub.storage.messages import COLUMNS, MESSAGE, MessageRow
from hub.storage.messages_lines import LINE
from hub.storage.schema.messages import EXPIRING, ON_DEVICE, PENDING, UNBOUND, Batch
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

BATCH = table_of(Batch)
_NAMES = ", ".join(f"m.{column.name}" for column in COLUMNS)
_TYPED = {name: MESSAGE.c[name] for name in MessageRow.__struct_fields__}


class Due(NamedTuple):
    """A message a timer found."""

    account_id: str
    message_id: str


# --- claiming ------------------------------------------------------------------------------------------------------------

# The inner query walks `message_waiting` in its own order and stops after `most` rows: that is the whole cost of a claim,
# however many wait behind them. Rows of another writer are skipped, not waited for.
_CLAIM_SQLITE = text(
    f"""select {_NAMES} from json_each(:line_ids) w join message m on m.id in (
  select c.id from message c where c.line_id = w.value and c.{PENDING} and c.offered_at is null and c.due_at <= :now
  order by c.priority desc, c.due_at, c.id limit :most)
order by m.line_id, m.priority desc, m.due_at, m.id"""
).columns(*COLUMNS)
_CLAIM_POSTGRESQL = text(
    f"""select {_NAMES} from unnest(cast(:line_ids as text[])) w(line_id)
cross join lateral (
  select * from message c where c.line_id = w.line_id and c.{PENDING} and c.offered_at is null and c.due_at <= :now
  order by c.priority desc, c.due_at, c.id limit :most for update skip locked) m
order by m.line_id, m.priority desc, m.due_at, m.id"""
).columns(*COLUMNS)


def claim(tx: Tx, line_ids: Collection[str], most: int) -> dict[str, list[MessageRow]]:
    """For each line the first messages it may offer now, at most `most` of each: by priority, then due time, then id."""
    if not line_ids:
        return {}
    ids = sorted(line_ids)
    given = {"line_ids": ids_for(tx, ids), "most": most, "now": tx.now}
    claimed: dict[str, list[MessageRow]] = {}
    for row in fetch(tx.conn, _CLAIM_SQLITE if tx.dialect == "sqlite" else _CLAIM_POSTGRESQL, given):
        message = MessageRow(*row)
        claimed.setdefault(message.line_id or "", []).append(message)
    return claimed


_PAUSED_BATCHES = select(BATCH.c.id).where(one_of(BATCH.c.id, texts("ids")), BATCH.c.paused_at.is_not(None))


def paused_batches(conn: Connection, ids: Collection[str]) -> set[str]:
    """Which of these batches are paused."""
    if not ids:
        return set()
    return {row[0] for row in conn.execute(_PAUSED_BATCHES, {"ids": sorted(ids)})}


# --- what waits where ----------------------------------------------------------------------------------------------------

# A loose index scan: one probe of `message_waiting` per line that has messages, however many it has.
_WAITING_LINES = text(
    f"""with recursive w(line_id) as (
  select min(line_id) from message where {PENDING}
  union all
  select (select min(line_id) from message where {PENDING} and line_id > w.line_id) from w where w.line_id is not null)
select line_id from w where line_id is not null"""
)
# While there is no line at all, as on a new hub whose texts wait for its first phone, no message is looked at.
_UNPLACED = text(
    f"""select account_id, id from (select 1 from line where removed_at is null limit 1) some_line cross join message
where {PENDING} and line_id is null
and exists (select 1 from line where line.account_id = message.account_id and line.removed_at is null)
order by priority desc, due_at, id limit :most"""
)
_DEPTH_SQLITE = text(
    f"""select l.value, (select coalesce(sum(segments), 0) from (
  select c.segments from message c where c.line_id = l.value and c.{PENDING} limit :most)) from json_each(:line_ids) l"""
)
_DEPTH_POSTGRESQL = text(
    f"""select l.id, (select coalesce(sum(segments), 0) from (
  select c.segments from message c where c.line_id = l.id and c.{PENDING} limit :most) q)
from unnest(cast(:line_ids as text[])) l(id)"""
)
_DEPTH: Mapping[DialectName, TextClause] = {"sqlite": _DEPTH_SQLITE, "postgresql": _DEPTH_POSTGRESQL}
DEPTH_LIMIT = 100
"""Messages counted per line when queues are compared; beyond it all queues are long."""

_WITH_WAITING = f"""exists (
  select 1 from message c where c.line_id = {{0}} and c.{PENDING} and c.offered_at is null and c.due_at <= :now)"""
_LINES_WITH_WAITING: Mapping[DialectName, TextClause] = {
    "sqlite": text(f"select l.value from json_each(:line_ids) l where {_WITH_WAITING.format('l.value')}"),
    "postgresql": text(
        f"select l.id from unnest(cast(:line_ids as text[])) l(id) where {_WITH_WAITING.format('l.id')}"
    ),
}
_WAITED_FOR = (
    select(LINE.c.account_id, LINE.c.id)
    .where(
        one_of(LINE.c.device_id, texts("device_ids")),
        LINE.c.removed_at.is_(None),
        text(f"exists (select 1 from message c where c.line_id = line.id and c.{PENDING})"),
    )
    .order_by(LINE.c.id)
)

_STRANDED = (
    select(MESSAGE.c.account_id, MESSAGE.c.id)
    .where(
        MESSAGE.c.line_id == bindparam("line_id"),
        text(PENDING),
        MESSAGE.c.offered_at.is_(None),
        or_(~MESSAGE.c.is_pinned, bindparam("with_pinned", type_=Boolean)),
        MESSAGE.c.due_at <= bindparam("now"),
    )
    .order_by(MESSAGE.c.priority.desc(), MESSAGE.c.due_at, MESSAGE.c.id)
    .limit(bindparam("most"))
)
_OPEN_OFFERS = select(MESSAGE.c.device_id, MESSAGE.c.line_id, MESSAGE.c.segments).where(
    one_of(MESSAGE.c.device_id, texts("device_ids")),
    text(PENDING),
    MESSAGE.c.offered_at.is_not(None),
    MESSAGE.c.device_id.is_not(None),
)


_WAITING_FOR = (
    select(MESSAGE.c.account_id, MESSAGE.c.id)
    .where(
        one_of(MESSAGE.c.line_id, texts("line_ids")),
        text(PENDING),
        MESSAGE.c.account_id == bindparam("account_id"),
        MESSAGE.c.offered_at.is_(None),
    )
    .order_by(MESSAGE.c.priority.desc(), MESSAGE.c.due_at, MESSAGE.c.id)
    .limit(bindparam("most"))
)
_HELD_BY = select(func.count()).where(
    MESSAGE.c.device_id == bindparam("device_id"),
    MESSAGE.c.account_id == bindparam("account_id"),
    text(ON_DEVICE),
)


def waiting_for(conn: Connection, account_id: str, line_ids: Collection[str], most: int) -> list[Due]:
    """Messages that wait for these lines and are offered to nobody, due or not, those that go first, first."""
    if not line_ids:
        return []
    given = {"account_id": account_id, "line_ids": sorted(line_ids), "most": most}
    return [Due(*row) for row in conn.execute(_WAITING_FOR, given)]


def count_held_by(conn: Connection, account_id: str, device_id: str) -> int:
    """Unfinished messages that a phone holds, may hold, or is being offered."""
    return int(conn.execute(_HELD_BY, {"account_id": account_id, "device_id": device_id}).scalar_one())


def waiting_lines(conn: Connection) -> list[str]:
    """Every line that has waiting messages, due or not."""
    return [row[0] for row in conn.execute(_WAITING_LINES)]


def unplaced(conn: Connection, most: int) -> list[Due]:
    """Waiting messages for which there was no line when they came, of accounts that have one now."""
    return [Due(*row) for row in conn.execute(_UNPLACED, {"most": most})]


def queue_depths(tx: Tx, line_ids: Collection[str]) -> dict[str, int]:
    """Segments waiting for each line; only its first hundred messages are counted."""
    if not line_ids:
        return {}
    given = {"line_ids": ids_for(tx, sorted(line_ids)), "most": DEPTH_LIMIT}
    rows = fetch(tx.conn, _DEPTH[tx.dialect], given)
    return {str(row[0]): int(row[1]) for row in rows}


def lines_with_waiting(tx: Tx, line_ids: Collection[str]) -> list[str]:
    """Which of these lines have a due message that is offered to nobody."""
    given = {"line_ids": ids_for(tx, sorted(line_ids)), "now": tx.now}
    return [row[0] for row in fetch(tx.conn, _LINES_WITH_WAITING[tx.dialect], given)]


def lines_waited_for(conn: Connection, device_ids: Collection[str]) -> list[tuple[str, str]]:
    """`(account, line)` of the lines in these phones that have waiting messages, due or not, offered or not."""
    return [(row[0], row[1]) for row in fetch(conn, _WAITED_FOR, {"device_ids": sorted(device_ids)})]


def stranded(conn: Connection, line_id: str, now: UtcMs, most: int, *, with_pinned: bool) -> list[Due]:
    """Due messages of a line that may leave it for another, those that go first, first."""
    given = {"line_id": line_id, "now": now, "most": most, "with_pinned": with_pinned}
    return [Due(*row) for row in conn.execute(_STRANDED, given)]


def open_offers(conn: Connection, device_ids: Collection[str]) -> list[tuple[str, str, int]]:
    """`(phone, line, segments)` of each offer that was not accepted yet."""
    rows = fetch(conn, _OPEN_OFFERS, {"device_ids": sorted(device_ids)})
    return [(row[0], row[1] or "", row[2]) for row in rows]


# --- timers --------------------------------------------------------------------------------------------------------------


def _due(*conditions: Any, order: Any) -> Any:
    return select(MESSAGE.c.account_id, MESSAGE.c.id).where(*conditions).order_by(order).limit(bindparam("most"))


_SCHEDULED = _due(
    text("state = 'scheduled'"), MESSAGE.c.scheduled_at <= bindparam("until"), order=MESSAGE.c.scheduled_at
)
_UNANSWERED = (
    select(MESSAGE.c.account_id, MESSAGE.c.id, MESSAGE.c.device_id, MESSAGE.c.offered_at)
    .where(text("offered_at is not null"), MESSAGE.c.offered_at <= bindparam("until"))
    .order_by(MESSAGE.c.offered_at)
    .limit(bindparam("most"))
)
_OVER = _due(
    text(EXPIRING),
    text("state <> 'dispatched'"),
    MESSAGE.c.expires_at <= bindparam("until"),
    order=MESSAGE.c.expires_at,
)
_OVERDUE = _due(
    text(EXPIRING),
    text("state = 'dispatched'"),
    MESSAGE.c.expires_at <= bindparam("until"),
    order=MESSAGE.c.expires_at,
)
_LONG_UNCERTAIN = _due(
    text("state = 'uncertain'"), MESSAGE.c.uncertain_at <= bindparam("until"), order=MESSAGE.c.uncertain_at
)
_CANCEL_WAITS = _due(text(f"cancel_requested_at is not null and {UNBOUND}"), order=MESSAGE.c.cancel_requested_at)


def _found(conn: Connection, statement: Any, until: UtcMs, most: int) -> list[Due]:
    return [Due(*row) for row in conn.execute(statement, {"until": until, "most": most})]


def scheduled_until(conn: Connection, until: UtcMs, most: int) -> list[Due]:
    """Messages whose time has come."""
    return _found(conn, _SCHEDULED, until, most)


class OpenOffer(NamedTuple):
    """An offer nobody accepted yet."""

    account_id: str
    message_id: str
    device_id: str | None
    offered_at: UtcMs


def offers_until(conn: Connection, until: UtcMs, most: int) -> list[OpenOffer]:
    """Messages offered at or before this time and not accepted."""
    return [OpenOffer(*row) for row in conn.execute(_UNANSWERED, {"until": until, "most": most})]


def expired_until(conn: Connection, until: UtcMs, most: int) -> list[Due]:
    """Unbound messages whose time to live was over by then."""
    return _found(conn, _OVER, until, most)


def overdue_until(conn: Connection, until: UtcMs, most: int) -> list[Due]:
    """Messages bound to a phone whose time to live was over by then."""
    return _found(conn, _OVERDUE, until, most)


def uncertain_until(conn: Connection, until: UtcMs, most: int) -> list[Due]:
    """Messages that have been uncertain since then or longer."""
    return _found(conn, _LONG_UNCERTAIN, until, most)


def cancels_waiting(conn: Connection, most: int) -> list[Due]:
    """Unbound messages whose cancel was asked for while a restored hub was held, whatever the clock said then."""
    return [Due(*row) for row in conn.execute(_CANCEL_WAITS, {"most": most})]


def ids_for(tx: Tx, ids: Sequence[str]) -> Any:
    """A list of ids as a statement in text takes it; ids hold nothing that JSON would have to escape."""
    if tx.dialect == "postgresql":
        return list(ids)
    return "[" + ",".join(f'"{id_}"' for id_ in ids) + "]"
