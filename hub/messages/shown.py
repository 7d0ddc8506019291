"""Stored texts as they are read, with what is attached to them.

Attachments are asked for only when one of the texts is an MMS: reading texts costs what it did before there were any.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from hub.messages.views import MessageView, message_view
from hub.storage.media import media_of
from hub.storage.messages_search import FoundMessage


def views_of(conn: Connection, account_id: str, found: Iterable[FoundMessage]) -> tuple[MessageView, ...]:
    """These texts of an account, in their order."""
    rows = tuple(found)
    media = media_of(conn, account_id, [one.row.id for one in rows if one.row.kind == "mms"])
    return tuple(message_view(*one, media.get(one.row.id, ())) for one in rows)


def views_by_id(conn: Connection, account_id: str, found: Iterable[FoundMessage]) -> dict[str, MessageView]:
    """The same by id."""
    return {view.id: view for view in views_of(conn, account_id, found)}
