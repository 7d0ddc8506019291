"""What is attached to texts: its content, and links to it for programs that have no key."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from hub.core.media import WHY_NOT, Medium, shown_name
from hub.core.text import sanitise
from hub.dialects.native_v1.fields import Count, MediaId, Model, Query, UtcTime, out, time
from hub.dialects.native_v1.operation import AnyOperation, Call, Content, NoBody, NoQuery, Operation
from hub.media.keeping import keep
from hub.media.serving import media_response
from hub.media.uploading import NameUpload, name_uploads
from hub.storage.media import UploadRow, find_medium


class MediaLink(Model):
    """A link that works without credentials for a while."""

    url: str
    expires_at: UtcTime


class UploadQuery(Query):
    """How the attachment is called."""

    name: Annotated[str, Meta(max_length=200, description="Its file name, as the recipient may see it.")] | None = None


class Upload(Model):
    """An attachment that can be sent, for a day."""

    id: MediaId
    content_type: Annotated[str, Meta(description="What was declared, where the bytes agree.")]
    name: str | None
    size_bytes: Count
    sha256: str


async def upload_media(call: Call[UploadQuery, None]) -> Upload:
    """Upload an attachment.

    The body is the attachment itself, with its own `Content-Type`. Send what this answers as `media` of a text within a day, as often
    as you like; every text then has it for as long as the text is kept.
    """
    services = call.services
    if not call.raw_body:
        raise HubError(Code.BAD_REQUEST, "The body is empty: send the attachment itself.")
    kept = await keep(services.db, services.config, call.account_id, call.header(b"content-type"), call.raw_body)
    name = None if call.query.name is None else shown_name(sanitise(call.query.name))
    row = UploadRow(call.new_id(), call.account_id, kept.sha256, kept.type, name, kept.size_bytes, call.now)
    await call.write(name_uploads, NameUpload(row))
    return Upload(
        id=out("media", row.id), content_type=row.type, name=name, size_bytes=row.size_bytes, sha256=row.sha256
    )


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
        method="POST", path="/v1/media", run=upload_media, knows_lines=True, scope=Scope.MESSAGES_SEND, query=UploadQuery, body=NoBody,
        takes_bytes=True, returns=Upload, status=201,
    ),
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
