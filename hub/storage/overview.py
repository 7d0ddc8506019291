"""Numbers about an account's texts and webhooks, counted when somebody looks.

Texts of a range are found by their ids, which begin with the millisecond they were made in: one range of one index, whatever else the
table holds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import BigInteger, Connection, Text, and_, bindparam, case, distinct, func, or_, select, text
from sqlalchemy.sql.elements import ColumnElement

from hub.core.clock import UtcMs
from hub.core.ids import first_id_at, time_of
from hub.storage.arrays import one_of, texts
from hub.storage.schema.messages import ON_DEVICE, Message
from hub.storage.types import table_of

_MESSAGE = table_of(Message)

LATENCY_SAMPLE = 5_000
"""The newest delivered texts whose time is measured."""
COUNTED = 10_000
"""Waiting deliveries of one webhook are counted up to here."""


class StateCount(msgspec.Struct, frozen=True):
    """Texts that came to the same end for the same reason."""

    state: str
    reason: str | None
    count: int
    bound: int
    """Of these, how many a phone held at some time."""
    sent: int
    """Of these, how many the network took."""
    peers: int
    """Different numbers among them."""
    first_id: str
    first_device_id: str | None
    last_device_id: str | None
    """Smallest and largest id of the phones that had them: the same = all were on that one."""


class BucketCount(msgspec.Struct, frozen=True):
    """Texts of one state made in one span of time."""

    bucket: int
    """Which span: (created_at + shift) // span."""
    state: str
    count: int


class LaneState(msgspec.Struct, frozen=True):
    """How much waits for one webhook."""

    endpoint_id: str
    url: str
    state: str
    failing_since: UtcMs | None
    pending: int
    oldest_at: UtcMs | None
    """When the delivery that is due first was made; None when nothing waits."""


class PhoneCount(msgspec.Struct, frozen=True):
    """What became of the texts of one phone, and what waits for it."""

    device_id: str
    sent_hour: int = 0
    failed_hour: int = 0
    sent_day: int = 0
    failed_day: int = 0
    waiting: int = 0
    """In the hub, for one of its lines, offered to nobody."""
    pinned: int = 0
    """Of these, how many ask for this phone or one of its lines: only a person moves them."""
    on_phone: int = 0
    """Held by the phone, or being offered to it."""
    oldest_at: UtcMs | None = None


class LagRow(NamedTuple):
    """How long the deliveries of one webhook made in one span of time waited."""

    endpoint_id: str
    bucket: int
    """Which span: created_at // span."""
    events: int
    usual: int
    """Milliseconds from the event to the end of its delivery (now, for what still waits), on the average."""
    worst: int


_LINE_IDS = texts("line_ids")


