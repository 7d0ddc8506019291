"""What carriers attach to the texts they post: fetched after the carrier was answered, and told with the text.

1. The message is stored at once, with a row for each attachment that says `waiting`, and one row that says what is to be fetched.
2. Each attachment is fetched, its bytes are stored, and then its row says so, or why there are none.
3. The message's one `mms:received` is published when none waits any more, or `TELL_SECONDS` after the message came: then with those
   that are here. What comes later is found where attachments are fetched.
4. What fails for a passing reason is tried again, with growing waits; then it is given up and the timeline says why.

Each step is one transaction, and a process that dies between two of them does no more than the one that was not stored again.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from hub.core.clock import UtcMs
from hub.core.effects import Effect, LiveHint
from hub.core.events import EventType
from hub.core.media import NOT_FETCHED, WAITING, Medium
from hub.core.retry import RetryAt, Schedule, doubling, next_attempt
from hub.core.timeline import Kind
from hub.messages.announce import new_event
from hub.messages.receive import mms_data
from hub.messages.sent_media import told_of
from hub.storage import media_pulls as stored
from hub.storage.media import media_of
from hub.storage.media_pulls import Brought, PullRow
from hub.storage.messages import Hop, insert_hops, lock_messages
from hub.storage.messages_lines import lines_by_id
from hub.storage.transaction import Done, Tx
from hub.webhooks.outbox import publish

SCHEDULE = Schedule("carried media", doubling(5, 12), max_age_seconds=None)
"""13 tries in almost six hours."""
_JSON = msgspec.json.Encoder()


class TakePulls(msgspec.Struct, frozen=True):
    """Take up to `most` messages whose attachments are due, but of these accounts, for `lease_seconds`."""

    busy: tuple[str, ...]
    most: int
    lease_seconds: float

    def keys(self) -> tuple[str, ...]:
        """One after the other."""
        return ("media pulls",)


class FreePulls(msgspec.Struct, frozen=True):
    """A process begins that is the only one: what another had taken before is due."""

    def keys(self) -> tuple[str, ...]:
        """As taking."""
        return ("media pulls",)


class GoOn(msgspec.Struct, frozen=True):
    """Whoever has taken a message still works for it."""

    account_id: str
    message_id: str
    lease_seconds: float

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


class Bring(msgspec.Struct, frozen=True):
    """What became of one attachment for good; `sentence` says why there is nothing."""

    account_id: str
    message_id: str
    position: int
    brought: Brought
    sentence: str | None = None

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


class EndTry(msgspec.Struct, frozen=True):
    """All attachments of a message were tried; `sentence` says why those that still wait did not come."""

    account_id: str
    message_id: str
    sentence: str
    random: float

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


class Tell(msgspec.Struct, frozen=True):
    """The customers have waited long enough."""

    account_id: str
    message_id: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


class Pull(NamedTuple):
    """A message whose attachments are to be fetched now."""

    row: PullRow
    urls: tuple[str, ...]
    waiting: tuple[Medium, ...]
    held_bytes: int
    """Of its attachments that are here."""


def take_pulls(tx: Tx, commands: Sequence[TakePulls]) -> list[Done[tuple[Pull, ...]]]:
    """Use case: the messages that are the caller's until its lease ends."""
    return [Done(tuple(_pull(tx, row) for row in _taken(tx, command))) for command in commands]


def _taken(tx: Tx, command: TakePulls) -> list[PullRow]:
    until = tx.now + round(command.lease_seconds * 1000)
    return stored.claim_pulls(tx, until, command.busy, command.most)


def _pull(tx: Tx, row: PullRow) -> Pull:
    media = media_of(tx.conn, row.account_id, [row.message_id]).get(row.message_id, ())
    return Pull(
        row,
        msgspec.json.decode(row.urls, type=tuple[str, ...]),
        tuple(one for one in media if one.why == WAITING),
        sum(one.size_bytes or 0 for one in media if one.why is None),
    )


def free_pulls(tx: Tx, commands: Sequence[FreePulls]) -> list[Done[None]]:
    """Use case: take leases back, where one process at a time serves the data; elsewhere they run out."""
    if tx.dialect == "sqlite":
        stored.free_pulls(tx)
    return [Done(None) for _ in commands]


def go_on(tx: Tx, commands: Sequence[GoOn]) -> list[Done[None]]:
    """Use case: hold leases for longer."""
    for command in commands:
        until = tx.now + round(command.lease_seconds * 1000)
        stored.try_again(tx.conn, command.account_id, command.message_id, until)
    return [Done(None) for _ in commands]


