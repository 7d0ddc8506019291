"""Fetching what a customer wants to send from the address they name, before their request is answered.

The address is the customer's and the hub stands in somebody's network, so the same rules hold as for webhooks: each address is judged at
the moment it is dialled, redirects are not followed, one deadline covers everything, and no more is read than an attachment may have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hub.config import Config
from hub.core.commands import SentMedium
from hub.core.errors import Code, FieldError, HubError
from hub.core.media import shown_name
from hub.media.keeping import keep
from hub.storage.database import Database
from hub.webhooks.dial import Dialler, target_of
from hub.webhooks.http1 import Connection
from hub.webhooks.targets import check_url
from hub.webhooks.trip import Trip

ALL_SECONDS = 15.0
"""For all attachments of a message together."""
AT_ONCE = 16
"""Bodies held in memory at a time; other requests wait."""
_ROOM = asyncio.Semaphore(AT_ONCE)
_ASK = b"user-agent: handset-hub\r\naccept: */*\r\naccept-encoding: identity\r\nconnection: close\r\n"


async def pull(
    db: Database, config: Config, dialler: Dialler, account_id: str, urls: Sequence[str]
) -> tuple[SentMedium, ...]:
    """Fetch and keep these; when this returns they are on disk.

    Raises `validation` and `target_refused` for an address, `validation` for one that does not answer with a whole attachment,
    `unsupported_media_type`, `body_too_large`.
    """
    for place, url in enumerate(urls):
        check_url(url, dialler.guard, field=_field(place))
    kept: list[SentMedium] = []
    try:
        async with asyncio.timeout(ALL_SECONDS), _ROOM:
            for place, url in enumerate(urls):
                type_, content = await _fetch(dialler, url, _field(place), config.media_max_bytes)
                one = await keep(db, config, account_id, type_, content)
                kept.append(SentMedium(one.sha256, one.type, one.size_bytes, _name_of(url)))
                if sum(medium.size_bytes for medium in kept) > config.media_max_message_bytes:
                    raise HubError(
                        Code.BODY_TOO_LARGE,
                        f"All attachments of a message may have {config.media_max_message_bytes} bytes at most.",
                    )
    except TimeoutError:
        raise _failed(_field(len(kept)), f"It did not come within {ALL_SECONDS:g} seconds.") from None
    return tuple(kept)


async def _fetch(dialler: Dialler, url: str, field: str, most: int) -> tuple[str | None, bytes]:
    """Declared type and bytes."""
    try:
        target = target_of(url, dialler.has_proxy)
        connection = await dialler.dial(target, Trip(), read_bytes=most + 1)
        try:
            proxy = dialler.proxy_header().encode() if dialler.has_proxy and not target.is_tls else b""
            await connection.send(b"GET" + target.head + _ASK + proxy + b"\r\n")
            return _whole(connection, field, most)
        finally:
            connection.close()
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        raise _failed(field, "The address cannot be reached, or what answers there is not HTTP.") from error


def _whole(connection: Connection, field: str, most: int) -> tuple[str | None, bytes]:
    exchange = connection.exchange
    if exchange.status != 200:
        raise _failed(field, f"The address answers {exchange.status} instead of 200; redirects are not followed.")
    if len(exchange.body) > most:
        raise HubError(Code.BODY_TOO_LARGE, f"An attachment may have {most} bytes at most.")
    if not connection.is_complete or not exchange.body:
        raise _failed(field, "The answer is empty, or it ended before its end.")
    declared = [value for name, value in exchange.headers if name.lower() == b"content-type"]
    return (declared[0].decode("latin-1") if declared else None), exchange.body


def _field(place: int) -> str:
    return f"media[{place}]"


def _name_of(url: str) -> str | None:
    """The last word of the path, where it looks like a file's."""
    last = url.partition("#")[0].partition("?")[0].rpartition("/")[2]
    return shown_name(last) if "." in last and "%" not in last else None


def _failed(field: str, sentence: str) -> HubError:
    return HubError(Code.VALIDATION, sentence, (FieldError(field, "not_fetched", sentence),))
