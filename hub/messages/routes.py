"""Messages that wait in the hub and change their line: because they had none, or because theirs cannot send.

Until a phone's `accepted` is committed a message is nobody's, so it may move as often as it helps. Pinned ones stay, and
fail when the line they name was removed.
"""

from collections.abc import Sequence

import msgspec

from hub.core import moves
from hub.core.commands import AnyLine, Sender
from hub.core.effects import Effect, WakeDispatch
from hub.core.routing import NoLine
from hub.core.status import WAITING
from hub.core.timeline import Kind
from hub.messages.ledger import HUB, Entry, Ledger
from hub.messages.lines import AWAY_SECONDS, LineBook, Wish
from hub.messages.outcomes import with_effects
from hub.messages.sent_media import MMS
from hub.messages.threads import conversation_id, merged
from hub.storage.conversations import Touch, touch_conversations
from hub.storage.messages import MessageRow
from hub.storage.transaction import Done, Refused, Tx

_SENDER = msgspec.json.Decoder(Sender)


class Reroute(msgspec.Struct, frozen=True, kw_only=True):
    """Look for another line for a waiting message; `away_seconds` is how long its phone may be gone first."""

    account_id: str
    message_id: str
    away_seconds: float = AWAY_SECONDS

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"message:{self.message_id}",)


def reroute(tx: Tx, commands: Sequence[Reroute]) -> list[Done[bool] | Refused]:
    """Move each message to a line that can send it now; the value says whether it moved.

    A message without a line joins the best queue there is, one whose line is ready or that has no better way stays.
    """
    ledger = Ledger(tx, [(command.account_id, command.message_id) for command in commands])
    entries = [ledger.find(command.account_id, command.message_id) for command in commands]
    away_seconds = min((command.away_seconds for command in commands), default=AWAY_SECONDS)
    moved = _route(
        ledger, [entry for entry in entries if entry is not None], away_seconds=away_seconds, is_leaving=False
    )
    found = iter(moved)
    outcomes = [Done(entry is not None and next(found) is not None) for entry in entries]
    return with_effects(outcomes, (*ledger.close(), *_woken(moved)))


def move_on(ledger: Ledger, entries: Sequence[Entry]) -> tuple[Effect, ...]:
    """Give messages whose line just failed them another one, where one is ready; the others keep waiting where they are."""
    return _woken(_route(ledger, entries, away_seconds=0.0, is_leaving=True))


def leave_unable(ledger: Ledger, entries: Sequence[Entry]) -> tuple[Effect, ...]:
    """Give MMS whose phone sends none any more a line that does; where there is none they fail."""
    return _woken(_route(ledger, entries, away_seconds=AWAY_SECONDS, is_leaving=False))


def sender_of(row: MessageRow) -> Sender:
    """What the request asked for."""
    return _SENDER.decode(row.sender) if row.sender else AnyLine()


def _is_free(entry: Entry) -> bool:
    return entry.status in WAITING and entry.row.offered_at is None


def _route(ledger: Ledger, entries: Sequence[Entry], *, away_seconds: float, is_leaving: bool) -> list[Touch | None]:
    """For each message that found another line, what its new thread is told; the threads are written."""
    if not any(_is_free(entry) for entry in entries):
        return [None] * len(entries)
    book = LineBook(ledger.tx, away_seconds=away_seconds)
    wishes = [
        Wish(entry.row.account_id, sender_of(entry.row), entry.row.peer, entry.row.kind == MMS) for entry in entries
    ]
    book.read_for(wishes, also={entry.row.line_id for entry in entries if entry.row.line_id is not None})
    moved = [
        _choose(ledger, book, entry, wish, is_leaving) if _is_free(entry) else None
        for entry, wish in zip(entries, wishes, strict=True)
    ]
    touch_conversations(ledger.tx, merged([touch for touch in moved if touch is not None]))
    return moved


def _woken(moved: Sequence[Touch | None]) -> tuple[Effect, ...]:
    """Dispatch has work on the lines that got some."""
    lines: dict[str, set[str]] = {}
    for touch in moved:
        if touch is not None:
            lines.setdefault(touch.account_id, set()).add(touch.line_id)
    return tuple(WakeDispatch(account_id, tuple(sorted(ids))) for account_id, ids in lines.items())


def _choose(ledger: Ledger, book: LineBook, entry: Entry, wish: Wish, is_leaving: bool) -> Touch | None:
    """What the new thread of a message that got another line is told."""
    row = entry.row
    line = book.line(wish.account_id, row.line_id)
    is_unable = wish.needs_mms and line is not None and not line.sends_mms
    if line is not None and (row.is_pinned or line.is_sandbox):
        if is_unable:
            ledger.apply(entry, moves.NoRoute(message_id=row.id, at=ledger.tx.now), HUB)
        # What was meant for a sandbox phone must not turn into a real text because a real phone was added since.
        return None
    if row.line_id is None or is_unable:
        routed = book.choose_to_wait(wish, row.segments)
    else:
        avoid = frozenset({row.line_id}) if is_leaving else frozenset()
        routed = book.choose(wish, row.segments, avoid=avoid)
    if isinstance(routed, NoLine):
        if routed.is_permanent and not is_leaving:
            ledger.apply(entry, moves.NoRoute(message_id=row.id, at=ledger.tx.now), HUB)
        return None
    has_to_go = is_leaving or is_unable or row.line_id is None
    if routed.line_id == row.line_id or not (has_to_go or _cannot_send(book, row, wish)):
        return None
    why = routed.why if row.line_id is None else "failover"
    book.join(wish, routed.line_id, row.segments)
    return put_on(ledger, entry, routed.line_id, why, routed.sentence)


def _cannot_send(book: LineBook, row: MessageRow, wish: Wish) -> bool:
    return not book.is_ready(wish.account_id, row.line_id or "")


def put_on(ledger: Ledger, entry: Entry, line_id: str, why: str, sentence: str) -> Touch:
    """Give a waiting message to a line, with its thread, and tell why; what its new thread is told of it."""
    row = entry.row
    facts = {"line_id": line_id, "from_line_id": row.line_id, "why": why, "sentence": sentence}
    ledger.tell(entry, Kind.ROUTED, HUB, {name: value for name, value in facts.items() if value is not None})
    thread = conversation_id(row.account_id, line_id, row.peer)
    ledger.change_place(entry, line_id=line_id, line_why=why, conversation_id=thread)
    return Touch(thread, row.account_id, line_id, row.peer, ledger.tx.now, row.id, "mt", 0)
