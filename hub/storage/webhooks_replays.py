"""Replays: new deliveries for events that were delivered, or not, before.

A replay of many events is a row with a cursor over event numbers. The cursor moves in the transaction that makes the deliveries, so that
a crash half-way neither leaves out an event nor replays one twice.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, TextClause, insert, select, text

from hub.core.clock import UtcMs
from hub.storage.schema.webhooks import WebhookReplay
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of
from hub.storage.webhooks_due import REPLAY_KEY
from hub.storage.webhooks_outbox import ORDER_KEY, wants

STEP = 500
SCANNED = 2_000
"""Events looked at in one step, whosever they are: what a step costs does not grow with what is left."""
MOST_WAITING = 2_000
"""A replay's deliveries that wait at once: the rest of it is not in anybody's way yet."""
MOST_LISTED = 100

_REPLAY = table_of(WebhookReplay)
_BOTH: tuple[DialectName, DialectName] = ("sqlite", "postgresql")


class Wanted(NamedTuple):
    """Which events, as parameters: empty text and 0 stand for "any"."""

    endpoint_id: str
    types: str
    states: str
    """As digits of `wh_delivery.state`, such as `,3,4,`."""
    since: UtcMs
    until: UtcMs
    message_id: str


_LAST = """left join wh_delivery p on p.event_seq = ev.seq and p.endpoint_id = ep.id and p.run = (select max(run) from wh_delivery q
  where q.event_seq = ev.seq and q.endpoint_id = ep.id and q.target_key = p.target_key)"""


# In the order of the primary key and cut off: without that a planner without statistics reads an account's whole index at each step.
_SCANNED = "(select {0} from wh_event where seq > :after and seq <= :up_to order by seq limit :scanned)"


def _matching(dialect: DialectName, events: str = "wh_event") -> str:
    has = "instr(:{0}, {1}) > 0" if dialect == "sqlite" else "strpos(:{0}, {1}) > 0"
    return f"""from wh_endpoint ep join {events} ev on ev.account_id = ep.account_id {_LAST}
where ep.id = :endpoint_id and ev.seq > :after and ev.seq <= :up_to
  and (p.id is not null or (not ep.is_implicit and {wants(dialect)}))
  and (:types = '' or {has.format("types", "',' || ev.type || ','")})
  and (:states = '' or (p.id is not null and {has.format("states", "',' || p.state || ','")}))
  and (:since = 0 or ev.occurred_at >= :since) and (:until = 0 or ev.occurred_at < :until)
  and (:message_id = '' or ev.message_id = :message_id)"""


_COLUMNS = """insert into wh_delivery (account_id, endpoint_id, endpoint_version, format, template, target, target_key, event_seq, run,
  queue, order_key, state, due_at, attempts, created_at, replay_id)"""
_VALUES = f"""ep.account_id, ep.id, ep.version, ep.format, ep.template, p.target, coalesce(p.target_key, ''), ev.seq,
  coalesce(p.run + 1, 0), 1, case when {ORDER_KEY} = '' then '' else '{REPLAY_KEY}' || {ORDER_KEY} end, 0, :now, 0, :now, :replay_id"""
_COUNT = {dialect: text(f"select count(*) {_matching(dialect)}") for dialect in _BOTH}
_SOME = _SCANNED.format("*")
_SCANNED_TO = text(f"select max(seq) from {_SCANNED.format('seq')} x")
_NEXT = {dialect: text(f"select ev.seq {_matching(dialect, _SOME)} order by ev.seq limit :step") for dialect in _BOTH}
_MAKE = {dialect: text(f"{_COLUMNS} select {_VALUES} {_matching(dialect, _SOME)} order by ev.seq") for dialect in _BOTH}
_LAST_SEQ = text("select coalesce(max(seq), 0) from wh_event where account_id = :account_id")
# Those with room only: replays to endpoints that are down stand still, and must not stand in the way of the others.
_TO_STEP = """select * from wh_replay r where r.state = 'running' and
  (select count(*) from (select 1 from wh_delivery d where d.replay_id = r.id and d.state = 0 limit :most) x) < :most
order by r.id limit 20"""
_LOCK: Mapping[DialectName, TextClause] = {
    "sqlite": text(_TO_STEP),
    "postgresql": text(f"{_TO_STEP} for update of r skip locked"),
}
_MOVE = text("update wh_replay set cursor = :cursor, created = created + :made where id = :replay_id")
_END = text("update wh_replay set state = :state, done_at = :now where id = :replay_id and state = 'running'")
_CANCEL_WAITING = text(
    "update wh_delivery set state = 4, why = :why, done_at = :now where replay_id = :replay_id and state in (0, 1)"
)
_PROGRESS = text("select state, count(*) from wh_delivery where replay_id = :replay_id group by state")


def count_matching(conn: Connection, wanted: Wanted, up_to: int) -> int:
    """How many deliveries a replay will make."""
    dialect: DialectName = "sqlite" if conn.dialect.name == "sqlite" else "postgresql"
    return int(conn.execute(_COUNT[dialect], {**wanted._asdict(), "after": 0, "up_to": up_to}).scalar_one())


def last_event(conn: Connection, account_id: str) -> int:
    """The number of an account's newest event."""
    return int(conn.execute(_LAST_SEQ, {"account_id": account_id}).scalar_one())


