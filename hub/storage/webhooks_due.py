"""What is due, fetched fairly: a few rows for each lane, never the first rows of all.

Ordered by time alone, one endpoint's backlog of 200,000 would be all anybody fetches. So the endpoints with work are found by a loose
index scan over `wh_due` (one seek for each endpoint and queue), and then a few rows are read for each that has room. No state "in
progress" is ever written: who asks names the rows that are on their way already.

Where deliveries of one endpoint keep an order (`order_key`), only the first unfinished one of a key may go. Three ways to read, by order:
by due time, each row with the one ahead of it (`none`, `message`: few rows share a key); by key, from a place that moves round
(`conversation`: one may have thousands waiting); by number alone (`endpoint`: one key).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import BigInteger, Connection, Text, TextClause, bindparam, text
from sqlalchemy.types import TypeEngine

from hub.core.clock import UtcMs
from hub.storage.direct import fetch
from hub.storage.transaction import DialectName

REPLAY_KEY = "~"
"""Begins the order key of a replay: replays keep an order among themselves, not with live deliveries. No id begins with it."""

ReadBy = Literal["due", "key", "number"]


class Want(NamedTuple):
    """Rows asked for, for one queue of one endpoint."""

    endpoint_id: str
    queue: int
    most: int
    after_key: str = ""
    """For reading by key: where the last reading ended."""


class Due(NamedTuple):
    """A delivery to try, with its event and what stands ahead of it."""

    id: int
    account_id: str
    endpoint_id: str
    endpoint_version: int
    """Of the endpoint now; not the one the delivery pinned."""
    format: str
    template: str | None
    target: str | None
    run: int
    queue: int
    order_key: str
    due_at: UtcMs
    attempts: int
    created_at: UtcMs
    first_at: UtcMs | None
    event_seq: int
    event_id: str
    event_type: str
    occurred_at: UtcMs
    data: str
    device_id: str | None
    line_id: str | None
    message_id: str | None
    trace_id: str | None
    ahead_id: int | None
    """The first unfinished delivery of the same key, when it is not this one."""
    ahead_due_at: UtcMs | None
    ahead_state: int | None


class Lane(NamedTuple):
    """A queue of an endpoint that has pending rows, and when the first is due."""

    endpoint_id: str
    queue: int
    due_at: UtcMs


# --- which lanes have work -----------------------------------------------------------------------------------------------------------

_PENDING = "from wh_delivery where state = 0"
_FIRST = f"select endpoint_id, queue, due_at {_PENDING}"
_ORDER = "order by endpoint_id, queue, due_at limit 1"
# SQLite uses only the first column of a row comparison to seek, and would walk a whole backlog to its end: two seeks there.
_DUE_LANES: Mapping[DialectName, TextClause] = {
    "sqlite": text(
        f"""with recursive s(endpoint_id, queue, due_at) as (select * from ({_FIRST} {_ORDER})
  union all select n.endpoint_id, n.queue, n.due_at from s join wh_delivery n on n.rowid = coalesce(
    (select rowid {_PENDING} and endpoint_id = s.endpoint_id and queue > s.queue order by queue, due_at limit 1),
    (select rowid {_PENDING} and endpoint_id > s.endpoint_id {_ORDER})))
select endpoint_id, queue, due_at from s"""
    ),
    "postgresql": text(
        f"""with recursive s as (({_FIRST} {_ORDER})
  union all select n.* from s, lateral ({_FIRST} and (endpoint_id, queue) > (s.endpoint_id, s.queue) {_ORDER}) n)
