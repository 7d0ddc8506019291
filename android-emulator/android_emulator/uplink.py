"""Keeps one phone connected to its hub: access token, websocket or HTTP calls, and the patience between tries."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

from android_emulator.channel import Channel, Closed, ConnectError
from android_emulator.enrolling import AccessTokens, complete
from android_emulator.handset import Handset
from android_emulator.http_channel import HttpChannel
from android_emulator.hub_client import HubClient, HubError, HubUnreachableError
from android_emulator.store import Enrolment
from android_emulator.websocket import WebSocketChannel, open_websocket
from device_protocol.enrolment import DeviceDescription
from device_protocol.errors import After, after_close
from device_protocol.phone_side import http_retry_delay, reconnect_delay
from device_protocol.version import SUBPROTOCOL

Transport = Literal["auto", "websocket", "http"]
SOCKET_TRIES: Final = 2
"""Failed websockets in a row after which HTTP calls are tried as well."""


def _full_jitter(attempt: int) -> float:
    return reconnect_delay(attempt, random.random())


@dataclass(frozen=True, slots=True)
class Timing:
    """The phone's patience, in seconds; tests shorten it."""

    reconnect: Callable[[int], float] = _full_jitter
    """After a lost socket, by how many tries in a row have failed."""
    http_retry: Callable[[int], float] = http_retry_delay
    """The same while the socket is refused and HTTP calls fail too."""
    wait: float = 900.0
    """When only the operator can help: the phone was removed or suspended."""
    fallback: float = 900.0
    """How long HTTP calls are used before the socket is tried again."""
    tick: float = 5.0
    """How often the phone looks at the clock."""

    @classmethod
    def hasty(cls) -> "Timing":
        """For tests: tries again almost at once."""
        return cls(lambda attempt: 0.05, lambda attempt: 0.1, 0.2, 0.5, 0.5)


