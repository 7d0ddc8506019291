"""The websocket of native phones, `/device/v1/socket`: plain ASGI, one task per phone, nothing held for an idle one that is not needed.

A connection goes through three states (`device_protocol.states.SESSION`):

    offline --- token and version are right ---> greeting --- hello committed ---> live --- bye, close, silence ---> over
                 else 401, or bye 4010                         else bye

The reading side never waits for a commit: commands are queued, and with `WINDOW` of them on their way nothing more is read, so that the
phone's own send buffer fills. The sending side is a bounded outbox, emptied at once; where a frame finds no room in the connection, a task
waits for it that lives only while there is something in the outbox. A send that takes too long ends the connection, because a phone that
stopped reading cannot be told anything, goodbye included.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from device_protocol.codec import decode_from_phone, encode
from device_protocol.errors import (
    BAD_FRAME,
    HELLO_TIMEOUT,
    HUB_ERROR,
    RESTARTING,
    TOO_SLOW,
    UNKNOWN_FRAME,
    CloseReason,
    ProtocolError,
)
from device_protocol.frames import Ack, Bye, Go, Hello, PhoneFrame
from device_protocol.limits import HELLO_SECONDS
from device_protocol.version import choose_subprotocol
from hub.core.errors import HubError
from hub.devices.connect import Greeted
from hub.devices.tokens import DeviceTokens, PhoneIdentity
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.phones.native.begun import Begun, begin
from hub.phones.native.live import CLOSE_OF, UNKNOWN_FRAMES, NativeSession, as_hello, raw_if_changed
from hub.phones.native.turnstile import Turnstile
from hub.phones.requests import bearer_of, deny, expect_refusals
from hub.phones.sessions import Sessions
from hub.services import Services

log = get_logger("phones.socket")

SEND_SECONDS = 20.0
"""How long one frame may wait for room in the phone's connection, give or take `RENEW_SECONDS`."""
RENEW_SECONDS = 1.0
"""How often the deadline is moved on while frames leave: a timer for each frame costs as much as the frame."""
GOODBYE_SECONDS = 5.0
TOGETHER_SECONDS = 0.02
"""Phones that come back within this time of each other are stored together."""


