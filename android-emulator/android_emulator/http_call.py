"""One HTTP/1.1 call on a connection of its own: all a phone needs besides its websocket, at next to no cost for a fleet of them."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

ANSWER_MAX_BYTES: Final = 2 * 1024 * 1024
_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


async def http_call(
    method: str, url: str, *, headers: Mapping[str, str], body: bytes, trust: ssl.SSLContext | None, seconds: float
) -> Answer:
    """Send one request and read its answer to the end.

    Raises OSError (TimeoutError among them) when no connection or no answer comes, ValueError for an answer that is not HTTP.
    """
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    sent = {"Host": parts.netloc, "Connection": "close", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=trust if is_secure else None)
        try:
            writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
            return _parse(await _read_to_end(reader))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    raw = bytearray()
    while piece := await reader.read(_PIECE):
        raw += piece
        if len(raw) > ANSWER_MAX_BYTES:
            raise ValueError(f"the answer is longer than {ANSWER_MAX_BYTES} bytes")
    return bytes(raw)


def _parse(raw: bytes) -> Answer:
    """Status line, headers and body (RFC 9112): by length, in chunks, or up to the end of the connection."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    words = status_line.split(" ", 2)
    if not separator or not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise ValueError("the connection ended before a whole HTTP answer came")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(words[1]), headers, _body(headers, body))


def _body(headers: Mapping[str, str], raw: bytes) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _join_chunks(raw)
    length = int(headers.get("content-length", len(raw)))
    if len(raw) < length:
        raise ValueError("the connection ended inside the answer")
    return raw[:length]


def _join_chunks(raw: bytes) -> bytes:
    body = bytearray()
    while True:
        size, separator, rest = raw.partition(b"\r\n")
        octets = int(size.split(b";")[0], 16) if separator else -1
        if octets < 0 or len(rest) < octets + 2:
            raise ValueError("the connection ended inside a chunk")
        if octets == 0:
            return bytes(body)
        body += rest[:octets]
        raw = rest[octets + 2 :]
