"""Waiting for a text: "the next inbound text from this sender that matches this", without missing one that came early.

It reads the customer events, whose order is complete although transactions commit out of order; the cursor is a place in
that feed and names the life of the data it belongs to. Patterns are literal text, a prefix, a glob or RE2; never `re`, whose
worst cases stop the whole process.
"""

from typing import Literal

import msgspec
import re2
from sqlalchemy import Connection

from hub.core.address import peer_address
from hub.core.errors import Code, HubError
from hub.core.events import EventType, ReceivedData, decode
from hub.messages.search import find_message
from hub.messages.views import MessageView
from hub.storage.facts import find_fact
from hub.storage.feeds import FeedEvent, Position, latest_position, read_events

LOOKED_AT_ONCE = 200
"""Events one call reads at most; the caller goes on from `next`."""
LONGEST_PATTERN = 500

MatchKind = Literal["any", "literal", "prefix", "glob", "re2"]


class InboxQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to wait for; everything that is named must hold. `literal` is part of the text, `glob` must match all of it."""

    sender: str | None = None
    kind: MatchKind = "any"
    pattern: str | None = None
    line_id: str | None = None
    device_id: str | None = None


class InboxMatcher:
    """A query made ready."""

    def __init__(self, query: InboxQuery) -> None:
        self._query = query
        self._senders = None if query.sender is None else {query.sender, peer_address(query.sender).value}
        self._expression = _expression(query)

    def matches(self, event: FeedEvent) -> bool:
        """Whether the text of this event is waited for."""
        query = self._query
        if query.line_id not in (None, event.line_id) or query.device_id not in (None, event.device_id):
            return False
        data = decode(EventType.SMS_RECEIVED, event.data)
        if not isinstance(data, ReceivedData) or (self._senders is not None and data.from_ not in self._senders):
            return False
        return self._matches_text(data.text)

    def _matches_text(self, text: str) -> bool:
        pattern = self._query.pattern or ""
        match self._query.kind:
            case "any":
                return True
            case "literal":
                return pattern in text
            case "prefix":
                return text.startswith(pattern)
            case "glob":
                return self._expression is not None and self._expression.fullmatch(text) is not None
            case "re2":
                return self._expression is not None and self._expression.search(text) is not None


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """The first text that matched, or none; `next` is where to go on."""

    message: MessageView | None
    next: str


def compile_query(query: InboxQuery) -> InboxMatcher:
    """Make a query ready. Raises `bad_pattern` for a pattern RE2 does not take, or none where one is needed."""
    if query.kind != "any" and not query.pattern:
        raise HubError(Code.BAD_PATTERN, "Give the pattern to match, or match=any.")
    return InboxMatcher(query)


def latest_cursor(conn: Connection, account_id: str) -> str:
    """The cursor behind everything that has come so far."""
    return _cursor(conn, latest_position(conn, account_id))


def next_text(conn: Connection, account_id: str, matcher: InboxMatcher, after: str) -> InboxPage:
    """The first matching text after the cursor, among the next 200. Raises `bad_cursor`."""
    position = _position(conn, after)
    page = read_events(conn, account_id, position, types=[EventType.SMS_RECEIVED], limit=LOOKED_AT_ONCE)
    for event in page.events:
        if event.message_id is not None and matcher.matches(event):
            message = find_message(conn, account_id, event.message_id)
            return InboxPage(message=message, next=_cursor(conn, event.position))
    return InboxPage(message=None, next=_cursor(conn, page.next))


def _expression(query: InboxQuery) -> "re2._Regexp[str] | None":
    if query.kind not in ("glob", "re2"):
        return None
    pattern = query.pattern or ""
    if len(pattern) > LONGEST_PATTERN:
        raise HubError(Code.BAD_PATTERN, f"A pattern has at most {LONGEST_PATTERN} characters.")
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = query.kind == "glob"
    try:
        return re2.compile(_of_glob(pattern) if query.kind == "glob" else pattern, options)
    except re2.error as error:
        raise HubError(Code.BAD_PATTERN, f"RE2 does not take this pattern: {error.args[0]!s:.200}.") from error


def _of_glob(pattern: str) -> str:
    """`*` is any text, `?` any one character, everything else itself."""
    parts = {"*": ".*", "?": "."}
    return "".join(parts.get(character) or re2.escape(character) for character in pattern)


def _cursor(conn: Connection, position: Position) -> str:
    return f"{find_fact(conn, 'hub_epoch') or ''}.{position.txid}.{position.seq}"


def _position(conn: Connection, cursor: str) -> Position:
    epoch, *numbers = cursor.split(".")
    if len(numbers) != 2 or epoch != (find_fact(conn, "hub_epoch") or "") or not all(map(_is_number, numbers)):
        raise HubError(Code.BAD_CURSOR)
    return Position(int(numbers[0]), int(numbers[1]))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
