"""The inbox: one thread per peer, over its conversations with all lines.

Nothing is stored for it: a thread stands where its newest conversation stands, and a conversation is the newest one when no other
with the same peer is newer. Both are read from indexes, so that a page costs what it shows and accepting a text costs nothing more.
"""

from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, or_, select

from hub.core.clock import UtcMs
from hub.storage.consent import OPT_OUT
from hub.storage.contacts import CONTACT, NUMBER
from hub.storage.conversations import COLUMNS, CONVERSATION, ConversationRow
from hub.storage.messages import MESSAGE
from hub.storage.messages_lines import LINE
from hub.storage.messages_search import FoundConversation, FoundMessage, find_messages

WINDOW = 5_000
"""Conversations one question looks at, when no index knows the answer."""
COUNTED = 2_000
FAILED = ("failed", "undelivered", "expired", "dead_letter")

Show = Literal["inbox", "unread", "waiting", "failed", "archived"]


class Wanted(NamedTuple):
    """Which threads: what is not given does not narrow."""

    show: Show = "inbox"
    line_ids: tuple[str, ...] | None = None
    """Only conversations with these lines."""
    text: str | None = None
    """Part of the name or of the number."""
    digits: str | None = None
    """The same as a number."""


class Place(NamedTuple):
    """Where a page ended."""

    last_at: UtcMs
    id: str


class Counts(NamedTuple):
    """How many threads there are, among the newest 2,000 conversations."""

    unread: int
    waiting: int
    failed: int


_C = CONVERSATION.c
_NEWER = CONVERSATION.alias("newer")
_OTHER = CONVERSATION.alias("other")


def list_heads(
    conn: Connection, account_id: str, wanted: Wanted, after: Place | None, limit: int
) -> tuple[list[ConversationRow], Place | None]:
    """The newest conversation of each thread, newest first, and where to go on. A page may be short and still have a next one."""
    begins = [_C.account_id == account_id, *_of_lines(wanted, _C)]
    if after is not None:
        begins.append(or_(_C.last_at < after.last_at, and_(_C.last_at == after.last_at, _C.id < after.id)))
    window = select(_C.id, _C.last_at).where(*begins).order_by(_C.last_at.desc(), _C.id.desc()).limit(WINDOW).subquery()
    statement = (
        select(*COLUMNS)
        .where(_C.id.in_(select(window.c.id)), *_narrowed(account_id, wanted), _is_head(wanted))
        .order_by(_C.last_at.desc(), _C.id.desc())
        .limit(limit + 1)
    )
    rows = [ConversationRow(*row) for row in conn.execute(statement)]
    if len(rows) > limit:
        return rows[:limit], Place(rows[limit - 1].last_at, rows[limit - 1].id)
    return rows, _end_of(conn, window)


def _end_of(conn: Connection, window: Any) -> Place | None:
    """The last one looked at, None when the window held all there is."""
    if conn.execute(select(func.count()).select_from(window)).scalar_one() < WINDOW:
        return None
    row = conn.execute(select(window.c.last_at, window.c.id).order_by(window.c.last_at, window.c.id).limit(1)).one()
    return Place(row[0], row[1])


def count_threads(conn: Connection, account_id: str, line_ids: tuple[str, ...] | None) -> Counts:
    """What the inbox holds that wants a person, the archive and muted threads left out."""
    wanted = Wanted(line_ids=line_ids)
    newest = (
        select(_C.id)
        .where(_C.account_id == account_id, *_of_lines(wanted, _C))
        .order_by(_C.last_at.desc(), _C.id.desc())
        .limit(COUNTED)
    )
    statement = select(
        *(
            func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
            for condition in (and_(_has_unread(wanted), _C.muted_at.is_(None)), _is_waiting(), _has_failed())
        )
    ).where(_C.id.in_(newest), _C.archived_at.is_(None), _is_head(wanted))
    return Counts(*conn.execute(statement).one())


def conversations_with(
    conn: Connection, account_id: str, peers: Collection[str], line_ids: tuple[str, ...] | None
) -> dict[str, list[FoundConversation]]:
    """By peer: its conversations, newest first."""
    statement: Select[Any] = (
        select(*COLUMNS, LINE.c.number, LINE.c.name)
        .select_from(CONVERSATION.outerjoin(LINE, and_(LINE.c.id == _C.line_id, LINE.c.account_id == _C.account_id)))
        .where(_C.account_id == account_id, _C.peer.in_(sorted(peers)), *_of_lines(Wanted(line_ids=line_ids), _C))
        .order_by(_C.last_at.desc(), _C.id.desc())
    )
    found: dict[str, list[FoundConversation]] = {}
    for row in conn.execute(statement) if peers else ():
        one = FoundConversation(ConversationRow(*row[: len(COLUMNS)]), row[-2], row[-1])
        found.setdefault(one.row.peer, []).append(one)
    return found


