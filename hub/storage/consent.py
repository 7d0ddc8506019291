"""Who asked to hear no more."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.core.clock import UtcMs
from hub.storage.arrays import one_of, texts
from hub.storage.conversations import CONVERSATION
from hub.storage.direct import ask
from hub.storage.messages import MESSAGE
from hub.storage.schema.contacts import ConsentChange, OptOut
from hub.storage.transaction import DialectName, Tx
from hub.storage.types import table_of

OPT_OUT = table_of(OptOut)
CHANGE = table_of(ConsentChange)


class OptOutRow(NamedTuple):
    """A peer that asked to hear no more."""

    account_id: str
    peer: str
    at: UtcMs
    word: str | None


class ChangeRow(NamedTuple):
    """A change of a peer's wish."""

    id: str
    account_id: str
    peer: str
    at: UtcMs
    is_out: bool
    word: str | None
    by: str


_OUT = select(*(OPT_OUT.c[name] for name in OptOutRow._fields)).where(
    one_of(OPT_OUT.c.account_id, texts("account_ids")), one_of(OPT_OUT.c.peer, texts("peers"))
)
_ADD: Mapping[DialectName, Any] = {
    "sqlite": sqlite.insert(OPT_OUT).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(OPT_OUT).on_conflict_do_nothing(),
}
_THREADS = select(CONVERSATION.c.account_id, CONVERSATION.c.peer, CONVERSATION.c.id).where(
    one_of(CONVERSATION.c.account_id, texts("account_ids")), one_of(CONVERSATION.c.peer, texts("peers"))
)
_WAITING = select(MESSAGE.c.account_id, MESSAGE.c.peer, MESSAGE.c.id).where(
    one_of(MESSAGE.c.account_id, texts("account_ids")),
    one_of(MESSAGE.c.peer, texts("peers")),
    # Written like the partial indexes, so that only texts that wait are looked at.
    or_(MESSAGE.c.state == "scheduled", MESSAGE.c.state.in_(("queued", "retried"))),
)


def ask_opted_out(
    conn: Connection, account_ids: Collection[str], peers: Collection[str]
) -> Callable[[], dict[tuple[str, str], OptOutRow]]:
    """`opted_out`, whose answer comes with the next one that is waited for (`hub.storage.direct.ask`)."""
    found = ask(conn, _OUT, {"account_ids": sorted(account_ids), "peers": sorted(peers)})
    return lambda: {(row[0], row[1]): OptOutRow(*row) for row in found()}


def opted_out(
    conn: Connection, account_ids: Collection[str], peers: Collection[str]
) -> dict[tuple[str, str], OptOutRow]:
    """Which of these peers asked these accounts to hear no more."""
    return ask_opted_out(conn, account_ids, peers)()


def list_opted_out(
    conn: Connection, account_id: str, after: str | None, limit: int
) -> tuple[list[OptOutRow], str | None]:
    """A page of them, by number, and where to go on."""
    statement = select(*(OPT_OUT.c[name] for name in OptOutRow._fields)).where(OPT_OUT.c.account_id == account_id)
    if after is not None:
        statement = statement.where(OPT_OUT.c.peer > after)
    rows = conn.execute(statement.order_by(OPT_OUT.c.peer).limit(limit + 1)).all()
    found = [OptOutRow(*row) for row in rows[:limit]]
    return found, found[-1].peer if len(rows) > limit else None


def write_consent(tx: Tx, changes: Sequence[ChangeRow]) -> None:
    """Note changes in the order given, and what they lead to."""
    if changes:
        tx.conn.execute(insert(CHANGE), [change._asdict() for change in changes])
    for change in changes:
        if change.is_out:
            row = OptOutRow(change.account_id, change.peer, change.at, change.word)
            tx.conn.execute(_ADD[tx.dialect], row._asdict())
        else:
            tx.conn.execute(
                delete(OPT_OUT).where(OPT_OUT.c.account_id == change.account_id, OPT_OUT.c.peer == change.peer)
            )


def list_changes(conn: Connection, account_id: str, peer: str, limit: int) -> list[ChangeRow]:
    """The newest changes of a peer's wish, oldest first."""
    statement = select(*(CHANGE.c[name] for name in ChangeRow._fields)).where(
        CHANGE.c.account_id == account_id, CHANGE.c.peer == peer
    )
    rows = conn.execute(statement.order_by(CHANGE.c.id.desc()).limit(limit)).all()
    return [ChangeRow(*row) for row in reversed(rows)]


def threads_with(
    conn: Connection, account_ids: Collection[str], peers: Collection[str]
) -> dict[tuple[str, str], list[str]]:
    """The conversations with these peers."""
    found: dict[tuple[str, str], list[str]] = {}
    for account_id, peer, id_ in conn.execute(_THREADS, {"account_ids": sorted(account_ids), "peers": sorted(peers)}):
        found.setdefault((account_id, peer), []).append(id_)
    return found


def waiting_for(conn: Connection, account_ids: Collection[str], peers: Collection[str]) -> list[tuple[str, str, str]]:
    """(account, peer, message) of texts to these peers that are still the hub's."""
    given = {"account_ids": sorted(account_ids), "peers": sorted(peers)}
    return [(row[0], row[1], row[2]) for row in conn.execute(_WAITING, given)]
