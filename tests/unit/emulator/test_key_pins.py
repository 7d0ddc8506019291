import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from android_emulator.tls import PinMismatchError, spki_sha256, trust
from tests.unit.emulator.certificates import self_signed

pytestmark = pytest.mark.anyio


@dataclass
class Server:
    port: int = 0
    pin: str = ""
    heard: bytearray = field(default_factory=bytearray)


@asynccontextmanager
async def tls_server(folder: Path) -> AsyncIterator[Server]:
    context, certificate = self_signed(folder)
    server = Server(pin=spki_sha256(certificate))
    serving: list[asyncio.Task[None] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):
            server.heard += await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    await asyncio.gather(*filter(None, serving))


async def test_the_pinned_key_is_trusted_whoever_signed_it(tmp_path: Path) -> None:
    async with tls_server(tmp_path) as server, httpx.AsyncClient(verify=trust([server.pin])) as client:
        response = await client.get(f"https://127.0.0.1:{server.port}/")
    assert response.text == "hi"


async def test_a_backup_pin_beside_it_does_no_harm(tmp_path: Path) -> None:
    async with tls_server(tmp_path) as server, httpx.AsyncClient(verify=trust(["0" * 64, server.pin])) as client:
        assert (await client.get(f"https://127.0.0.1:{server.port}/")).text == "hi"


async def test_another_key_gets_not_one_byte_over_http(tmp_path: Path) -> None:
    async with tls_server(tmp_path) as server:
        async with httpx.AsyncClient(verify=trust(["0" * 64])) as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(f"https://127.0.0.1:{server.port}/", content=b"secret")
        assert server.heard == b""


async def test_another_key_gets_not_one_byte_over_a_websocket(tmp_path: Path) -> None:
    async with tls_server(tmp_path) as server:
        with pytest.raises(PinMismatchError):
            await connect(f"wss://127.0.0.1:{server.port}/", ssl=trust(["0" * 64]), proxy=None)
        assert server.heard == b""


async def test_without_pins_a_self_signed_hub_is_not_trusted(tmp_path: Path) -> None:
    async with tls_server(tmp_path) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(f"wss://127.0.0.1:{server.port}/", ssl=trust([]), proxy=None)
        assert server.heard == b""
