"""Events and their deliveries, written in the transaction that changes what they tell of.

Which endpoints want an event is decided by the database, inside that transaction (`INSERT … SELECT` over `wh_endpoint`): no cache of
any process can miss an endpoint made a moment ago, and an account without endpoints pays for one index look-up. The filters of an
endpoint are JSON lists of plain words, so that "is in the list" is a search for the word in quotes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, TextClause, select, text
from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.arrays import one_of, texts
from hub.storage.bulk import BulkInsert, Document
from hub.storage.direct import change
from hub.storage.schema.webhooks import WebhookEndpoint, WebhookEvent, WebhookLane
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

EVENT_COLUMNS = (
    "id",
    "account_id",
    "type",
    "occurred_at",
    "created_at",
    "device_id",
    "line_id",
    "peer",
    "message_id",
    "conversation_id",
    "trace_id",
    "data",
)
"""What `insert_events` is given of each event, in this order."""

_HAS = {"sqlite": "instr({0}, '\"' || {1} || '\"') > 0", "postgresql": "strpos({0}, '\"' || {1} || '\"') > 0"}
_PREFIXES = {
    "sqlite": "select 1 from json_each(ep.peer_prefixes) p where substr(ev.peer, 1, length(p.value)) = p.value",
    "postgresql": "select 1 from json_array_elements_text(ep.peer_prefixes::json) p(value)"
    " where starts_with(ev.peer, p.value)",
}
_DB_NOW = {"sqlite": ":now", "postgresql": "least(:now, (extract(epoch from now()) * 1000)::bigint)"}
"""When a delivery is due: at once. On PostgreSQL several hubs share the table, and one whose clock is fast must not make its
deliveries wait for everybody else's clock."""

ORDER_KEY = """case ep.order_mode when 'message' then coalesce(ev.message_id, '')
  when 'conversation' then coalesce(ev.conversation_id, ev.message_id, ev.id) when 'endpoint' then '*' else '' end"""
"""What deliveries keep an order by, as the endpoint wants it: `ep` and `ev` are the endpoint and the event."""
INBOUND = "('sms:received', 'mms:received')"
"""The events that rules of numbers are about."""
_DELIVERY_COLUMNS = """insert into wh_delivery (account_id, endpoint_id, endpoint_version, format, template, target, target_key,
  event_seq, run, queue, order_key, state, due_at, attempts, created_at)"""


def _in_list(dialect: DialectName, column: str, word: str) -> str:
    return f"(ep.{column} = '[]' or {_HAS[dialect].format('ep.' + column, 'ev.' + word)})"


def _names(dialect: DialectName, endpoint: str) -> str:
    """Whether the rule `r` names an endpoint: itself, or by the gateway whose it is."""
    has, named = _HAS[dialect], "('\"' || coalesce(r.gateway_id, '') || '\"' || r.webhook_ids)"
    gateway = has.format(named, f"coalesce({endpoint}.gateway_id, '-')")
    return f"({has.format(named, endpoint + '.id')} or {gateway})"


def _counts(dialect: DialectName) -> str:
    """Whether one of the webhooks that the rule `r` names is left."""
    return f"""exists (select 1 from wh_endpoint t
      where t.account_id = r.account_id and t.deleted_at is null and not t.is_implicit and {_names(dialect, "t")})"""


def _of_its_lines(dialect: DialectName) -> str:
    """Whether the event is of a line that the endpoint asks for, or that a rule gives it.

    An inbound text to a number with a rule is told to the webhooks that the rule names and to no other; a rule none of whose webhooks
    is left counts no more, so that a text is never told to nobody by mistake.
    """
    asked = _in_list(dialect, "line_ids", "line_id")
    return f"""case when ev.type in {INBOUND} then coalesce((select {_names(dialect, "ep")}
    from line l join inbound_rule r on r.account_id = l.account_id and r.number = l.number
    where l.id = ev.line_id and l.account_id = ev.account_id and {_counts(dialect)}), {asked})
  else {asked} end"""


def wants(dialect: DialectName) -> str:
    """The condition that the endpoint `ep` wants the event `ev`. `endpoint:…` events skip the endpoint they are about."""
    lists = (("event_types", "type"), ("device_ids", "device_id"))
    listed = " and ".join(_in_list(dialect, column, word) for column, word in lists)
    return f"""{listed} and {_of_its_lines(dialect)} and (ep.peer_prefixes = '[]' or exists ({_PREFIXES[dialect]}))
  and (ev.type not like 'endpoint:%' or ev.data not like '%' || ep.id || '%')"""


_ENDPOINTS_OF: Mapping[DialectName, str] = {
    "sqlite": "join wh_endpoint ep on ep.account_id = ev.account_id",
    # `offset 0` keeps the planner from turning this round, and reading the endpoints of all accounts for each batch.
    "postgresql": "cross join lateral (select * from wh_endpoint where account_id = ev.account_id offset 0) ep",
}