def _in_range(direction: str = "mt") -> ColumnElement[bool]:
    return and_(
        _MESSAGE.c.account_id == bindparam("account_id"),
        _MESSAGE.c.id >= bindparam("first_id"),
        _MESSAGE.c.id < bindparam("last_id"),
        _MESSAGE.c.direction == direction,
        or_(bindparam("device_id", type_=Text).is_(None), _MESSAGE.c.device_id == bindparam("device_id", type_=Text)),
        or_(_LINE_IDS.is_(None), one_of(_MESSAGE.c.line_id, _LINE_IDS)),
    )


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_BY_STATE = (
    select(
        _MESSAGE.c.state,
        _MESSAGE.c.reason,
        func.count().label("count"),
        _how_many(_MESSAGE.c.bound_at.is_not(None)).label("bound"),
        _how_many(_MESSAGE.c.sent_at.is_not(None)).label("sent"),
        func.count(distinct(_MESSAGE.c.peer)).label("peers"),
        func.min(_MESSAGE.c.id).label("first_id"),
        func.min(_MESSAGE.c.device_id).label("first_device_id"),
        func.max(_MESSAGE.c.device_id).label("last_device_id"),
    )
    .where(_in_range())
    .group_by(_MESSAGE.c.state, _MESSAGE.c.reason)
)
_BUCKET = ((_MESSAGE.c.created_at + bindparam("shift", type_=BigInteger)) // bindparam("span", type_=BigInteger)).label(
    "bucket"
)
_BY_BUCKET = (
    select(_BUCKET, _MESSAGE.c.state, func.count().label("count"))
    .where(_in_range())
    .group_by(_BUCKET, _MESSAGE.c.state)
)
_DELIVERY_TIMES = (
    select((_MESSAGE.c.delivered_at - _MESSAGE.c.due_at).label("milliseconds"))
    .where(_in_range(), _MESSAGE.c.delivered_at.is_not(None))
    .order_by(_MESSAGE.c.id.desc())
    .limit(LATENCY_SAMPLE)
)
_RECEIVED = select(func.count()).select_from(_MESSAGE).where(_in_range("mo"))
# The words are written out, not bound: only then does a database see that the partial indexes of unfinished rows hold what is asked
# for. Both statements walk those indexes alone, however much has ended.
_WAITING = text(
    """select l.id, l.device_id,
  (select count(*) from message m where m.line_id = l.id and m.state in ('queued', 'retried')
    and m.offered_at is null) as waiting,
  (select count(*) from message m where m.line_id = l.id and m.state in ('queued', 'retried')
    and m.offered_at is null and m.is_pinned) as pinned,
  (select min(m.id) from message m where m.line_id = l.id and m.state in ('queued', 'retried')
    and m.offered_at is null) as oldest_id
from line l where l.account_id = :account_id and l.device_id is not null"""
)
_HERE = ON_DEVICE.replace("state", "m.state")
_HELD = """select d.id, (select count(*) from message m where m.device_id = d.id
    and {on_device} and m.device_id is not null{of_lines}) as held
from device d where d.account_id = :account_id and d.revoked_at is null"""
_ON_PHONES = text(_HELD.format(on_device=_HERE, of_lines=""))
_ON_PHONES_OF_LINES = text(_HELD.format(on_device=_HERE, of_lines=" and m.line_id in :line_ids")).bindparams(
    bindparam("line_ids", expanding=True, type_=Text)
)
LAG_SAMPLE = 20_000
"""The newest deliveries of each webhook whose waiting is measured."""
# Deliveries are numbered in the order they are made: the newest of a webhook are one walk along its index, whatever is behind them.
_LAG = text(
    """select endpoint_id, created_at / :span as bucket, count(*) as n,
  avg(coalesce(done_at, :now) - created_at) as usual, max(coalesce(done_at, :now) - created_at) as worst
from (select endpoint_id, created_at, done_at from wh_delivery
  where endpoint_id = :endpoint_id and account_id = :account_id and queue = 0 order by id desc limit :most) newest
where created_at >= :since and created_at < :until group by endpoint_id, created_at / :span order by 2"""
)
_LANES = text(
    """select ep.id as endpoint_id, ep.url, ep.state, lane.failing_since,
  (select count(*) from (
    select 1 from wh_delivery d where d.endpoint_id = ep.id and d.state = 0 limit :most) waiting) as pending,
  (select d.created_at from wh_delivery d where d.endpoint_id = ep.id and d.state = 0
    order by d.queue, d.due_at, d.id limit 1) as oldest_at
from wh_endpoint ep left join wh_lane lane on lane.endpoint_id = ep.id
where ep.account_id = :account_id and ep.deleted_at is null order by ep.id"""
)


def _ended(states: tuple[str, ...], since: str) -> ColumnElement[int]:
    return _how_many(and_(_MESSAGE.c.state.in_(states), _MESSAGE.c.id >= bindparam(since)))


_WENT_OUT = ("sent", "delivered")
_DID_NOT = ("failed", "undelivered", "dead_letter", "expired", "uncertain")
_BY_PHONE = (
    select(
        _MESSAGE.c.device_id,
        _ended(_WENT_OUT, "hour_id").label("sent_hour"),
        _ended(_DID_NOT, "hour_id").label("failed_hour"),
        _ended(_WENT_OUT, "first_id").label("sent_day"),
        _ended(_DID_NOT, "first_id").label("failed_day"),
    )
    .where(_in_range(), _MESSAGE.c.device_id.is_not(None))
    .group_by(_MESSAGE.c.device_id)
)