def insert_replay(tx: Tx, row: Mapping[str, Any]) -> None:
    """A replay to be worked off."""
    tx.conn.execute(insert(_REPLAY), {**row, "created_at": tx.now})


def running_replays(tx: Tx) -> list[Row[Any]]:
    """Replays to work on, not more of which wait than `MOST_WAITING`; on PostgreSQL those no other process is working on now."""
    return list(tx.conn.execute(_LOCK[tx.dialect], {"most": MOST_WAITING}))


_RUNNING = text("select 1 from wh_replay where state = 'running' limit 1")


def has_running(conn: Connection) -> bool:
    """Whether there is a replay to work on."""
    return conn.execute(_RUNNING).first() is not None


def step(tx: Tx, replay_id: str, wanted: Wanted, cursor: int, up_to: int) -> bool:
    """Make the next deliveries of a replay and move its cursor; False when none were left."""
    values = {**wanted._asdict(), "now": tx.now, "replay_id": replay_id, "after": cursor, "up_to": up_to}
    values |= {"step": STEP, "scanned": SCANNED}
    scanned_to = tx.conn.execute(_SCANNED_TO, values).scalar_one()
    if scanned_to is None:
        return False
    events = [row[0] for row in tx.conn.execute(_NEXT[tx.dialect], values)]
    to, made = events[-1] if len(events) == STEP else scanned_to, 0
    if events:
        made = tx.conn.execute(_MAKE[tx.dialect], {**values, "up_to": to}).rowcount
    tx.conn.execute(_MOVE, {"replay_id": replay_id, "cursor": to, "made": made})
    return True


def end_replay(tx: Tx, replay_id: str, state: str, why: str | None = None) -> bool:
    """A replay is done, or was cancelled with what waits of it; False when it had ended already."""
    ended = tx.conn.execute(_END, {"replay_id": replay_id, "state": state, "now": tx.now}).rowcount > 0
    if ended and why is not None:
        tx.conn.execute(_CANCEL_WAITING, {"replay_id": replay_id, "why": why, "now": tx.now})
    return ended


def find_replays(conn: Connection, account_id: str, *, replay_id: str = "", endpoint_id: str = "") -> list[Row[Any]]:
    """An account's replays, newest first."""
    statement = select(_REPLAY).where(_REPLAY.c.account_id == account_id)
    if replay_id:
        statement = statement.where(_REPLAY.c.id == replay_id)
    if endpoint_id:
        statement = statement.where(_REPLAY.c.endpoint_id == endpoint_id)
    return list(conn.execute(statement.order_by(_REPLAY.c.id.desc()).limit(MOST_LISTED)))


def progress(conn: Connection, replay_id: str) -> dict[int, int]:
    """How many of a replay's deliveries are in each state."""
    return {row[0]: row[1] for row in conn.execute(_PROGRESS, {"replay_id": replay_id})}


# --- one, from the log -------------------------------------------------------------------------------------------------------------------

_AGAIN = text(
    f"""{_COLUMNS} select d.account_id, d.endpoint_id, ep.version, ep.format, ep.template, d.target, d.target_key, d.event_seq,
  (select max(q.run) + 1 from wh_delivery q where q.event_seq = d.event_seq and q.endpoint_id = d.endpoint_id
    and q.target_key = d.target_key), 1, case when {ORDER_KEY} = '' then '' else '{REPLAY_KEY}' || {ORDER_KEY} end, 0, :now, 0, :now, null
from wh_delivery d join wh_endpoint ep on ep.id = d.endpoint_id join wh_event ev on ev.seq = d.event_seq
where d.id = :delivery_id and d.account_id = :account_id returning id"""
)
_STATE = text(
    """select d.state, d.endpoint_id, ep.state as endpoint_state, ep.deleted_at
from wh_delivery d join wh_endpoint ep on ep.id = d.endpoint_id
where d.id = :delivery_id and d.account_id = :account_id"""
)
_CANCEL = text(
    """update wh_delivery set state = 4, why = :why, done_at = :now
where id = :delivery_id and account_id = :account_id and state in (0, 1)"""
)


def state_of(tx: Tx, account_id: str, delivery_id: int) -> Row[Any] | None:
    """A delivery's state and its endpoint's."""
    return tx.conn.execute(_STATE, {"account_id": account_id, "delivery_id": delivery_id}).first()


def deliver_again(tx: Tx, account_id: str, delivery_id: int) -> int:
    """One more run of a delivery; its number."""
    values = {"account_id": account_id, "delivery_id": delivery_id, "now": tx.now}
    return int(tx.conn.execute(_AGAIN, values).scalar_one())


def cancel_delivery(tx: Tx, account_id: str, delivery_id: int, why: str) -> bool:
    """End a delivery that waits; False when it does not."""
    values = {"account_id": account_id, "delivery_id": delivery_id, "why": why, "now": tx.now}
    return tx.conn.execute(_CANCEL, values).rowcount > 0
