import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from android_emulator.http_call import ANSWER_MAX_BYTES, Answer, http_call

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[tuple[str, bytearray]]:
    heard = bytearray()
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        heard.extend(await reader.readuntil(b"\r\n\r\n"))
        with suppress(OSError):
            writer.write(raw)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/path?q=1", heard
    server.close()
    await asyncio.gather(*filter(None, serving))


async def get(url: str, seconds: float = 20) -> Answer:
    return await http_call("GET", url, headers={"X-Mine": "1"}, body=b"", trust=None, seconds=seconds)


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more", b"hi"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n", b"hi yo"),
    ],
)
async def test_an_answer_is_read_however_its_length_is_told(raw: bytes, body: bytes) -> None:
    async with answering(raw) as (url, heard):
        answer = await get(url)
    assert (answer.status, answer.body) == (200, body)
    assert heard.startswith(b"GET /path?q=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"X-Mine: 1\r\n" in heard


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (ANSWER_MAX_BYTES + 1),
    ],
)
async def test_half_an_answer_is_none(raw: bytes) -> None:
    async with answering(raw) as (url, _):
        with pytest.raises((ValueError, OSError)):
            await get(url)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    silent = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(TimeoutError):
        await get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", seconds=0.05)
    silent.set()
    server.close()


async def test_nobody_there_is_an_oserror() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await get(f"http://127.0.0.1:{port}/")