def _fan_out(dialect: DialectName, source: str) -> str:
    """Deliveries of the events in `source` for every endpoint that wants them."""
    return f"""{_DELIVERY_COLUMNS}
select ev.account_id, ep.id, ep.version, ep.format, ep.template, null, '', ev.seq, 0, 0, {ORDER_KEY},
  case ep.state when 'disabled' then 1 else 0 end, {_DB_NOW[dialect]}, 0, :now
from {source} ev {_ENDPOINTS_OF[dialect]}
where ep.deleted_at is null and not ep.is_implicit and {wants(dialect)}
order by ev.seq"""


_INSERT_EVENTS = BulkInsert(table_of(WebhookEvent), EVENT_COLUMNS)
_FAN_OUT_SQLITE = text(
    _fan_out(
        "sqlite",
        "(select * from wh_event where seq > (select seq from sqlite_sequence where name = 'wh_event') - :count)",
    )
)


_DOCUMENT = Document(table_of(WebhookEvent), EVENT_COLUMNS)
# Both tables in one round trip. The order by place makes the numbers rise in the order of the batch.
_STORE_POSTGRESQL = text(
    f"""with ev as (
  insert into wh_event ({", ".join(EVENT_COLUMNS)}, txid)
  select {", ".join(EVENT_COLUMNS)}, pg_current_xact_id()::text::bigint
  from rows from (json_to_recordset(cast(:events as json)) as ({_DOCUMENT.typed})) with ordinality
    as u({", ".join(EVENT_COLUMNS)}, place) order by place
  returning *)
{_fan_out("postgresql", "ev")}"""
)


def insert_events(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> int:
    """Store events (`EVENT_COLUMNS`) and a delivery for each endpoint that wants them; how many deliveries that made."""
    if tx.dialect == "postgresql":
        return change(tx.conn, _STORE_POSTGRESQL, {"events": _DOCUMENT.of(rows), "now": tx.now})
    _INSERT_EVENTS.run(tx.conn, rows)
    return change(tx.conn, _FAN_OUT_SQLITE, {"count": len(rows), "now": tx.now})


_DIALECTS: tuple[DialectName, ...] = ("sqlite", "postgresql")
_BYPASSED: Mapping[str, TextClause] = {
    dialect: text(
        f"""select ep.id from wh_endpoint ep join line l on l.account_id = ep.account_id and l.id = ep.forwards_line_id
  join inbound_rule r on r.account_id = l.account_id and r.number = l.number
where ep.account_id = :account_id and ep.deleted_at is null and not {_names(dialect, "ep")} and {_counts(dialect)}"""
    )
    for dialect in _DIALECTS
}


def bypassed_forwardings(conn: Connection, account_id: str) -> frozenset[str]:
    """Endpoints that forward a line and are told of no text: a rule of the line's number names others."""
    return frozenset(conn.execute(_BYPASSED[conn.dialect.name], {"account_id": account_id}).scalars())


# --- a message's own target ------------------------------------------------------------------------------------------------------------


def _target_statement(dialect: DialectName) -> TextClause:
    return text(
        f"""{_DELIVERY_COLUMNS}
select ev.account_id, ep.id, ep.version, ep.format, ep.template, :target, :target_key, ev.seq, 0, 0, {ORDER_KEY},
  case ep.state when 'disabled' then 1 else 0 end, {_DB_NOW[dialect]}, 0, :now
from wh_event ev join wh_endpoint ep on ep.id = :endpoint_id and ep.account_id = ev.account_id
where ev.id = :event_id"""
    )


_ENDPOINT = table_of(WebhookEndpoint)
_TARGET: Mapping[DialectName, TextClause] = {name: _target_statement(name) for name in ("sqlite", "postgresql")}
_ADD_ENDPOINT: Mapping[DialectName, Any] = {
    "sqlite": sqlite.insert(_ENDPOINT).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_ENDPOINT).on_conflict_do_nothing(),
}
_ADD_LANE: Mapping[DialectName, Any] = {
    "sqlite": sqlite.insert(table_of(WebhookLane)).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(table_of(WebhookLane)).on_conflict_do_nothing(),
}


_THERE = (
    select(_ENDPOINT.c.id)
    .where(one_of(_ENDPOINT.c.id, texts("endpoint_ids")))
    .with_for_update(read=True, key_share=True)
)
"""On PostgreSQL these rows are locked until the commit, so that no sweep takes one away before its delivery is there to be seen; SQLite
has one writer, and no such lock."""


def ensure_endpoints(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make implicit endpoints and their lanes; those that are there already stay as they are, and stay until the commit."""
    there = {row[0] for row in tx.conn.execute(_THERE, {"endpoint_ids": [row["id"] for row in rows]})}
    new = [row for row in rows if row["id"] not in there]
    if new:
        tx.conn.execute(_ADD_ENDPOINT[tx.dialect], new)
        tx.conn.execute(
            _ADD_LANE[tx.dialect], [{"endpoint_id": row["id"], "account_id": row["account_id"]} for row in new]
        )


def insert_targets(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Deliveries to messages' own targets: `{event_id, endpoint_id, target, target_key}` each."""
    tx.conn.execute(_TARGET[tx.dialect], [{**row, "now": tx.now} for row in rows])
