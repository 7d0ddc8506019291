"""The load for the whole loop: closed-loop HTTP senders, and phones that answer each job at once with `sent` and `delivered`.

Both sides of the comparison are driven by this one program, so what it costs itself is the same for both. It prints one JSON line a round.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import struct
import time
import urllib.request
import uuid
from typing import Any

import msgspec
import uvloop

FASTEST = 10_000
"""Segments a minute."""
TEXT = "Hello, your verification code is 123456. Do not share it."


class Seen(msgspec.Struct):
    """What is read of any frame."""

    type: str
    id: str = ""
    submission: int = 0
    n: int = 0


read_frame = msgspec.json.Decoder(Seen).decode


def masked(text: bytes) -> bytes:
    """A client's text frame (RFC 6455 §5.2) with a mask of zeros, which costs nothing."""
    size = len(text)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + struct.pack("!H", size)
    return head + b"\0\0\0\0" + text


class Counts:
    """What all phones and senders have seen."""

    def __init__(self) -> None:
        self.goal = 0
        self.posted = 0
        self.jobs = 0
        self.events = 0
        self.acknowledged = 0


class Phone(asyncio.Protocol):
    """A websocket client without a library."""

    def __init__(self, counts: Counts, path: str, headers: str) -> None:
        self.counts = counts
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{headers}"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._buffer = b""
        self._is_open = False
        self._transport: Any = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.ready.set_exception(ConnectionError(head.decode("latin-1")))
                return
            self._is_open, self._buffer = True, rest
            self.opened()
        while (frame := self._next_frame()) is not None:
            self.received(read_frame(frame))

    def _next_frame(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        size, at = self._buffer[1] & 127, 2
        if size == 126:
            if len(self._buffer) < 4:
                return None
            size, at = struct.unpack("!H", self._buffer[2:4])[0], 4
        if len(self._buffer) < at + size:
            return None
        opcode, frame = self._buffer[0] & 15, self._buffer[at : at + size]
        self._buffer = self._buffer[at + size :]
        if opcode == 8:
            raise ConnectionError(f"closed by the hub: {frame[2:].decode(errors='replace')}")
        return frame

    def say(self, text: bytes) -> None:
        """Send a text frame."""
        self._transport.write(masked(text))

    def opened(self) -> None:
        """The upgrade is done."""
        self.ready.set_result(None)

    def received(self, frame: Seen) -> None:
        """A frame came."""
        raise NotImplementedError


class ReferencePhone(Phone):
    """Speaks to `bench.baselines.full_loop`."""

    def received(self, frame: Seen) -> None:
        if frame.type == "job":
            self.counts.jobs += 1
            for kind in ("sent", "delivered"):
                self.counts.events += 1
                self.say(
                    b'{"id":"%s-%s","message_id":"%s","kind":"sms:%s"}'
                    % (frame.id.encode(), kind.encode(), frame.id.encode(), kind.encode())
                )
        elif frame.type == "ack":
            self.counts.acknowledged += 1


class HubPhone(Phone):
    """Speaks the device protocol: accepted, then after `go` two numbered events."""

    def __init__(self, counts: Counts, path: str, headers: str, number: int) -> None:
        super().__init__(counts, path, headers)
        self._stream = uuid.uuid4().hex
        self._n = 0
        self._acked = 0
        self._number = number

    def opened(self) -> None:
        hello = {
            "type": "hello",
            "connect": 1,
            "app": {"version": "1.0.0"},
            "stream": self._stream,
            "oldest_held": 1,
            "next": 1,
            "sims": [sim(self._number)],
            "permissions": {"send_sms": True, "receive_sms": True},
        }
        self.say(json.dumps(hello).encode())

    def received(self, frame: Seen) -> None:
        if frame.type == "job":
            self.counts.jobs += 1
            self.say(b'{"type":"accepted","id":"%s","submission":%d}' % (frame.id.encode(), frame.submission))
        elif frame.type == "go":
            self._event(b"sms:sent", frame, b'"result_code":-1')
            self._event(b"sms:delivered", frame, b'"tp_status":0')
        elif frame.type == "ack":
            self.counts.acknowledged += frame.n - self._acked
            self._acked = frame.n
        elif frame.type == "welcome":
            self.ready.set_result(None)

    def _event(self, kind: bytes, job: Seen, result: bytes) -> None:
        self._n += 1
        self.counts.events += 1
        self.say(
            b'{"type":"event","stream":"%s","n":%d,"uuid":"%s-%d","event":"%s","at":"2026-11-21T10:00:00.000Z",'
            b'"payload":{"id":"%s","submission":%d,"segment":0,"segments":1,%s}}'
            % (
                self._stream.encode(),
                self._n,
                self._stream.encode(),
                self._n,
                kind,
                job.id.encode(),
                job.submission,
                result,
            )
        )


def sim(number: int) -> dict[str, Any]:
    """The one SIM of a load phone."""
    tail = f"{number:07d}"[-4:]
    return {
        "slot": 0,
        "subscription_id": 1,
        "fingerprint": f"bench/{tail}",
        "carrier": "bench",
        "number": f"+1555{number:07d}",
    }


class Sender(asyncio.Protocol):
    """Posts the next text when the answer to the last one is there."""

    def __init__(self, counts: Counts, requests: list[bytes]) -> None:
        self._counts = counts
        self._requests = requests
        self._buffer = b""
        self._transport: Any = None
        self._is_waiting = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def go(self) -> None:
        """Send one more unless the round's goal is reached."""
        if self._is_waiting or self._counts.posted >= self._counts.goal:
            return
        self._is_waiting = True
        self._transport.write(self._requests[self._counts.posted % len(self._requests)])
        self._counts.posted += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer.endswith(b"}"):
            if not self._buffer.startswith(b"HTTP/1.1 202"):
                raise ConnectionError(self._buffer[:500].decode("latin-1"))
            self._buffer, self._is_waiting = b"", False
            self.go()


def call(url: str, body: Any = None, key: str = "", method: str | None = None) -> Any:
    """One JSON request."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def enrol_phone(base: str, key: str, number: int) -> tuple[str, str]:
    """Enrol as an app would; returns the device's id, as the API writes it, and an access token."""
    made = call(f"{base}/v1/enrolments", {}, key)
    secret = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    device = {"app_version": "1.0.0", "sims": [sim(number)]}
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    enrolled = call(f"{base}/device/v1/enroll", {"token": made["token"], "secret_sha256": hashed, "device": device})
    access = call(f"{base}/device/v1/token", {"device_id": enrolled["device_id"], "secret": secret})
    device_id = call(f"{base}/v1/enrolments/{made['enrolment']['id']}", key=key)["device_id"]
    return device_id, access["access_token"]


def lift_pace(base: str, key: str) -> None:
    """Let every line send as fast as it can: its pace (20 segments a minute) is there for Android's sake, not for the hub's."""
    for line in call(f"{base}/v1/lines", key=key)["items"]:
        call(f"{base}/v1/lines/{line['id']}", {"per_minute": FASTEST}, key, "PATCH")


async def connect_phones(options: argparse.Namespace, counts: Counts) -> list[bytes]:
    """All phones online; returns the requests to send, one per phone."""
    loop = asyncio.get_running_loop()
    base = f"http://127.0.0.1:{options.port}"
    requests = []
    for number in range(options.phones):
        if options.key:
            device, access = await asyncio.to_thread(enrol_phone, base, options.key, number)
            headers = f"Sec-WebSocket-Protocol: handset.v1\r\nAuthorization: Bearer {access}\r\n"
            phone: Phone = HubPhone(counts, "/device/v1/socket", headers, number)
            requests.append(
                post("/v1/messages", {"to": "+15551234567", "text": TEXT, "device_id": device}, options.key)
            )
        else:
            phone = ReferencePhone(counts, f"/device/{number}", "")
            requests.append(post("/m", {"to": "+15551234567", "text": TEXT, "device": str(number)}, ""))
        await loop.create_connection(lambda phone=phone: phone, "127.0.0.1", options.port)  # type: ignore[misc]
        await asyncio.wait_for(phone.ready, 30)
    if options.key:
        await asyncio.to_thread(lift_pace, base, options.key)
    return requests


def post(path: str, body: dict[str, str], key: str) -> bytes:
    """The bytes of a POST."""
    data = json.dumps(body).encode()
    credentials = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{credentials}Content-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def main(options: argparse.Namespace) -> None:
    """Connect, then one round for each line on standard input."""
    counts = Counts()
    requests = await connect_phones(options, counts)
    loop = asyncio.get_running_loop()
    senders = [Sender(counts, requests) for _ in range(options.senders)]
    for sender in senders:
        await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", options.port)  # type: ignore[misc]
    receiver = f"http://127.0.0.1:{options.receiver}/"
    print("ready", flush=True)
    while await asyncio.to_thread(input):
        posts_before = await asyncio.to_thread(call, receiver)
        acknowledged_before, started = counts.acknowledged, time.perf_counter()
        counts.goal += options.messages
        for sender in senders:
            sender.go()
        while counts.acknowledged - acknowledged_before < 2 * options.messages:
            await asyncio.sleep(0.01)
            if time.perf_counter() - started > 120:
                raise SystemExit(f"stuck: {vars(counts)}")
        events_done = time.perf_counter() - started
        while await asyncio.to_thread(call, receiver) - posts_before < 2 * options.messages:
            await asyncio.sleep(0.01)
            if time.perf_counter() - started > 120:
                raise SystemExit(f"webhooks stuck: {vars(counts)}")
        took = time.perf_counter() - started
        print(
            json.dumps({"rate": options.messages / took, "without_hooks": options.messages / events_done}), flush=True
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--receiver", type=int, required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--phones", type=int, default=200)
    parser.add_argument("--senders", type=int, default=64)
    parser.add_argument("--messages", type=int, default=3000)
    uvloop.run(main(parser.parse_args()))
