"""Texts as a CSV file (RFC 4180), written while it is read: the whole filter, however much that is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from hub.accounts.scopes import Scope as KeyScope
from hub.core.clock import rfc3339
from hub.dialects.native_v1.fields import (
    out,
    out_or_none,
    time_or_none,
)
from hub.dialects.native_v1.message_filter import TextsFilter, asked_for
from hub.dialects.native_v1.operation import AnyOperation, Call, Content, NoBody, Operation
from hub.messages.search import MessageFilter, list_messages
from hub.messages.views import MessageView

PAGE = 500
COLUMNS = (
    "id", "created_at", "direction", "state", "peer", "line", "line_number", "text", "segments", "encoding", "sent_at",
    "delivered_at", "ended_at", "reason", "batch_id", "conversation_id", "phone_id",
)  # fmt: skip
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(value: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before what would begin one (OWASP, CSV injection).

    A plain number in E.164 begins with a plus and can do nothing: it stays as it is.
    """
    if value.startswith(_STARTS_A_FORMULA) and not (value[0] == "+" and value[1:].isdecimal()):
        return "'" + value
    return value


def row_of(view: MessageView) -> list[str]:
    """The cells of one text."""
    cells = (
        out("message", view.id),
        rfc3339(view.created_at),
        view.direction,
        view.state,
        view.peer,
        view.line_name,
        view.line_number,
        view.text,
        str(view.segments),
        view.encoding,
        time_or_none(view.sent_at),
        time_or_none(view.delivered_at),
        time_or_none(view.final_at),
        view.reason,
        out_or_none("batch", view.batch_id),
        out_or_none("conversation", view.conversation_id),
        out_or_none("device", view.device_id),
    )
    return [harmless(cell or "") for cell in cells]


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


class MessageFile:
    """The file as an ASGI application: page after page, none of it kept."""

    def __init__(self, call: Call[TextsFilter, None], asked: MessageFilter) -> None:
        self._call, self._asked = call, asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = f"texts-{rfc3339(self._call.now)[:10]}.csv"
        headers = [
            (b"content-type", b"text/csv; charset=utf-8"),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # The mark tells spreadsheets that it is UTF-8.
        chunk, after = b"\xef\xbb\xbf" + _lines([COLUMNS]), None
        while True:
            page = await self._call.read(list_messages, self._call.account_id, self._asked, after, PAGE)
            chunk += _lines([row_of(view) for view in page.items])
            after = page.next
            await send({"type": "http.response.body", "body": chunk, "more_body": after is not None})
            if after is None:
                return
            chunk = b""


async def export_messages(call: Call[TextsFilter, None]) -> Content:
    """Export texts as CSV.

    All that match, in UTF-8, one text a row. Cells that a spreadsheet would take for a formula begin with an apostrophe.
    """
    return Content("text/csv", MessageFile(call, asked_for(call)))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        knows_lines=True, method="GET", path="/v1/messages/export", run=export_messages, scope=KeyScope.MESSAGES_READ, query=TextsFilter,
        body=NoBody, returns=Content, media_type="text/csv",
    ),
)  # fmt: skip
