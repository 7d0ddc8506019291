"""A native phone's live session, and what each of its frames becomes: a command for the writer, or something to note later.

Used by the websocket and by its HTTP stand-in alike. Nothing here waits: what has to be stored is queued in order, and the caller looks at
`in_flight` before it reads on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from prometheus_client import Counter

from device_protocol.codec import sanitise_json
from device_protocol.errors import (
    BAD_FRAME,
    HELLO_REPEATED,
    HUB_ERROR,
    REMOVED,
    SUPERSEDED,
    SUSPENDED,
    UNAUTHORIZED,
    CloseReason,
    ProtocolError,
)
from device_protocol.frames import (
    Accepted,
    Bye,
    Event,
    Gone,
    Hello,
    PhoneFrame,
    Ping,
    Pong,
    Recalled,
    Refused,
    Sim,
    Status,
    TooLate,
)
from device_protocol.limits import EVENT_WINDOW
from device_protocol.states import SessionState, check_phone_frame
from device_protocol.wire_types import write_utc
from hub.core.errors import Code, HubError
from hub.devices.connect import Greeted, SayHello, say_hello
from hub.devices.event_log import Stored, StoreTold, store_told
from hub.devices.lines import ListSims, list_sims
from hub.devices.presence import CLOSED, Goodbye, NoteSightings, goodbye, note_sightings
from hub.devices.recall import TakeRecalled, take_recalled
from hub.devices.tokens import PhoneIdentity
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.messages.answers import PhoneAnswer, take_answers
from hub.phones.sessions import Session
from hub.services import Services
from hub.storage.devices import Sighting

log = get_logger("phones.native")

EVENTS = Counter("hub_phone_events_total", "Events of phones that were stored, repeated ones not counted.")
QUARANTINED = Counter(
    "hub_phone_events_quarantined_total", "Those among them that could not be read and are kept as they came."
)
UNKNOWN_FRAMES = Counter("hub_phone_frames_unknown_total", "Frames of a type this hub does not know; they are ignored.")
ENDED = Counter("hub_phone_sessions_ended_total", "Sessions that ended, by the close word.", ["reason"])

WINDOW = EVENT_WINDOW
"""Commands of one phone that may wait for their commit before nothing more is read from it."""

CLOSE_OF: dict[Code, CloseReason] = {
    Code.SUPERSEDED: SUPERSEDED,
    Code.DEVICE_REVOKED: REMOVED,
    Code.DEVICE_SUSPENDED: SUSPENDED,
    Code.UNAUTHENTICATED: UNAUTHORIZED,
}
"""How a refusal of the use cases closes a phone; any other is our own fault (`hub_error`)."""


class NativeSession(Session):
    """A phone that speaks the device protocol. Subclasses say how its frames leave."""

    __slots__ = ("_room", "_services", "in_flight", "look", "sims_told", "status")

    def __init__(self, services: Services) -> None:
        super().__init__(services.clock.monotonic())
        self._services = services
        self._room: asyncio.Future[None] | None = None
        self.in_flight = 0
        self.status: Status | None = None
        """The last `status` that is not written yet."""
        self.sims_told = 0
        """Hash of the SIMs last passed on, since most `status` frames repeat them."""
        self.look = 0
        """Hash of what a person sees of its status: permissions, charging, battery, bars of signal."""

    # --- hello and goodbye

    def hello(self, identity: PhoneIdentity, hello: Hello, node: str) -> asyncio.Future[Greeted]:
        """Queue the hello of a connection that came to this node with this identity."""
        services = self._services
        self.device_id, self.account_id = identity.device_id, identity.account_id
        self.sims_told = hash(hello.sims)
        command = SayHello(
            account_id=identity.account_id,
            device_id=identity.device_id,
            credential_no=identity.credential_no,
            hello=hello,
            fresh_stream=services.ids.next(services.clock.now()),
            hub_epoch=services.hub_epoch,
            node=node,
        )
        return services.db.writer.submit_soon(say_hello, command, *command.keys())

    def say_goodbye(self) -> None:
        """Queue the note that this session is over."""
        word = self.ending[0].word if self.ending is not None else CLOSED
        ENDED.labels(word).inc()
        command = Goodbye(account_id=self.account_id, device_id=self.device_id, session_no=self.session_no, reason=word)
        try:
            future = self._services.db.writer.submit_soon(goodbye, command, *command.keys())
        except HubError as error:
            log.info("the end of a session could not be noted", device=self.device_id, why=error.code)
        else:
            future.add_done_callback(_look_at_error)

    # --- frames

    def take(self, frame: PhoneFrame, raw: str | None) -> None:
        """Act on a frame of a live session. ProtocolError for one that may not be said now."""
        self.last_heard = self._services.clock.monotonic()
        _TAKERS[type(frame)](self, frame, raw)

    def _event(self, frame: Event | Gone, raw: str | None) -> None:
        command = StoreTold(
            account_id=self.account_id,
            device_id=self.device_id,
            session_no=self.session_no,
            frames=(frame,),
            raw=raw,
        )
        self._queue(store_told, command)

    def _answer(self, frame: Accepted | Refused | TooLate, _raw: str | None) -> None:
        if isinstance(frame, Accepted):
            failpoint("accepted.read")
        command = PhoneAnswer(
            account_id=self.account_id, device_id=self.device_id, session_no=self.session_no, frame=frame
        )
        self._queue(take_answers, command)

    def _recalled(self, frame: Recalled, _raw: str | None) -> None:
        command = TakeRecalled(
            account_id=self.account_id,
            device_id=self.device_id,
            session_no=self.session_no,
            page=frame,
            hub_epoch=self._services.hub_epoch,
        )
        self._queue(take_recalled, command)

    def _ping(self, frame: Ping, _raw: str | None) -> None:
        self.queue((Pong(frame.n, write_utc(self._services.clock.now())),))

    def _status(self, frame: Status, _raw: str | None) -> None:
        self.status = msgspec.structs.replace(frame, sims=())
        look = _look_of(frame)
        if look != self.look:
            self.look = look
            self._show()
        if frame.sims and hash(frame.sims) != self.sims_told:
            self._list_sims(frame.sims)

    def _show(self) -> None:
        """Somebody may be looking, as while pairing: then what changed is written now, not with the next round."""
        if not self._services.live.watching(self.account_id):
            return
        command = NoteSightings(sightings=(self.sighting(),), watched_by=self.account_id)
        try:
            future = self._services.db.writer.submit_soon(note_sightings, command)
        except HubError as error:
            log.info("a phone's status could not be noted", device=self.device_id, why=error.code)
        else:
            future.add_done_callback(_look_at_error)

    def sighting(self) -> Sighting:
        """What to note of this session now."""
        self.noted_at = self.last_heard
        silent = self._services.clock.monotonic() - self.last_heard
        status, self.status = self.status, None
        return Sighting(
            self.device_id,
            self.session_no,
            self._services.clock.now() - round(silent * 1000),
            None if status is None else _encoder.encode(msgspec.structs.replace(status, permissions={})).decode(),
            None if status is None or not status.permissions else _encoder.encode(status.permissions).decode(),
        )

    def _list_sims(self, sims: tuple[Sim, ...]) -> None:
        self.sims_told = hash(sims)
        command = ListSims(account_id=self.account_id, device_id=self.device_id, session_no=self.session_no, sims=sims)
        self._queue(list_sims, command)

    def _bye(self, frame: Bye, _raw: str | None) -> None:
        log.debug("a phone said goodbye", device=self.device_id, code=frame.code, why=frame.reason)

    def _repeated_hello(self, _frame: Hello, _raw: str | None) -> None:
        raise ProtocolError(HELLO_REPEATED, "one hello per connection")

    # --- commands on their way

    def _queue(self, use_case: Any, command: Any) -> None:
        try:
            future = self._services.db.writer.submit_soon(use_case, command, *command.keys())
        except HubError as error:
            self._refused(error)
            return
        self.in_flight += 1
        future.add_done_callback(self._settled)

    def _settled(self, future: asyncio.Future[Any]) -> None:
        self.in_flight -= 1
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, HubError):
            self._refused(error)
        elif error is not None:
            self.end(HUB_ERROR, "the hub failed inside")
        elif future.result() is False:
            self.end(SUPERSEDED, "a newer connection counts")
        elif isinstance(stored := future.result(), Stored):
            EVENTS.inc(stored.new)
            QUARANTINED.inc(stored.quarantined)
            failpoint("event.stored")

    def _refused(self, error: HubError) -> None:
        reason = CLOSE_OF.get(error.code, HUB_ERROR)
        if reason is HUB_ERROR:
            log.warning("a phone's frame could not be stored", device=self.device_id, why=error.code)
        self.end(reason, str(error.code))

    async def wait_for_room(self) -> None:
        """Return once fewer than `WINDOW` commands wait for their commit."""
        while self.in_flight >= WINDOW:
            await self.wait_for_less()

    async def wait_for_less(self) -> None:
        """Return when one more command is committed or refused."""
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._room)


_encoder = msgspec.json.Encoder()


def _look_of(status: Status) -> int:
    bars = tuple(None if level is None else level // 25 for level in status.signal_percent)
    return hash((frozenset(status.permissions.items()), status.is_charging, status.battery_percent, bars))


_TAKERS: dict[type, Callable[[NativeSession, Any, str | None], None]] = {
    Event: NativeSession._event,
    Gone: NativeSession._event,
    Accepted: NativeSession._answer,
    Refused: NativeSession._answer,
    TooLate: NativeSession._answer,
    Recalled: NativeSession._recalled,
    Ping: NativeSession._ping,
    Status: NativeSession._status,
    Bye: NativeSession._bye,
    Hello: NativeSession._repeated_hello,
}


def raw_if_changed(text: str) -> str | None:
    """The frame's text where storing it would change it: it holds NUL or half a surrogate pair."""
    if "\\u" not in text and "\x00" not in text:
        return None
    return text if sanitise_json(text) != text else None


def as_hello(frame: PhoneFrame) -> Hello:
    """The first frame of a connection. ProtocolError for any other."""
    check_phone_frame(SessionState.GREETING, frame)
    if not isinstance(frame, Hello):
        raise ProtocolError(BAD_FRAME, "goodbye before hello")
    return frame


def _look_at_error(future: asyncio.Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.info("the end of a session could not be noted", why=str(error))