def count_texts(conn: Connection, conversation_ids: Collection[str]) -> dict[str, int]:
    """How many texts each conversation has."""
    m = MESSAGE.c
    statement = (
        select(m.conversation_id, func.count()).where(m.conversation_id.in_(sorted(conversation_ids)))
    ).group_by(m.conversation_id)
    return {row[0]: row[1] for row in conn.execute(statement)} if conversation_ids else {}


def page_of_texts(
    conn: Connection,
    account_id: str,
    conversation_ids: Sequence[str],
    after: str | None,
    limit: int,
    *,
    is_oldest_first: bool,
) -> tuple[list[FoundMessage], str | None]:
    """A page of the texts of several conversations as of one, by id, and where to go on.

    Each conversation is asked for its own page, which its index answers at once however long it is; the first of all are kept.
    """
    m = MESSAGE.c
    order = m.id.asc() if is_oldest_first else m.id.desc()
    ids: list[str] = []
    for conversation_id in conversation_ids:
        statement = select(m.id).where(m.conversation_id == conversation_id, m.account_id == account_id)
        if after is not None:
            statement = statement.where(m.id > after if is_oldest_first else m.id < after)
        ids += conn.execute(statement.order_by(order).limit(limit + 1)).scalars()
    ids.sort(reverse=not is_oldest_first)
    found = find_messages(conn, account_id, ids[:limit])
    return [found[id_] for id_ in ids[:limit]], ids[limit - 1] if len(ids) > limit else None


# --- conditions ----------------------------------------------------------------------------------------------------------


def _of_lines(wanted: Wanted, columns: Any) -> list[ColumnElement[bool]]:
    return [] if wanted.line_ids is None else [columns.line_id.in_(wanted.line_ids)]


def _is_head(wanted: Wanted) -> ColumnElement[bool]:
    n = _NEWER.c
    is_newer = or_(n.last_at > _C.last_at, and_(n.last_at == _C.last_at, n.id > _C.id))
    return ~exists(select(1).where(n.account_id == _C.account_id, n.peer == _C.peer, is_newer, *_of_lines(wanted, n)))


def _has_unread(wanted: Wanted) -> ColumnElement[bool]:
    o = _OTHER.c
    return exists(
        select(1).where(o.account_id == _C.account_id, o.peer == _C.peer, o.unread > 0, *_of_lines(wanted, o))
    )


def _is_waiting() -> ColumnElement[bool]:
    """The peer had the last word, and may be answered: who sent STOP waits for nothing."""
    o = OPT_OUT.c
    is_out = exists(select(1).where(o.account_id == _C.account_id, o.peer == _C.peer))
    return and_(_C.last_direction == "mo", ~is_out)


def _has_failed() -> ColumnElement[bool]:
    return exists(select(1).where(MESSAGE.c.id == _C.last_message_id, MESSAGE.c.state.in_(FAILED)))


def _narrowed(account_id: str, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        _C.archived_at.is_not(None) if wanted.show == "archived" else _C.archived_at.is_(None)
    ]
    if wanted.show == "unread":
        conditions.append(_has_unread(wanted))
    elif wanted.show == "waiting":
        conditions.append(_is_waiting())
    elif wanted.show == "failed":
        conditions.append(_has_failed())
    if wanted.text is not None:
        conditions = [*conditions[1:], _is_called(account_id, wanted.text, wanted.digits)]
    return conditions


def _is_called(account_id: str, text: str, digits: str | None) -> ColumnElement[bool]:
    """By name or number, the archive included."""
    known = (
        select(NUMBER.c.peer)
        .join(CONTACT, and_(CONTACT.c.id == NUMBER.c.contact_id, CONTACT.c.account_id == NUMBER.c.account_id))
        .where(
            NUMBER.c.account_id == account_id,
            or_(CONTACT.c.name.icontains(text, autoescape=True), CONTACT.c.tags.icontains(text, autoescape=True)),
        )
    )
    found = [_C.peer.icontains(text, autoescape=True), _C.peer.in_(known)]
    return or_(*found, *([_C.peer.contains(digits, autoescape=True)] if digits else []))
