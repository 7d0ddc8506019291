"""What is done with many waiting deliveries at once, some at a time: held, let go, dropped, given up.

Each step is one short statement over at most `STEP` rows, so that no commit waits for an endpoint's backlog of 200,000.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

from hub.core.clock import UtcMs
from hub.storage.transaction import Tx

STEP = 500


class ChoreRow(NamedTuple):
    """A lane with something left to do."""

    endpoint_id: str
    account_id: str
    chore: str


_CHORES = text(
    "select endpoint_id, account_id, chore from wh_lane where chore is not null order by endpoint_id limit 100"
)
_SOME = "select id from wh_delivery where endpoint_id = :endpoint_id and state = {0}{1} order by id limit :step"
_HOLD = text(f"update wh_delivery set state = 1, why = :why where id in ({_SOME.format(0, '')}) and state = 0")
_LET_GO = text(
    f"""update wh_delivery set state = 0, why = null, due_at = :now, attempts = 0, first_at = null
where id in ({_SOME.format(1, " and id <= :up_to")}) and state = 1"""
)
_DROP = text(
    f"""update wh_delivery set state = 4, why = :why, done_at = :now
where id in ({_SOME.format(1, " and id <= :up_to")}) and state = 1"""
)
_DROP_OLDER = text(
    f"""update wh_delivery set state = 4, why = :why, done_at = :now
where id in ({_SOME.format(1, " and id <= :up_to")}) and state = 1
  and (select ev.occurred_at from wh_event ev where ev.seq = wh_delivery.event_seq) < :since"""
)
_CANCEL = tuple(
    text(
        f"update wh_delivery set state = 4, why = :why, done_at = :now where id in ({_SOME.format(state, '')}) and state = {state}"
    )
    for state in (0, 1)
)
_GIVE_UP = text(
    """update wh_delivery set state = 3, why = :why, done_at = :now where state = 0 and id in (
  select id from wh_delivery where endpoint_id = :endpoint_id and queue in (0, 1) and state = 0 and due_at <= :due_before limit :step)"""
)
_DONE = text("update wh_lane set chore = null where endpoint_id = :endpoint_id and chore = :chore")


def open_chores(conn: Connection) -> list[ChoreRow]:
    """Lanes with something left to do."""
    return [ChoreRow(*row) for row in conn.execute(_CHORES)]


def hold(tx: Tx, endpoint_id: str, why: str) -> int:
    """Pending deliveries become held; how many did."""
    return tx.conn.execute(_HOLD, {"endpoint_id": endpoint_id, "why": why, "step": STEP}).rowcount


def let_go(tx: Tx, endpoint_id: str, up_to: int) -> int:
    """Held deliveries up to a number become pending, due now, with all their tries before them."""
    values = {"endpoint_id": endpoint_id, "up_to": up_to, "now": tx.now, "step": STEP}
    return tx.conn.execute(_LET_GO, values).rowcount


def drop(tx: Tx, endpoint_id: str, up_to: int, why: str) -> int:
    """Held deliveries up to a number are cancelled."""
    values = {"endpoint_id": endpoint_id, "up_to": up_to, "now": tx.now, "why": why, "step": STEP}
    return tx.conn.execute(_DROP, values).rowcount


def drop_older(tx: Tx, endpoint_id: str, up_to: int, since: UtcMs, why: str) -> int:
    """Of the oldest held deliveries, those whose event happened before `since` are cancelled."""
    values = {"endpoint_id": endpoint_id, "up_to": up_to, "now": tx.now, "since": since, "why": why, "step": STEP}
    return tx.conn.execute(_DROP_OLDER, values).rowcount


def cancel_waiting(tx: Tx, endpoint_id: str, why: str) -> int:
    """Pending and held deliveries are cancelled."""
    values = {"endpoint_id": endpoint_id, "now": tx.now, "why": why, "step": STEP}
    return sum(tx.conn.execute(statement, values).rowcount for statement in _CANCEL)


def give_up(tx: Tx, endpoint_id: str, due_before: UtcMs, why: str) -> int:
    """Pending deliveries that have been due since before then are dead."""
    values = {"endpoint_id": endpoint_id, "due_before": due_before, "now": tx.now, "why": why, "step": STEP}
    return tx.conn.execute(_GIVE_UP, values).rowcount


def chore_done(tx: Tx, endpoint_id: str, chore: str) -> None:
    """Nothing is left of this chore; one that was set meanwhile stays."""
    tx.conn.execute(_DONE, {"endpoint_id": endpoint_id, "chore": chore})


_SWITCH_ON = text(
    """update wh_endpoint set state = 'active', state_reason = null, version = version + 1, updated_at = :now
where id = :endpoint_id and state = 'paused' and deleted_at is null"""
)


def switch_on(tx: Tx, endpoint_id: str) -> None:
    """A paused endpoint is active again; one that was switched off or deleted meanwhile stays so."""
    tx.conn.execute(_SWITCH_ON, {"endpoint_id": endpoint_id, "now": tx.now})


_ADD = text(
    """update wh_lane set chore = :chore where endpoint_id = :endpoint_id and chore is null
  and exists (select 1 from wh_endpoint ep where ep.id = wh_lane.endpoint_id and ep.version = :version)"""
)


def add_chore(tx: Tx, endpoint_id: str, version: int, chore: str) -> None:
    """Write a chore down for an endpoint that is still at this version and has none."""
    tx.conn.execute(_ADD, {"endpoint_id": endpoint_id, "version": version, "chore": chore})


_EXPIRE_HELD = text(
    """update wh_delivery set state = 4, why = :why, done_at = :now where state = 1 and id in (
  select d.id from wh_endpoint ep join wh_delivery d on d.endpoint_id = ep.id and d.state = 1
  where ep.state = 'disabled' and d.created_at < :before order by d.id limit :step)"""
)


def expire_held(tx: Tx, before: UtcMs, why: str) -> int:
    """Held deliveries made before then end: their events are about to be forgotten."""
    return tx.conn.execute(_EXPIRE_HELD, {"before": before, "why": why, "now": tx.now, "step": STEP}).rowcount
