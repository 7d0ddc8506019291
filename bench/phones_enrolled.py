"""A hub whose phones are enrolled already, and those phones as bare sockets: what the measurements of connecting start from.

Enrolling thousands of phones one call at a time is not what is measured, so it is done with the hub's own use cases before the hub starts.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import psutil

from bench.loop_load import Counts, Phone, Seen, sim
from bench.processes import SERVER_CORE, pinned, process, wait_until_up
from device_protocol.enrolment import DeviceDescription, secret_hash
from device_protocol.frames import Sim
from hub.app import open_services
from hub.clock import SystemClock
from hub.config import read_config
from hub.devices.enrol import Enrol, code_hash, create_enrolment, enrol, new_enrolment
from hub.devices.tokens import PURPOSE, DeviceTokens, PhoneIdentity
from hub.operations.accounts import account_of

SOCKET = "/device/v1/socket"
AT_ONCE = 100
"""Connections under way at a time."""


@dataclass(slots=True)
class Enrolled:
    """A phone that may connect."""

    device_id: str
    secret: str
    access_token: str
    number: int
    connect: int = 0
    """The connect counter it said last."""
    nonce: str | None = None


@contextmanager
def hub_with_phones(port: int, count: int, database_url: str = "") -> Iterator[tuple[psutil.Process, list[Enrolled]]]:
    """A hub on the server core with this many phones enrolled, and what they need to connect."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as data:
        environment = {
            "HUB_DATA_DIR": data,
            "HUB_DATABASE_URL": database_url,
            "HUB_PORT": str(port),
            "HUB_LOG_LEVEL": "warning",
        }
        phones = asyncio.run(_enrol(environment, count))
        command = pinned(SERVER_CORE, [sys.executable, "-m", "hub", "serve"])
        allow_open_files()
        with process(command, environment) as child:
            wait_until_up(f"http://127.0.0.1:{port}/readyz")
            yield child, phones


def allow_open_files() -> None:
    """As many sockets as the system lets a process have; children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _enrol(environment: dict[str, str], count: int) -> list[Enrolled]:
    services = open_services(read_config(environment), SystemClock())
    try:
        account = await account_of(services, None)
        now = services.clock.now()

        def new_id() -> str:
            return services.ids.next(now)

        codes = [new_enrolment(account.id, None, new_id=new_id, random=os.urandom) for _ in range(count)]
        submit = services.db.writer.submit
        for start in range(0, count, 200):
            made = codes[start : start + 200]
            await asyncio.gather(*(submit(create_enrolment, code.command, *code.command.keys()) for code in made))
        secrets = [base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode() for _ in range(count)]
        commands = [
            Enrol(
                token_sha256=code_hash(code.token),
                secret_sha256=secret_hash(secret),
                device=DeviceDescription("1.0.0", sims=(Sim(**sim(number)),)),
                new_device_id=new_id(),
                hub_epoch=services.hub_epoch,
            )
            for number, (code, secret) in enumerate(zip(codes, secrets, strict=True))
        ]
        enrolled = []
        for start in range(0, count, 200):
            part = commands[start : start + 200]
            enrolled += await asyncio.gather(*(submit(enrol, command, *command.keys()) for command in part))
        tokens = DeviceTokens(services.secrets.derive_each(PURPOSE))
        identities = [
            PhoneIdentity(device_id=one.device_id, account_id=account.id, credential_no=1) for one in enrolled
        ]
        return [
            Enrolled(identity.device_id, secret, tokens.issue(identity, now), number)
            for number, (identity, secret) in enumerate(zip(identities, secrets, strict=True))
        ]
    finally:
        services.db.close()


class BareSocket(Phone):
    """Connects to the baseline; open is all it wants, or its first text back when it says one."""

    text: bytes | None = None

    def __init__(self, text: bytes | None = None) -> None:
        super().__init__(Counts(), "/", "")
        self.text = text

    def opened(self) -> None:
        if self.text is None:
            self.ready.set_result(None)
        else:
            self.say(self.text)

    def received(self, frame: Seen) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def close(self) -> None:
        """End the connection at once."""
        self._transport.abort()


class PhoneSocket(Phone):
    """Connects to the hub: upgrade with the access token, hello, welcome; then it may say one text and wait for its ack."""

    def __init__(self, phone: Enrolled) -> None:
        headers = f"Sec-WebSocket-Protocol: handset.v1\r\nAuthorization: Bearer {phone.access_token}\r\n"
        super().__init__(Counts(), SOCKET, headers)
        self._phone = phone
        self._stream = f"stream-{phone.number}"
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def opened(self) -> None:
        phone = self._phone
        phone.connect += 1
        hello = {
            "type": "hello",
            "connect": phone.connect,
            "app": {"version": "1.0.0"},
            "stream": self._stream,
            "oldest_held": 1,
            "next": 1,
            "sims": [sim(phone.number)],
            "permissions": {"send_sms": True, "receive_sms": True},
        }
        self.say(json.dumps(hello).encode())

    def received(self, frame: Seen) -> None:
        if frame.type == "welcome":
            self.ready.set_result(None)
        elif frame.type == "bye":
            raise SystemExit(f"the hub turned phone {self._phone.number} away")
        elif frame.type == "ack" and frame.n:
            self.acknowledged.set_result(None)

    def receive_text(self) -> None:
        """A text came in: tell the hub."""
        payload = {
            "from": "+14155550199",
            "text": "Hello, is my order ready? I can pick it up this afternoon.",
            "received_at": "2026-11-21T10:00:00.000Z",
            "subscription_id": 1,
            "slot": 0,
        }
        event = {
            "type": "event",
            "stream": self._stream,
            "n": 1,
            "uuid": f"text-{self._phone.number}",
            "event": "sms:received",
            "at": "2026-11-21T10:00:00.000Z",
            "payload": payload,
        }
        self.say(json.dumps(event).encode())

    def close(self) -> None:
        """End the connection at once."""
        self._transport.abort()


async def each(items: Sequence[Enrolled], act: Callable[[Enrolled], Awaitable[None]]) -> None:
    """Do it for all, `AT_ONCE` at a time."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await act(item)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


@asynccontextmanager
async def sockets_closed(sockets: Sequence[BareSocket | PhoneSocket]) -> AsyncIterator[None]:
    """Around a use of connections."""
    try:
        yield
    finally:
        for socket in sockets:
            socket.close()
        await asyncio.sleep(0)
