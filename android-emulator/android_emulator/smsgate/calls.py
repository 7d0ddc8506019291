"""The app's calls: one HTTP request each, with the headers it sends, and its event stream."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from android_emulator.http_call import Answer, http_call

CALL_SECONDS = 10.0
POST_SECONDS = 5.0

Hearing = Callable[[], Awaitable[object]]


class CallFailed(OSError):
    """No answer, or one that is not 2xx."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"answered {status}" if status else "no answer")
        self.status = status


class Calls:
    """Calls to one base address, which is used as it was typed."""

    def __init__(self, api_url: str, version: str, trust: ssl.SSLContext | None) -> None:
        self.api_url = api_url
        self.version = version
        self._trust = trust

    async def call(self, method: str, path: str, authorization: str | None, body: Any = None) -> Any:
        """The decoded answer. CallFailed otherwise."""
        headers = {"User-Agent": f"me.capcom.smsgateway/{self.version}", "Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        answer = await self._send(method, self.api_url + path, headers, body, CALL_SECONDS)
        return json.loads(answer.body) if answer.body else None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        """A webhook. CallFailed when it was not taken."""
        await self._send("POST", url, {"Content-Type": "application/json", **headers}, body, POST_SECONDS)

    async def _send(self, method: str, url: str, headers: dict[str, str], body: Any, seconds: float) -> Answer:
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        try:
            answer = await http_call(method, url, headers=headers, body=octets, trust=self._trust, seconds=seconds)
        except (OSError, ValueError) as error:
            raise CallFailed(None) from error
        if not 200 <= answer.status < 300:
            raise CallFailed(answer.status)
        return answer

    @asynccontextmanager
    async def events(self, token: str, hearing: Hearing) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """An open stream. Until `hearing` returns it reads nothing and closes nothing: a connection that was lost half-way."""
        parts = urlsplit(self.api_url + "/events")
        is_secure = parts.scheme == "https"
        try:
            async with asyncio.timeout(CALL_SECONDS):
                reader, writer = await asyncio.open_connection(
                    parts.hostname, parts.port or (443 if is_secure else 80), ssl=self._trust if is_secure else None
                )
                head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
                writer.write(f"{head}Accept: text/event-stream\r\n\r\n".encode())
                answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (OSError, asyncio.IncompleteReadError) as error:
            raise CallFailed(None) from error
        try:
            status = int(answer.split(" ", 2)[1])
            if status != 200:
                raise CallFailed(status)
            yield _frames(reader, hearing)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _frames(reader: asyncio.StreamReader, hearing: Hearing) -> AsyncIterator[tuple[str, Any]]:
    name, data = "MessageEnqueued", ""
    async for line in _lines(reader):
        await hearing()
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data = line.removeprefix("data:").strip()
        elif not line and data:
            yield name, json.loads(data)
            name, data = "MessageEnqueued", ""


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of a body in chunks (RFC 9112 §7.1), until it ends."""
    kept = ""
    with suppress(OSError, asyncio.IncompleteReadError):
        while size := int((await reader.readline()).strip() or b"0", 16):
            kept += (await reader.readexactly(size + 2))[:-2].decode()
            *lines, kept = kept.split("\n")
            for line in lines:
                yield line.rstrip("\r")


def basic(name: str, password: str) -> str:
    """HTTP Basic."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
