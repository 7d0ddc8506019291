"""`/message`: the phone asks for its texts, and tells how they stand.

What is listed is the phone's from the commit before the answer (`hub.devices.listing`). A report is answered 204 whatever it speaks of:
the app would try an error ten times and then lose the report.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.core.errors import HubError
from hub.devices.listing import ListFor, list_for
from hub.devices.posted import TakeWords, take_words
from hub.failpoints import failpoint
from hub.http import read_body
from hub.log import get_logger
from hub.phones.sessions import Sessions
from hub.phones.smsgate.answers import answer, no_content
from hub.phones.smsgate.callers import Caller, Callers, decoded
from hub.phones.smsgate.memory import PhoneMemory
from hub.phones.smsgate.results import words_of
from hub.phones.smsgate.streams import PhoneStreams
from hub.phones.smsgate.versions import CANCELS
from hub.phones.smsgate.wire import MessageState, read_phone_id, text_for_phone
from hub.services import Services

log = get_logger("phones.smsgate")

BODY_MAX_BYTES: Final = 1024 * 1024
_decoder = msgspec.json.Decoder(list[MessageState])
_encoder = msgspec.json.Encoder()


class Pulling:
    """The two routes."""

    def __init__(self, services: Services, sessions: Sessions, callers: Callers, memory: PhoneMemory) -> None:
        self._services = services
        self._sessions = sessions
        self._callers = callers
        self._memory = memory

    async def list_texts(self, request: Request) -> Response:
        """`GET /message`: in the order in which they should go, whatever `order` asks for; the app orders them by their times again."""
        caller = await self._callers.identify(request)
        device_id = caller.device_id
        command = ListFor(
            **caller.command(),
            knows_cancel=caller.version >= CANCELS,
            spoken_of=self._memory.spoken_of(device_id),
        )
        streams = self._streams(caller)
        if streams is not None:
            streams.is_fetching()
        listing = await self._services.db.writer.submit(list_for, command, *command.keys())
        failpoint("list.committed")
        if streams is not None:
            streams.has_fetched(listing)
        ahead = self._memory.clock_ahead_ms(device_id)
        return answer([text_for_phone(text, ahead) for text in listing.texts])

    async def take_states(self, request: Request) -> Response:
        """`PATCH /message`."""
        caller = await self._callers.identify(request)
        body = await read_body(request.scope, request.receive, BODY_MAX_BYTES)
        try:
            states: list[MessageState] = decoded(_decoder, body)
        except HubError as error:
            log.warning("a phone's report could not be read", device=caller.device_id, why=error.detail)
            return no_content()
        for state in states:
            await self._take(caller, state)
        streams = self._streams(caller)
        if streams is not None:
            streams.has_spoken()
        return no_content()

    async def _take(self, caller: Caller, state: MessageState) -> None:
        ref = read_phone_id(state.id)
        if ref is None:
            log.info("a report speaks of a text that is not this hub's", device=caller.device_id)
            return
        words = words_of(state, caller.device_id, self._services.clock.now())
        if words:
            command = TakeWords(**caller.command(), words=words, raw=_encoder.encode(state).decode())
            await self._services.db.writer.submit(take_words, command, *command.keys())
        self._memory.spoke_of(caller.device_id, ref[0])

    def _streams(self, caller: Caller) -> PhoneStreams | None:
        session = self._sessions.live(caller.device_id)
        return session if isinstance(session, PhoneStreams) else None
