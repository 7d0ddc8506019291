"""Lists and single texts, for every API."""

from sqlalchemy import Connection

from hub.core.errors import Code, HubError
from hub.core.ids import is_id
from hub.messages.shown import views_of
from hub.messages.views import MessagePage, MessageView
from hub.storage import messages_search as stored
from hub.storage.messages_search import MessageFilter

__all__ = ["MessageFilter", "count_messages", "find_message", "list_messages"]

COUNTED_AT_MOST = 10_000


def find_message(conn: Connection, account_id: str, message_id: str) -> MessageView | None:
    """One text; None for an unknown id and for another account's."""
    found = stored.find_message(conn, account_id, message_id)
    return None if found is None else views_of(conn, account_id, [found])[0]


def list_messages(
    conn: Connection, account_id: str, asked: MessageFilter, after: str | None, limit: int
) -> MessagePage:
    """A page of texts by id, newest first unless asked otherwise. `after` is the last page's `next`.

    A page may be short, or empty, and still have a `next`: filters that no index answers look at 20,000 texts at a time.
    Raises `bad_cursor`.
    """
    if after is not None and not is_id(after):
        raise HubError(Code.BAD_CURSOR)
    found, next_ = stored.list_messages(conn, account_id, asked, after, limit)
    return MessagePage(items=views_of(conn, account_id, found), next=next_)


def count_messages(conn: Connection, account_id: str, asked: MessageFilter) -> int:
    """How many texts match among the account's newest 10,000."""
    return stored.count_messages(conn, account_id, asked, COUNTED_AT_MOST)