select endpoint_id, queue, due_at from s"""
    ),
}


def due_lanes(conn: Connection) -> list[Lane]:
    """Every queue with pending rows, whenever the first of them is due."""
    return [Lane(*row) for row in fetch(conn, _DUE_LANES[_dialect(conn)], {})]


# --- the rows -------------------------------------------------------------------------------------------------------------------------

_COLUMNS = """d.id, d.account_id, d.endpoint_id, ep.version, d.format, d.template, d.target, d.run, d.queue, d.order_key, d.due_at,
  d.attempts, d.created_at, d.first_at, ev.seq, ev.id, ev.type, ev.occurred_at, ev.data, ev.device_id, ev.line_id, ev.message_id,
  ev.trace_id"""
_JOINS = "join wh_event ev on ev.seq = d.event_seq join wh_endpoint ep on ep.id = d.endpoint_id"
_AHEAD = """left join wh_delivery h on h.id = (select p.id from wh_delivery p where p.endpoint_id = d.endpoint_id
  and p.order_key = d.order_key and p.order_key <> '' and p.state < 2 and p.id < d.id order by p.id limit 1)"""
_NOT_BUSY = {
    "sqlite": "{0} not in (select value from json_each(:busy))",
    "postgresql": "{0} <> all (cast(:busy as bigint[]))",
}
_PENDING_OF_LANE = """select {what} from wh_delivery x where x.endpoint_id = l.endpoint_id and x.queue = l.queue and x.state = 0
  and x.due_at <= :now and {busy} order by x.due_at, x.id"""
_WANTS = {
    "sqlite": "(select value ->> 0 as endpoint_id, value ->> 1 as queue from json_each(:wants)) l",
    "postgresql": "unnest(cast(:endpoints as text[]), cast(:queues as bigint[])) l(endpoint_id, queue)",
}


def _by_due(dialect: DialectName) -> TextClause:
    busy = _NOT_BUSY[dialect].format("x.id")
    if dialect == "sqlite":
        picked = f"wh_delivery d on d.id in ({_PENDING_OF_LANE.format(what='x.id', busy=busy)} limit :most)"
    else:
        picked = f"lateral ({_PENDING_OF_LANE.format(what='x.*', busy=busy)} limit :most) d on true"
    return _bound(
        f"""select {_COLUMNS}, h.id, h.due_at, h.state from {_WANTS[dialect]} join {picked} {_JOINS} {_AHEAD}
order by d.due_at, d.id"""
    )


_ORDER_KEY = Due._fields.index("order_key")
STEPS = 16
SCANNED = 256
"""Keys looked at in one step of reading by key."""
_NEXT_KEY = """select {0} from wh_delivery where endpoint_id = :endpoint_id and state < 2 and order_key <> ''
    and order_key > {1} order by order_key, id limit 1"""
_HEADS = {
    "sqlite": f"""with recursive k(order_key, id, n) as (select * from ({_NEXT_KEY.format("order_key, id, 1", ":after_key")})
  union all select h.order_key, h.id, k.n + 1 from k join wh_delivery h on h.rowid = ({_NEXT_KEY.format("rowid", "k.order_key")})
  where k.n < {SCANNED})""",
    "postgresql": f"""with recursive k as (({_NEXT_KEY.format("order_key, id, 1 as n", ":after_key")})
  union all select h.order_key, h.id, k.n + 1 from k, lateral ({_NEXT_KEY.format("order_key, id", "k.order_key")}) h
  where k.n < {SCANNED})""",
}


def _by_key(dialect: DialectName) -> TextClause:
    """The first unfinished delivery of each of the next keys, in the order of keys, and whether it may go."""
    may_go = f"d.queue = :queue and d.state = 0 and d.due_at <= :now and {_NOT_BUSY[dialect].format('d.id')}"
    return _bound(
        f"""{_HEADS[dialect]} select {_COLUMNS}, null, null, null, {may_go} from k
join wh_delivery d on d.id = k.id {_JOINS} order by k.n"""
    )


def _by_number(dialect: DialectName) -> TextClause:
    return _bound(
        f"""select {_COLUMNS}, null, null, null, d.state from wh_delivery d {_JOINS}
where d.endpoint_id = :endpoint_id and d.order_key = :key and d.order_key <> '' and d.state < 2 order by d.id limit :most"""
    )


def _newest(dialect: DialectName) -> TextClause:
    return _bound(
        f"""select {_COLUMNS}, h.id, h.due_at, h.state from (select x.id from wh_delivery x where x.endpoint_id = :endpoint_id
  and x.queue = :queue and x.state = 0 order by x.due_at desc, x.id desc limit 1) x