class PhoneSocket:
    """The ASGI application of the socket."""

    def __init__(self, services: Services, sessions: Sessions, tokens: DeviceTokens) -> None:
        self._services = services
        self._sessions = sessions
        self._tokens = tokens
        self._node = services.config.node_name
        self._turnstile = Turnstile(TOGETHER_SECONDS)
        expect_refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, from its upgrade request to its end."""
        await receive()
        try:
            identity = self._tokens.read(bearer_of(scope), self._services.clock.now())
        except HubError as error:
            await deny(send, error)
            return
        connection = SocketSession(self._services, receive, send)
        try:
            subprotocol = choose_subprotocol(scope["subprotocols"])
        except ProtocolError as error:
            # Accepted only to be told why: many websocket libraries hide the answer to a refused upgrade.
            await send({"type": "websocket.accept"})
            await connection.leave(error.reason, error.detail)
            return
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        scope.clear()  # headers and addresses would stay for as long as the phone does
        await connection.run(identity, self._node, self._sessions, self._turnstile)


class SocketSession(NativeSession):
    """One phone's websocket."""

    __slots__ = ("_deadline", "_flushing", "_is_waiting", "_receive", "_send")

    def __init__(self, services: Services, receive: Receive, send: Send) -> None:
        super().__init__(services)
        self._receive = receive
        self._send = send
        self._flushing: asyncio.Task[None] | None = None
        self._deadline = asyncio.timeout(HELLO_SECONDS)
        self._is_waiting = False
        """Whether the reader may be interrupted: not while a hello is being committed."""

    async def run(self, identity: PhoneIdentity, node: str, sessions: Sessions, turnstile: Turnstile) -> None:
        """Everything after the upgrade. Returns when the connection is over; never raises."""
        try:
            async with self._deadline:
                self._is_waiting = True
                try:
                    await self._converse(identity, node, sessions, turnstile)
                finally:
                    self._is_waiting = False  # the deadline ends with this block: there is nothing left to interrupt
        except TimeoutError:
            if not self.device_id:
                self.end(HELLO_TIMEOUT, f"no hello within {HELLO_SECONDS} s")
        except ProtocolError as error:
            self.end(error.reason, error.detail)
        except OSError:
            pass  # the connection is gone
        except asyncio.CancelledError:
            self.end(RESTARTING, "the hub is stopping")
            raise
        except Exception:
            log.exception("a phone's connection failed inside the hub", device=self.device_id)
            self.end(HUB_ERROR, "the hub failed inside")
        finally:
            await self._finish(sessions)

    async def _converse(self, identity: PhoneIdentity, node: str, sessions: Sessions, turnstile: Turnstile) -> None:
        frame = await self._read()
        if frame is None or not await self._greet(identity, as_hello(frame[0]), node, sessions, turnstile):
            return
        while self.ending is None:
            frame = await self._read()
            if frame is None:
                return
            self.take(*frame)
            await self.wait_for_room()

    # --- reading

    async def _read(self) -> tuple[PhoneFrame, str | None] | None:
        """The next frame of a known type, with its raw text where that matters; None when the phone has closed."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return None
            text = message.get("text")
            if text is None:
                raise ProtocolError(BAD_FRAME, "binary frames are not part of the protocol")
            try:
                return decode_from_phone(text), raw_if_changed(text)
            except ProtocolError as error:
                if error.reason is not UNKNOWN_FRAME:
                    raise
                UNKNOWN_FRAMES.inc()
                log.debug("ignored a frame of an unknown type", device=self.device_id, frame=error.detail)

    async def _greet(
        self, identity: PhoneIdentity, hello: Hello, node: str, sessions: Sessions, turnstile: Turnstile
    ) -> bool:
        self._deadline.reschedule(None)
        await turnstile.turn()
        with sessions.greeting(identity.device_id) as greeting:
            self._is_waiting = False
            greeted = await self._commit_hello(identity, hello, node)
            self._is_waiting = True
            if greeted is None:
                return False
            if not greeted.is_welcome:
                await self._say(greeted)
                return False
            self.session_no = greeted.session_no
            return sessions.register(self, greeted.frames, greeting)

    async def _commit_hello(self, identity: PhoneIdentity, hello: Hello, node: str) -> Greeted | None:
        try:
            return await self.hello(identity, hello, node)
        except HubError as error:
            self.end(CLOSE_OF.get(error.code, HUB_ERROR), str(error.code))
            return None

    # --- writing

    def _wake(self) -> None:
        if self._flushing is not None:
            return
        try:
            while self.outbox and self.ending is None:
                begun = begin(self._say_next())
                if begun is not None:
                    self._flushing = asyncio.get_running_loop().create_task(self._flush(begun))
                    return
        except (OSError, RuntimeError, ProtocolError) as error:
            self._not_sent(error)

    async def _flush(self, begun: Begun) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SEND_SECONDS) as patience:
                await begun.end()
                renew_at = loop.time() + RENEW_SECONDS
                while self.outbox and self.ending is None:
                    await self._say_next()
                    if (now := loop.time()) >= renew_at:
                        renew_at = now + RENEW_SECONDS
                        patience.reschedule(now + SEND_SECONDS)
        except (OSError, RuntimeError, ProtocolError) as error:
            self._not_sent(error)
        finally:
            self._flushing = None

    def _not_sent(self, error: Exception) -> None:
        """What a send that failed means for the connection."""
        if isinstance(error, TimeoutError):
            log.warning("cut a phone that stopped reading", device=self.device_id, waiting=len(self.outbox))
            self.end(TOO_SLOW, "a frame could not be sent in time")
        elif isinstance(error, ProtocolError):
            log.error("a frame for a phone could not be written", device=self.device_id, why=str(error))
            self.end(HUB_ERROR, "a frame could not be written")
        else:
            self._interrupt()  # closed under our hands: the reader finds out

    async def _say_next(self) -> None:
        frame = self.outbox.popleft()
        if type(frame) is Ack:
            failpoint("event.before_ack")
        elif type(frame) is Go:
            failpoint("bind.committed")
        await self._send({"type": "websocket.send", "text": encode(frame)})
        if type(frame) is Go:
            failpoint("go.sent")

    def _end(self) -> None:
        self._interrupt()

    def _interrupt(self) -> None:
        """Wake the reader, wherever it waits, so that it returns; a hello that is being committed is looked at afterwards."""
        if self._is_waiting and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())

    # --- the end

    async def _finish(self, sessions: Sessions) -> None:
        self._is_waiting = False
        if self._flushing is not None:
            self._flushing.cancel()
        self.outbox.clear()
        if self.session_no:
            sessions.unregister(self)
            self.say_goodbye()
        if self.ending is not None and self.ending[0] is not TOO_SLOW:
            await self.leave(*self.ending)

    async def _say(self, greeted: Greeted) -> None:
        """The goodbye that answers a hello which does not count."""
        for frame in greeted.frames:
            if isinstance(frame, Bye):
                await self._send({"type": "websocket.send", "text": encode(frame)})
                await self._send({"type": "websocket.close", "code": frame.code, "reason": frame.reason})

    async def leave(self, reason: CloseReason, detail: str) -> None:
        """`bye`, then the close with the same code: some libraries show only one of the two."""
        bye = Bye(reason.code, reason.word, detail[:200])
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._send({"type": "websocket.send", "text": encode(bye)})
                await self._send({"type": "websocket.close", "code": reason.code, "reason": reason.word})
        except (TimeoutError, OSError, RuntimeError):
            log.debug("a phone could not be told goodbye", device=self.device_id, why=reason.word)
