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
from hub.core.media import name_of
from hub.media.fetching import Fetched, NotFetched, fetch
from hub.media.keeping import keep
from hub.media.room import Room
from hub.storage.database import Database
from hub.webhooks.dial import Dialler
from hub.webhooks.targets import check_url

ALL_SECONDS = 15.0
"""For all attachments of a message together."""
AT_ONCE = 16
"""Bodies held in memory at a time; other requests wait (`hub.media.room`)."""
ROOM_SECONDS, RETRY_AFTER_SECONDS = 10.0, 5.0
"""How long they wait. That the hub is busy with others is nothing that is wrong with an address."""
_ROOM = Room(AT_ONCE)


async def pull(
    db: Database, config: Config, dialler: Dialler, account_id: str, urls: Sequence[str]
) -> tuple[SentMedium, ...]:
    """Fetch and keep these; when this returns they are on disk.

    Raises `validation` and `target_refused` for an address, `validation` for one that does not answer with a whole attachment,
    `unsupported_media_type`, `body_too_large`; `queue_full` while others fetch as much as the hub holds.
    """
    for place, url in enumerate(urls):
        check_url(url, dialler.guard, field=_field(place))
    try:
        async with asyncio.timeout(ROOM_SECONDS):
            await _ROOM.enter(account_id)
    except TimeoutError:
        raise HubError(
            Code.QUEUE_FULL,
            "The hub fetches many attachments now. Send it again.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        ) from None
    try:
        return await _pulled(db, config, dialler, account_id, urls)
    finally:
        _ROOM.leave(account_id)


async def _pulled(
    db: Database, config: Config, dialler: Dialler, account_id: str, urls: Sequence[str]
) -> tuple[SentMedium, ...]:
    kept: list[SentMedium] = []
    try:
        async with asyncio.timeout(ALL_SECONDS):
            for place, url in enumerate(urls):
                type_, content = await _fetch(dialler, url, _field(place), config.media_max_bytes)
                one = await keep(db, config, account_id, type_, content)
                kept.append(SentMedium(one.sha256, one.type, one.size_bytes, name_of(url)))
                if sum(medium.size_bytes for medium in kept) > config.media_max_message_bytes:
                    raise HubError(
                        Code.BODY_TOO_LARGE,
                        f"All attachments of a message may have {config.media_max_message_bytes} bytes at most.",
                    )
    except TimeoutError:
        raise _failed(_field(len(kept)), f"It did not come within {ALL_SECONDS:g} seconds.") from None
    return tuple(kept)


async def _fetch(dialler: Dialler, url: str, field: str, most: int) -> Fetched:
    try:
        return await fetch(dialler, url, most)
    except NotFetched as error:
        if error.is_too_large:
            raise HubError(Code.BODY_TOO_LARGE, error.sentence) from error
        raise _failed(field, error.sentence) from error


def _field(place: int) -> str:
    return f"media[{place}]"


def _failed(field: str, sentence: str) -> HubError:
    return HubError(Code.VALIDATION, sentence, (FieldError(field, "not_fetched", sentence),))
