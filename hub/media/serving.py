"""An attachment as an HTTP answer: read piece by piece, and harmless in a browser whatever it holds.

What came from a stranger's handset must never run as a page of this hub: the type is one of a closed list and agrees with the bytes,
browsers are told not to guess another (`X-Content-Type-Options`, which every answer of the hub carries), only plain pictures are shown in
place, and a policy of nothing with `sandbox` holds even if all that failed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from hub.core.errors import Code, HubError
from hub.core.media import SHOWN_INLINE, WHY_NOT, Medium
from hub.storage.database import Database
from hub.storage.media import PIECE_BYTES, read_piece

POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
CACHE = "private, max-age=86400"


async def media_response(db: Database, account_id: str, medium: Medium, if_none_match: str = "") -> Response:
    """The content. Raises `not_found` for one whose content is not here."""
    sha256 = medium.sha256
    if medium.why is not None or sha256 is None or medium.size_bytes is None:
        raise HubError(
            Code.NOT_FOUND, f"This attachment cannot be fetched. {WHY_NOT.get(medium.why or '', '')}".strip()
        )
    headers = {
        "Content-Disposition": disposition(medium),
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": CACHE,
        "ETag": f'"{sha256}"',
    }
    if f'"{sha256}"' in (one.strip() for one in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    first = await db.read(read_piece, account_id, sha256, 0)
    if first is None:
        raise HubError(Code.NOT_FOUND, f"This attachment cannot be fetched. {WHY_NOT['missing']}")
    size = medium.size_bytes
    headers["Content-Length"] = str(size)
    return StreamingResponse(
        _pieces(db, account_id, sha256, first, size), headers=headers, media_type=with_charset(medium.type)
    )


async def _pieces(db: Database, account_id: str, sha256: str, first: bytes, size: int) -> AsyncIterator[bytes]:
    yield first
    for number in range(1, (size + PIECE_BYTES - 1) // PIECE_BYTES):
        piece = await db.read(read_piece, account_id, sha256, number)
        if piece is None:  # deleted while it was read: the answer ends short of its length, which the other side sees
            return
        yield piece


def with_charset(type_: str) -> str:
    """The type as a header says it: texts are UTF-8, or they were not kept."""
    return f"{type_}; charset=utf-8" if type_.startswith("text/") else type_


def disposition(medium: Medium) -> str:
    """Shown in place or saved, and under which name (RFC 6266 §4.3)."""
    how = "inline" if medium.type in SHOWN_INLINE else "attachment"
    if not medium.name:
        return how
    plain = "".join(one if one.isascii() and one not in '"\\' else "_" for one in medium.name)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(medium.name, safe='')}"
