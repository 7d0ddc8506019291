"""Texts that a webhook's receiver asks for in its answer (a TwiML `<Message>`): sent like any others, and only once.

A receiver is asked again when its answer was lost, and when its event is replayed. So each text has a key made of the event and its place
in the answer: the same answer again sends nothing.

What it asks to attach is fetched first. Where that cannot be had, or no line can send it, its words go alone.
"""

import hashlib
from typing import Protocol

from msgspec.structs import replace

from hub.accounts.settings import AccountSettings, read_settings
from hub.config import Config
from hub.core.clock import Clock
from hub.core.commands import HIGH, AnyLine, ByLine, ByName, CallbackTarget, Sender, SendRequest, SentMedium
from hub.core.errors import Code, HubError
from hub.core.events import MissedCallData, MmsData, ReceivedData, decode
from hub.core.ids import IdSource
from hub.core.ports import EndpointView, EventView, ReplyText
from hub.log import get_logger
from hub.media.pulling import pull
from hub.messages.accept import take_in
from hub.messages.idempotency import ANSWERED, is_answered
from hub.messages.limits import send_limits
from hub.messages.prepare import PreparedSend, prepare
from hub.storage.accounts import find_account
from hub.storage.database import Database
from hub.storage.messages_lines import has_mms_line
from hub.webhooks.front import Webhooks

log = get_logger("messages.replies")

DOOR_SUFFIX = "_reply"
"""The door of such a text is its format's name and this."""


class _Parts(Protocol):
    """What replies need of the hub's services."""

    @property
    def config(self) -> Config: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ids(self) -> IdSource: ...

    @property
    def db(self) -> Database: ...

    @property
    def webhooks(self) -> Webhooks: ...


class Replies:
    """Sends what receivers ask for. Raises nothing: a reply that cannot be sent is in the log."""

    def __init__(self, parts: _Parts) -> None:
        self._db = parts.db
        self._clock = parts.clock
        self._ids = parts.ids
        self._config = parts.config
        self._webhooks = parts.webhooks

    async def __call__(self, event: EventView, endpoint: EndpointView, texts: tuple[ReplyText, ...]) -> None:
        """Send these answers to an event."""
        row = await self._db.read(find_account, event.account_id)
        settings = read_settings("{}" if row is None else row.settings)
        for place, text in enumerate(texts):
            if text.media_urls and await self._is_sent(event, endpoint, text, place, settings):
                continue
            if text.text:
                await self._is_sent(event, endpoint, replace(text, media_urls=()), place, settings)

    async def _is_sent(
        self, event: EventView, endpoint: EndpointView, text: ReplyText, place: int, settings: AccountSettings
    ) -> bool:
        """Whether it was taken, now or before."""
        try:
            media = await self._pulled(event, endpoint, text, place)
            await take_in(self._db.writer, self._prepared(event, endpoint, text, place, settings, media))
            return True
        except HubError as error:
            log.warning(
                "a text that a webhook's answer asked for was not taken",
                with_media=bool(text.media_urls),
                endpoint=endpoint.endpoint_id,
                code=error.code,
                trace_id=event.trace_id,
            )
            return False

    async def _pulled(
        self, event: EventView, endpoint: EndpointView, text: ReplyText, place: int
    ) -> tuple[SentMedium, ...]:
        """What to attach. Nothing is fetched for an answer that was carried out before, and where no line could send it."""
        if not text.media_urls:
            return ()
        account_id = event.account_id
        if await self._db.read(is_answered, account_id, endpoint.format + DOOR_SUFFIX, _key(event, place)):
            return (ANSWERED,)
        if not await self._db.read(has_mms_line, account_id):
            raise HubError(Code.NO_MMS_LINE)
        return await pull(self._db, self._config, self._webhooks.client.dialler, account_id, text.media_urls)

    def _prepared(
        self,
        event: EventView,
        endpoint: EndpointView,
        text: ReplyText,
        place: int,
        settings: AccountSettings,
        media: tuple[SentMedium, ...],
    ) -> PreparedSend:
        callback = None
        if text.callback_url is not None:
            callback = CallbackTarget(
                endpoint.format, text.callback_url, gateway_id=endpoint.gateway_id, settings=dict(endpoint.settings)
            )
            self._webhooks.check_callback(callback)
        now = self._clock.now()
        words = "\n".join((text.to or "", text.sender or "", text.text, *text.media_urls))
        request = SendRequest(
            account_id=event.account_id,
            door=endpoint.format + DOOR_SUFFIX,
            recipients=(),
            text=text.text,
            sender=_sender(event, text),
            strict_sender=text.sender is not None,
            priority=HIGH,
            idempotency_key=_key(event, place),
            request_sha256=hashlib.sha256(words.encode()).hexdigest(),
            callback=callback,
            trace_id=event.trace_id,
            media=media,
        )
        limits = send_limits(self._config, settings)
        to = text.to or _author(event)
        return prepare(request, [to], limits, now=now, new_id=lambda: self._ids.next(now))


def _key(event: EventView, place: int) -> str:
    return f"{event.event_id}:{place}"


def _sender(event: EventView, text: ReplyText) -> Sender:
    if text.sender is not None:
        return ByName(text.sender)
    return AnyLine() if event.line_id is None else ByLine(event.line_id)


def _author(event: EventView) -> str:
    """Who sent what the event is about; for an event without an author, nobody that can be texted."""
    data = decode(event.type, event.data)
    return data.from_ if isinstance(data, ReceivedData | MmsData | MissedCallData) else ""
