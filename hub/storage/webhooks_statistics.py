"""Numbers about the sending of one endpoint. Every statement names the account and looks at a bounded number of rows."""

from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, text

from hub.core.clock import UtcMs

COUNTED = 20_000
"""Newest deliveries of the endpoint that are counted."""
MEASURED = 2_000
"""Newest good answers whose time is measured."""


class SpanCount(NamedTuple):
    """Deliveries made in one span of time, by how they stand."""

    bucket: int
    """Which span: created_at // span."""
    state: int
    is_tried: bool
    deliveries: int


class Backlog(NamedTuple):
    """What waits."""

    pending: int
    failing: int
    """Of these, how many were tried already."""
    oldest_at: UtcMs | None
    next_at: UtcMs | None


class LastProblem(NamedTuple):
    """The newest try that failed, among the oldest deliveries that wait and the newest that ended in vain."""

    delivery_id: int
    at: UtcMs
    status: int | None
    outcome: str


class LastGood(NamedTuple):
    """The newest delivery that was taken."""

    delivery_id: int
    at: UtcMs
    status: int | None
    milliseconds: int | None


_NEWEST = """select id, state, attempts, created_at from wh_delivery
  where endpoint_id = :endpoint_id and account_id = :account_id order by id desc limit :most"""
_SPANS = text(
    f"""select created_at / :span as bucket, state, attempts > 0 as is_tried, count(*) from ({_NEWEST}) d
where created_at >= :since group by 1, 2, 3"""
).bindparams(bindparam("span", type_=BigInteger))
_BACKLOG = text(
    """select count(*), coalesce(sum(case when attempts > 0 then 1 else 0 end), 0), min(created_at), min(due_at)
from (select attempts, created_at, due_at from wh_delivery
  where endpoint_id = :endpoint_id and account_id = :account_id and state = 0 limit :most) d"""
)
_TIMES = text(
    """select a.ms_total from (select id from wh_delivery
  where endpoint_id = :endpoint_id and account_id = :account_id and state = 2 and created_at >= :since
  order by id desc limit :most) d
join wh_attempt a on a.delivery_id = d.id and a.outcome = 'ok' and a.ms_total is not null"""
)
_LAST_PROBLEM = text(
    """select a.delivery_id, a.started_at, a.status, a.outcome from (
  select id from (select id from wh_delivery
    where endpoint_id = :endpoint_id and account_id = :account_id and state = 0 order by id limit 50) waiting
  union all
  select id from (select id from wh_delivery
    where endpoint_id = :endpoint_id and account_id = :account_id and state = 3 order by id desc limit 50) dead) d
join wh_attempt a on a.delivery_id = d.id and a.outcome <> 'ok' order by a.started_at desc, a.id desc limit 1"""
)
_LAST_GOOD = text(
    """select d.id, a.started_at, a.status, a.ms_total from (select id from wh_delivery
  where endpoint_id = :endpoint_id and account_id = :account_id and state = 2 order by id desc limit 50) d
join wh_attempt a on a.delivery_id = d.id and a.outcome = 'ok' order by a.started_at desc, a.id desc limit 1"""
)


def count_spans(conn: Connection, account_id: str, endpoint_id: str, since: UtcMs, span: int) -> list[SpanCount]:
    """How deliveries made since then stand, span by span (milliseconds)."""
    given = {"account_id": account_id, "endpoint_id": endpoint_id, "since": since, "span": span, "most": COUNTED}
    return [SpanCount(row[0], row[1], bool(row[2]), row[3]) for row in conn.execute(_SPANS, given)]


def backlog(conn: Connection, account_id: str, endpoint_id: str) -> Backlog:
    """What waits for an endpoint."""
    given = {"account_id": account_id, "endpoint_id": endpoint_id, "most": COUNTED}
    return Backlog(*conn.execute(_BACKLOG, given).one())


def answer_times(conn: Connection, account_id: str, endpoint_id: str, since: UtcMs) -> list[int]:
    """Milliseconds of the newest good answers, shortest first."""
    given = {"account_id": account_id, "endpoint_id": endpoint_id, "since": since, "most": MEASURED}
    return sorted(conn.execute(_TIMES, given).scalars())


def last_good(conn: Connection, account_id: str, endpoint_id: str) -> LastGood | None:
    """The newest good answer."""
    row = conn.execute(_LAST_GOOD, {"account_id": account_id, "endpoint_id": endpoint_id}).first()
    return None if row is None else LastGood(*row)


def last_problem(conn: Connection, account_id: str, endpoint_id: str) -> LastProblem | None:
    """The newest try that failed."""
    row = conn.execute(_LAST_PROBLEM, {"account_id": account_id, "endpoint_id": endpoint_id}).first()
    return None if row is None else LastProblem(*row)