class Whose(NamedTuple):
    """Whose texts are counted: an account's, of one phone or of some lines only where these are named."""

    account_id: str
    device_id: str | None = None
    line_ids: Collection[str] | None = None


def _range(whose: Whose, since: UtcMs, until: UtcMs) -> dict[str, Any]:
    lines = None if whose.line_ids is None else sorted(whose.line_ids)
    return {**whose._asdict(), "line_ids": lines, "first_id": first_id_at(since), "last_id": first_id_at(until)}


def count_by_state(conn: Connection, whose: Whose, since: UtcMs, until: UtcMs) -> list[StateCount]:
    """Outbound texts made in a range, by state and reason."""
    return [StateCount(**row) for row in conn.execute(_BY_STATE, _range(whose, since, until)).mappings()]


def count_by_bucket(
    conn: Connection, whose: Whose, since: UtcMs, until: UtcMs, *, span: int, shift: int
) -> list[BucketCount]:
    """The same by span of time; `shift` moves the borders (a time zone's offset). All in milliseconds."""
    values = _range(whose, since, until) | {"span": span, "shift": shift}
    return [BucketCount(**row) for row in conn.execute(_BY_BUCKET, values).mappings()]


def count_received(conn: Connection, whose: Whose, since: UtcMs, until: UtcMs) -> int:
    """Inbound texts, pictures and missed calls of a range."""
    return int(conn.execute(_RECEIVED, _range(whose, since, until)).scalar_one())


def delivery_times(conn: Connection, whose: Whose, since: UtcMs, until: UtcMs) -> list[int]:
    """Milliseconds from due to delivered, of the newest delivered texts of a range, shortest first."""
    return sorted(conn.execute(_DELIVERY_TIMES, _range(whose, since, until)).scalars())


def webhook_lag(
    conn: Connection, account_id: str, endpoint_ids: Sequence[str], since: UtcMs, until: UtcMs, *, span: int, now: UtcMs
) -> list[LagRow]:
    """How long the newest 20,000 deliveries of each webhook made in a range waited, by span of time; replays are left out."""
    given = {"account_id": account_id, "since": since, "until": until, "span": span, "now": now, "most": LAG_SAMPLE}
    rows: list[LagRow] = []
    for endpoint_id in endpoint_ids:
        found = conn.execute(_LAG, {**given, "endpoint_id": endpoint_id})
        rows += [LagRow(row[0], int(row[1]), int(row[2]), max(0, int(row[3])), max(0, int(row[4]))) for row in found]
    return rows


def list_lane_states(conn: Connection, account_id: str) -> list[LaneState]:
    """Every webhook of an account with what waits for it."""
    return [LaneState(**row) for row in conn.execute(_LANES, {"account_id": account_id, "most": COUNTED}).mappings()]


def count_by_phone(conn: Connection, whose: Whose, now: UtcMs) -> list[PhoneCount]:
    """How the phones of an account did in the last hour and day, and what waits for each; of all their lines, or of some."""
    account_id, own = whose.account_id, whose.line_ids
    values = _range(whose, now - 86_400_000, now + 1) | {"hour_id": first_id_at(now - 3_600_000)}
    found: dict[str, dict[str, Any]] = {}
    for row in conn.execute(_BY_PHONE, values).mappings():
        found[row["device_id"]] = dict(row)
    for line_id, device_id, waiting, pinned, oldest_id in conn.execute(_WAITING, {"account_id": account_id}):
        if waiting and (own is None or line_id in own):
            known = found.setdefault(device_id, {"device_id": device_id})
            oldest = [at for at in (known.get("oldest_at"), time_of(oldest_id)) if at is not None]
            known |= {
                "waiting": known.get("waiting", 0) + waiting,
                "pinned": known.get("pinned", 0) + pinned,
                "oldest_at": min(oldest),
            }
    statement, of_lines = (_ON_PHONES, {}) if own is None else (_ON_PHONES_OF_LINES, {"line_ids": sorted(own)})
    for device_id, held in conn.execute(statement, {"account_id": account_id, **of_lines}):
        if held:
            found.setdefault(device_id, {"device_id": device_id})["on_phone"] = held
    return [PhoneCount(**found[device_id]) for device_id in sorted(found)]
