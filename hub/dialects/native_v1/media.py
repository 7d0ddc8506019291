"""What is attached to texts: its content, and links to it for programs that have no key."""

from __future__ import annotations

from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from hub.core.media import WHY_NOT, Medium
from hub.dialects.native_v1.fields import Model, UtcTime, time
from hub.dialects.native_v1.operation import AnyOperation, Call, Content, NoBody, NoQuery, Operation
from hub.media.serving import media_response
from hub.storage.media import find_medium


class MediaLink(Model):
    """A link that works without credentials for a while."""

    url: str
    expires_at: UtcTime


async def get_media(call: Call[NoQuery, None]) -> Content:
    """Fetch an attachment.

    The content itself, with its own `Content-Type`. Pictures may be shown in place; everything else is sent as a file to save.
    """
    medium = await _found(call)
    known = call.header(b"if-none-match") or ""
    return Content(medium.type, await media_response(call.services.db, call.account_id, medium, known))


async def link_media(call: Call[NoQuery, None]) -> MediaLink:
    """Make a link to an attachment.

    Whoever has it can fetch the attachment, and nothing else, until it expires.
    """
    medium, services = await _found(call), call.services
    if medium.why is not None:
        raise HubError(Code.NOT_FOUND, f"This attachment cannot be fetched. {WHY_NOT.get(medium.why, '')}".strip())
    now = services.clock.now()
    links = services.media_links
    return MediaLink(url=links.link(call.account_id, medium.id, now), expires_at=time(links.expires_at(now)))


async def _found(call: Call[NoQuery, None]) -> Medium:
    """The attachment, if its text went by a line that the one who asks may see."""
    found = await call.read(find_medium, call.account_id, call.path["media_id"])
    if found is None or (call.line_ids is not None and found.line_id not in call.line_ids):
        raise HubError(Code.NOT_FOUND)
    return found.medium


_ONE = "/v1/media/{media_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ONE, run=get_media, knows_lines=True, scope=Scope.MESSAGES_READ, query=NoQuery, body=NoBody, returns=Content,
        media_type="*/*", other_statuses={304: "`If-None-Match` names what it holds."},
        request_headers={"If-None-Match": "The `ETag` of a copy you have."},
    ),
    Operation(
        method="POST", path=_ONE + "/link", run=link_media, knows_lines=True, scope=Scope.MESSAGES_READ, query=NoQuery, body=NoBody,
        returns=MediaLink,
    ),
)  # fmt: skip
