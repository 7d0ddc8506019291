"""The loop that fetches what carriers attach to texts (`hub.messages.carried_media`).

It looks once a second. A few messages are fetched at a time, of one account at most two, so that one carrier's slow server holds up
nobody else's pictures; the attachments of one message come one after the other, so that memory holds one for each message.
"""

from __future__ import annotations

import asyncio
import random
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from hub.config import Config
from hub.core.clock import Clock
from hub.core.errors import Code, HubError
from hub.core.media import GENERIC, Medium, declared_type
from hub.failpoints import failpoint
from hub.gateways.desk import GatewayDesk
from hub.log import get_logger
from hub.media.fetching import Fetched, NotFetched, fetch
from hub.media.keeping import Kept, keep
from hub.messages.carried_media import (
    Bring,
    EndTry,
    FreePulls,
    GoOn,
    Pull,
    TakePulls,
    Tell,
    bring,
    end_try,
    free_pulls,
    go_on,
    take_pulls,
    tell,
)
from hub.storage.database import Database
from hub.storage.media_pulls import Brought, is_any_due, untold_until
from hub.webhooks.front import Webhooks

log = get_logger("messages.carried")

EVERY_SECONDS = 1.0
AT_ONCE = 8
MOST_OF_ACCOUNT = 2
FETCH_SECONDS = 20.0
"""For one attachment, redirects included."""
LEASE_SECONDS = 60.0
"""Longer than one attachment takes; taken anew for each."""
REDIRECTS = 3
MOST_TOLD = 200
_LATE = "It did not come in time."


class _Parts(Protocol):
    """What the loop needs of the hub's services."""

    @property
    def config(self) -> Config: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def gateways(self) -> GatewayDesk: ...

    @property
    def webhooks(self) -> Webhooks: ...


class CarriedMedia:
    """A background loop (`hub.core.ports.Worker`)."""

    name = "carried media"

    def __init__(self, parts: _Parts, fetch_seconds: float = FETCH_SECONDS) -> None:
        self._parts = parts
        self._db = parts.db
        self._fetch_seconds = fetch_seconds
        self._tasks: dict[asyncio.Task[None], str] = {}
        """Each with the account it works for."""

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            await self.begin()
            while True:
                try:
                    await self.look()
                except HubError as error:
                    log.warning("attachments could not be looked for", why=error.code)
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def begin(self) -> None:
        """What the process before this one had taken is due."""
        command = FreePulls()
        await self._db.writer.submit(free_pulls, command, *command.keys())

    async def look(self) -> None:
        """Start what is due and there is room for, and tell what has waited long enough."""
        now = self._parts.clock.now()
        for account_id, message_id in await self._db.read(untold_until, now, MOST_TOLD):
            command = Tell(account_id, message_id)
            await self._db.writer.submit(tell, command, *command.keys())
        while len(self._tasks) < AT_ONCE:
            full = {account for account, n in Counter(self._tasks.values()).items() if n >= MOST_OF_ACCOUNT}
            if not await self._db.read(is_any_due, now, full):
                return
            take = TakePulls(tuple(sorted(full)), 1, LEASE_SECONDS)
            taken = await self._db.writer.submit(take_pulls, take, *take.keys())
            if not taken:
                return
            for pull in taken:
                self._start(pull)

    async def idle(self) -> None:
        """Wait for what was started."""
        await asyncio.gather(*self._tasks)

    def _start(self, pull: Pull) -> None:
        task = asyncio.create_task(self._carry_out(pull), name="carried media of a message")
        self._tasks[task] = pull.row.account_id
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("attachments of a message could not be fetched now", error=type(error).__name__)

    async def _carry_out(self, pull: Pull) -> None:
        """One try at everything of a message that waits."""
        row = pull.row
        login = await self._login_of(row.account_id, row.gateway_id)
        held, why = pull.held_bytes, _LATE
        for medium in pull.waiting:
            still = GoOn(row.account_id, row.message_id, LEASE_SECONDS)
            await self._db.writer.submit(go_on, still, *still.keys())
            try:
                brought, sentence = await self._one(row.account_id, medium, pull.urls[medium.position], held, login)
            except NotFetched as error:
                why = error.sentence
                continue
            held += (brought.size_bytes or 0) if brought.sha256 is not None else 0
            failpoint("media.stored")
            done = Bring(row.account_id, row.message_id, medium.position, brought, sentence)
            await self._db.writer.submit(bring, done, *done.keys())
            failpoint("media.brought")
        ended = EndTry(row.account_id, row.message_id, why, random.random())
        await self._db.writer.submit(end_try, ended, *ended.keys())

    async def _one(
        self, account_id: str, medium: Medium, url: str, held: int, login: Callable[[str], str | None]
    ) -> tuple[Brought, str | None]:
        """What became of it for good, and why. Raises NotFetched for what may be better later."""
        config, dialler = self._parts.config, self._parts.webhooks.client.dialler
        try:
            async with asyncio.timeout(self._fetch_seconds):
                came = await fetch(dialler, url, config.media_max_bytes, redirects=REDIRECTS, login=login)
            if held + len(came.content) > config.media_max_message_bytes:
                sentence = f"All attachments of a message may have {config.media_max_message_bytes} bytes at most."
                raise NotFetched(sentence, is_too_large=True)
            kept = await self._keep(account_id, medium, came)
            return Brought(kept.type, kept.size_bytes, kept.sha256, None), None
        except TimeoutError:
            raise NotFetched(_LATE, is_passing=True) from None
        except NotFetched as error:
            if error.is_passing:
                raise
            why = "size" if error.is_too_large else "not_fetched"
            return Brought(medium.type, None, None, why), error.sentence
        except HubError as error:
            if error.code is not Code.UNSUPPORTED_MEDIA_TYPE:
                raise
            return Brought(medium.type, None, None, "type"), error.detail

    async def _keep(self, account_id: str, medium: Medium, came: Fetched) -> Kept:
        """By the type that the answer names, or if it names none, that the carrier's post named."""
        declared = medium.type if declared_type(came.type) in GENERIC else came.type
        return await keep(self._db, self._parts.config, account_id, declared, came.content)

    async def _login_of(self, account_id: str, gateway_id: str) -> Callable[[str], str | None]:
        """The gateway's SID and token, for its own addresses and the carriers' that the hub is set to log in at; for no other."""
        try:
            gateway = await self._parts.gateways.get(account_id, gateway_id)
        except HubError:
            return lambda _url: None
        own = [gateway.status_url or ""]
        if gateway.endpoint_id is not None:
            own.append((await self._parts.webhooks.get(account_id, gateway.endpoint_id)).url)
        hosts = filter(None, (one.strip() for one in self._parts.config.carrier_login_hosts.split(",")))
        origins = {_origin(url) for url in (*own, *(f"https://{host}" for host in hosts))} - {None}
        (token, *_) = (*gateway.alive_tokens(self._parts.clock.now()), "")
        basic = "Basic " + b64encode(f"{gateway.sid}:{token}".encode()).decode()
        return lambda url: basic if _origin(url) in origins else None


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no web address."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