def bring(tx: Tx, commands: Sequence[Bring]) -> list[Done[bool]]:
    """Use case: note what became of attachments; False for one that was known, deleted or erased meanwhile."""
    return [_bring(tx, command) for command in commands]


def _bring(tx: Tx, command: Bring) -> Done[bool]:
    account_id, message_id = command.account_id, command.message_id
    if not stored.bring(tx.conn, account_id, message_id, command.position, command.brought):
        return Done(False)
    if command.brought.why is not None:
        facts = {"numbers": str(command.position + 1), "sentence": command.sentence or ""}
        insert_hops(tx.conn, [_hop(account_id, message_id, tx.now, Kind.MEDIA_MISSING, facts)])
    return Done(True, _shown(account_id, message_id))


def end_try(tx: Tx, commands: Sequence[EndTry]) -> list[Done[bool]]:
    """Use case: True when nothing is left to do for the message."""
    return [_end_try(tx, command) for command in commands]


def _end_try(tx: Tx, command: EndTry) -> Done[bool]:
    account_id, message_id = command.account_id, command.message_id
    row = stored.lock_pull(tx.conn, account_id, message_id)
    if row is None:
        return Done(True)
    media = media_of(tx.conn, account_id, [message_id]).get(message_id, ())
    waiting = [one for one in media if one.why == WAITING]
    if waiting:
        numbers = ", ".join(str(one.position + 1) for one in waiting)
        facts: dict[str, object] = {"numbers": numbers, "sentence": command.sentence}
        again = next_attempt(SCHEDULE, row.tries, tx.now, tx.now, command.random)
        if isinstance(again, RetryAt):
            stored.try_again(tx.conn, account_id, message_id, again.at)
            facts["next_at_ms"] = again.at
            insert_hops(tx.conn, [_hop(account_id, message_id, tx.now, Kind.MEDIA_MISSING, facts)])
            return Done(False, _shown(account_id, message_id))
        insert_hops(tx.conn, [_hop(account_id, message_id, tx.now, Kind.MEDIA_MISSING, facts)])
        for one in waiting:
            gone = Brought(one.type, one.size_bytes, None, NOT_FETCHED)
            stored.bring(tx.conn, account_id, message_id, one.position, gone)
        media = media_of(tx.conn, account_id, [message_id])[message_id]
    told = () if row.tell_at is None else _tell(tx, row)
    stored.end_pull(tx.conn, account_id, message_id)
    if media:
        here = {"here": sum(one.why is None for one in media), "of": len(media)}
        insert_hops(tx.conn, [_hop(account_id, message_id, tx.now, Kind.MEDIA_FETCHED, here)])
    return Done(True, (*told, *_shown(account_id, message_id)))


def tell(tx: Tx, commands: Sequence[Tell]) -> list[Done[bool]]:
    """Use case: publish events that have waited long enough; False for one that was published."""
    outcomes: list[Done[bool]] = []
    for command in commands:
        row = stored.lock_pull(tx.conn, command.account_id, command.message_id)
        if row is None or row.tell_at is None or row.tell_at > tx.now:
            outcomes.append(Done(False))
            continue
        effects = _tell(tx, row)
        stored.note_told(tx.conn, row.account_id, row.message_id)
        outcomes.append(Done(True, effects))
    return outcomes


def _tell(tx: Tx, pull: PullRow) -> tuple[Effect, ...]:
    """The message's one event, by what is stored of it now: erased words stay erased, a deleted message is not told."""
    rows = lock_messages(tx.conn, {pull.account_id}, {pull.message_id})
    if not rows:
        return ()
    (row,) = rows
    lines = lines_by_id(tx.conn, {row.account_id}, {row.line_id} if row.line_id is not None else ())
    media = media_of(tx.conn, row.account_id, [row.id]).get(row.id, ())
    data = mms_data(row, lines.get(row.line_id or ""), pull.number, told_of(media))
    event = new_event(tx.new_id(), EventType.MMS_RECEIVED, row, data, row.received_at or row.created_at)
    return publish(tx, [event])


def _hop(account_id: str, message_id: str, at: UtcMs, kind: Kind, facts: object) -> Hop:
    data = _JSON.encode(facts).decode()
    return Hop(account_id, message_id, at, "hub", kind.value, None, None, True, data, None)


def _shown(account_id: str, message_id: str) -> tuple[Effect, ...]:
    """Open dashboards read the message again."""
    return (LiveHint(account_id, "message", message_id),)