join wh_delivery d on d.id = x.id {_JOINS} {_AHEAD}"""
    )


def _bound(statement: str) -> TextClause:
    """With the types that PostgreSQL cannot guess."""
    made = text(statement)
    types: dict[str, TypeEngine[Any]] = {
        "now": BigInteger(),
        "most": BigInteger(),
        "queue": BigInteger(),
        "after_key": Text(),
    }
    return made.bindparams(
        *(bindparam(name, type_=types[name]) for name in types.keys() & made.compile().params.keys())
    )


_STATEMENTS: Mapping[tuple[str, DialectName], TextClause] = {
    (make.__name__, dialect): make(dialect)
    for make in (_by_due, _by_key, _by_number, _newest)
    for dialect in ("sqlite", "postgresql")
}


def read_due(conn: Connection, wants: Sequence[Want], busy: Sequence[int], now: UtcMs) -> list[Due]:
    """Rows due for the lanes that send by due time: at most `most` each, first due first."""
    dialect = _dialect(conn)
    found: list[Due] = []
    by_size: dict[int, list[Want]] = {}
    for want in wants:
        by_size.setdefault(want.most, []).append(want)
    for most, same in by_size.items():
        values: dict[str, Any] = {"most": most, "now": now, "busy": _numbers(dialect, busy)}
        if dialect == "sqlite":
            values["wants"] = json.dumps([(want.endpoint_id, want.queue) for want in same])
        else:
            values["endpoints"] = [want.endpoint_id for want in same]
            values["queues"] = [want.queue for want in same]
        found += [Due(*row) for row in fetch(conn, _STATEMENTS["_by_due", dialect], values)]
    return found


def read_heads(conn: Connection, want: Want, busy: Sequence[int], now: UtcMs) -> tuple[list[Due], str]:
    """The first unfinished delivery of each key that is due, from `after_key` on and round: keys take turns.

    Also tells after which key to go on. At most `STEPS` steps of `SCANNED` keys are looked at.
    """
    dialect = _dialect(conn)
    values = {"endpoint_id": want.endpoint_id, "queue": want.queue, "now": now, "busy": _numbers(dialect, busy)}
    found: dict[int, Due] = {}
    after, has_turned = want.after_key, not want.after_key
    for _ in range(STEPS):
        rows = fetch(conn, _STATEMENTS["_by_key", dialect], {**values, "after_key": after})
        for row in rows:
            if row[-1] and len(found) < want.most:
                found[row[0]] = Due(*row[:-1])
        after = rows[-1][_ORDER_KEY] if len(rows) == SCANNED else ""
        if len(found) >= want.most or (has_turned and not after):
            break
        has_turned = has_turned or not after
    if len(found) >= want.most:
        after = list(found.values())[-1].order_key
    return list(found.values()), after


def read_row(conn: Connection, want: Want, now: UtcMs) -> list[Due]:
    """The first unfinished deliveries of an endpoint that keeps one order for all; empty until the first of them is due.

    Rows that are on their way already are among them: they come first, and what follows them waits for them.
    """
    key = REPLAY_KEY + "*" if want.queue else "*"
    values = {"endpoint_id": want.endpoint_id, "key": key, "most": want.most}
    found: list[Due] = []
    for row in conn.execute(_STATEMENTS["_by_number", _dialect(conn)], values):
        due, state = Due(*row[:-1]), row[-1]
        if state != 0 or due.due_at > now:
            break
        found.append(due)
    return found


FAR = 1 << 62


def read_probes(conn: Connection, want: Want, read_by: ReadBy) -> list[Due]:
    """Candidates for finding out whether an endpoint is back: three of the oldest and the newest, due or not, none out of order."""
    few = want._replace(most=3)
    if read_by == "number":
        return read_row(conn, few, FAR)[:1]
    if read_by == "key":
        return read_heads(conn, few, (), FAR)[0]
    dialect = _dialect(conn)
    values = {"endpoint_id": want.endpoint_id, "queue": want.queue}
    newest = [Due(*row) for row in conn.execute(_STATEMENTS["_newest", dialect], values)]
    oldest = read_due(conn, [few], (), FAR)
    found = oldest + [row for row in newest if row.id not in {other.id for other in oldest}]
    return [row for row in found if row.ahead_id is None]


def _numbers(dialect: DialectName, numbers: Sequence[int]) -> Any:
    return json.dumps(list(numbers)) if dialect == "sqlite" else list(numbers)


def _dialect(conn: Connection) -> DialectName:
    return "sqlite" if conn.dialect.name == "sqlite" else "postgresql"