class Uplink:
    """`run` it for as long as the phone is on."""

    def __init__(
        self,
        handset: Handset,
        *,
        timing: Timing,
        transport: Transport,
        say: Callable[[str], None],
    ) -> None:
        self.channel: Channel | None = None
        self.last_closed: Closed | None = None
        """How the last connection ended."""
        self.connections = 0
        """How many were opened."""
        self.subprotocol = SUBPROTOCOL
        """What is offered; tests of version negotiation offer another one."""
        self._handset = handset
        self._timing = timing
        self._transport = transport
        self._say = say
        self._tokens = AccessTokens(handset.store)
        self._client: HubClient | None = None
        self._enrolled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._attempt = 0
        self._socket_failures = 0

    @property
    def is_on_websocket(self) -> bool:
        return isinstance(self.channel, WebSocketChannel)

    async def run(self) -> None:
        """Connect, converse, try again, until cancelled."""
        while True:
            enrolment = self._handset.store.enrolment()
            if enrolment is None:
                await self._enrolled.wait()
            else:
                await self._rest(await self._try(enrolment))

    def enrolled(self) -> None:
        """There is a new enrolment: drop what belonged to the old one and connect."""
        self._tokens.forget()
        self._enrolled.set()
        self.hurry()
        if self.channel is not None:
            self.channel.cut()

    def hurry(self) -> None:
        """The network is back: try now, as after the first loss."""
        self._attempt = 0
        self._hurry.set()

    async def token(self) -> tuple[HubClient, str]:
        """The hub and an access token for it, for calls beside the connection."""
        enrolment = self._handset.store.enrolment()
        if enrolment is None:
            raise HubError(401, "not_enrolled", "this phone is not enrolled")
        client = self._client_for(enrolment)
        return client, await self._tokens.token(client, self._handset.clock.elapsed_seconds())

    # --- one try

    async def _try(self, enrolment: Enrolment) -> float:
        """Connect and converse until the end; returns the seconds to wait then."""
        try:
            client = self._client_for(enrolment)
            if enrolment.device_id is None:
                await complete(self._handset.store, enrolment, client, describe(self._handset))
            token = await self._tokens.token(client, self._handset.clock.elapsed_seconds())
            channel = await self._open(client, token)
        except HubUnreachableError as error:
            return self._after_failure(f"no hub: {error}", After.RECONNECT)
        except HubError as error:
            return self._after_failure(f"the hub says no: {error}", After.RECONNECT if error.is_passing else After.WAIT)
        except ConnectError as error:
            return self._after_failure(f"no connection: {error}", self._after_refusal(error))
        return self._after_end(await self._converse(channel))

    def _client_for(self, enrolment: Enrolment) -> HubClient:
        known = self._client
        if known is None or (known.hub_url, known.pins) != (enrolment.hub_url, enrolment.pins):
            self._client = known = HubClient(enrolment.hub_url, enrolment.pins)
        return known

    async def _open(self, client: HubClient, token: str) -> Channel:
        if self._transport == "http":
            return self._open_http(client, token)
        try:
            return await self._open_socket(client, token)
        except ConnectError as error:
            self._socket_failures += 1
            is_worth_http = self._socket_failures >= SOCKET_TRIES and error.status != HTTPStatus.UNAUTHORIZED
            if self._transport == "auto" and is_worth_http:
                return self._open_http(client, token)
            raise

    async def _open_socket(self, client: HubClient, token: str) -> Channel:
        url, hear = client.hub_url, self._handset.hear
        channel = await open_websocket(url, token, client.trust, hear, subprotocol=self.subprotocol)
        self._socket_failures = 0
        self._say("websocket open")
        return channel

    def _open_http(self, client: HubClient, token: str) -> Channel:
        channel = HttpChannel(client, token, self._handset.hear, asyncio.get_running_loop())
        channel.start()
        self._say("no websocket here: using HTTP calls")
        return channel

    async def _converse(self, channel: Channel) -> Closed:
        self.channel = channel
        self.connections += 1
        self._handset.connect(channel)
        try:
            return await self._until_closed(channel)
        finally:
            channel.cut()
            self.channel = None
            self._handset.disconnect()

    async def _until_closed(self, channel: Channel) -> Closed:
        if not isinstance(channel, HttpChannel):
            return await asyncio.shield(channel.closed)
        try:
            async with asyncio.timeout(self._timing.fallback):
                return await asyncio.shield(channel.closed)
        except TimeoutError:
            channel.cut()
            return Closed(None, "time to try the websocket again")

    # --- and then

    def _after_end(self, closed: Closed) -> float:
        was_welcome = self._handset.was_welcomed
        bye = self._handset.last_bye
        self.last_closed = closed if bye is None else Closed(bye.code, bye.reason)
        self._say(f"connection over: {self.last_closed.code or 'cut'} {self.last_closed.reason}".rstrip())
        if was_welcome:
            self._attempt = 0
        after = after_close(self.last_closed.code or 0)
        if after is After.TOKEN:
            self._tokens.forget()
        if bye is not None and bye.retry_after_seconds is not None:
            return float(bye.retry_after_seconds)
        return self._delay(after)

    def _after_failure(self, sentence: str, after: After) -> float:
        self._say(sentence)
        return self._delay(after)

    def _after_refusal(self, error: ConnectError) -> After:
        if error.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.forget()
            return After.TOKEN
        return After.RECONNECT

    def _delay(self, after: After) -> float:
        if after is After.WAIT:
            return self._timing.wait
        attempt, self._attempt = self._attempt, self._attempt + 1
        if self._socket_failures >= SOCKET_TRIES:
            return self._timing.http_retry(attempt)
        return self._timing.reconnect(attempt)

    async def _rest(self, seconds: float) -> None:
        self._hurry.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return


def describe(handset: Handset) -> DeviceDescription:
    """What the phone tells of itself when it enrols."""
    app = handset.app
    return DeviceDescription(
        app.version, app.manufacturer, app.model, app.os_version, handset.sims(), dict(handset.permissions)
    )
