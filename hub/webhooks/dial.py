"""Opening a connection to a receiver: look up, check, connect, shake hands; each step noted for the log.

The guard sees every address just before it is dialled. What is dialled is the address, what TLS verifies is the name.
"""

import asyncio
import base64
import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohappyeyeballs

from hub.webhooks.http1 import HEADER_BYTES, READ_BYTES, Connection
from hub.webhooks.resolver import Resolver
from hub.webhooks.targets import AddressRefused, Guard
from hub.webhooks.trip import Trip

NEXT_ADDRESS_SECONDS = 0.25
"""A second address of a name is tried beside the first after this (RFC 8305 §5)."""

_SENDABLE = re.compile(r"[!-~]+", re.ASCII)
_PROXY_SAYS_YES = re.compile(rb"HTTP/1\.[01] 2\d\d ")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads."""

    is_tls: bool
    host: str
    port: int
    head: bytes
    """The request line after the method, and the Host header."""


@lru_cache(maxsize=4096)
def target_of(url: str, is_absolute: bool = False) -> Target:
    """Read a URL without changing a character of it (signatures cover it). ValueError for what no request can be made of.

    `is_absolute` is for a proxy, which is told the whole URL.
    """
    if not _SENDABLE.fullmatch(url):
        raise ValueError("not a URL")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("not a URL that webhooks are sent to")
    rest = url.partition("#")[0].split("://", 1)[1][len(parts.netloc) :]
    path = rest if rest.startswith("/") else "/" + rest
    line = url.partition("#")[0] if is_absolute and parts.scheme == "http" else path
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    return Target(is_tls, parts.hostname, port, f" {line} HTTP/1.1\r\nhost: {parts.netloc}\r\n".encode("ascii"))


class Dialler:
    """Opens connections. Shared by all lanes."""

    def __init__(self, guard: Guard, resolver: Resolver, tls: ssl.SSLContext, proxy: str) -> None:
        self._guard = guard
        self._resolver = resolver
        self._tls = tls
        self._proxy = proxy

    @property
    def guard(self) -> Guard:
        """Which addresses may be dialled."""
        return self._guard

    @property
    def has_proxy(self) -> bool:
        """Requests go to a proxy, which then has to guard."""
        return bool(self._proxy)

    async def dial(self, target: Target, trip: Trip, *, read_bytes: int = READ_BYTES) -> Connection:
        """A connection ready for a request, which reads so much of an answer. Raises OSError (AddressRefused too) and ssl errors."""
        loop = asyncio.get_running_loop()
        make = partial(Connection, read_bytes)
        if self._proxy:
            opened = await self._through_proxy(target, trip)
        else:
            opened = await self._connect(await self._addresses(target, trip), target.port, trip)
        try:
            if target.is_tls:
                trip.begins_tls()
                _, connection = await loop.create_connection(
                    make, sock=opened, ssl=self._tls, server_hostname=target.host.rstrip(".")
                )
            else:
                _, connection = await loop.create_connection(make, sock=opened)
        except BaseException:
            opened.close()
            raise
        trip.is_connected()
        return connection

    async def _addresses(self, target: Target, trip: Trip) -> tuple[str, ...]:
        try:
            if _is_literal(target.host):
                self._guard.check(target.host)
                return (target.host,)
            trip.began_lookup()
            found = await self._resolver.addresses(target.host)
            trip.ended_lookup()
            return found
        except AddressRefused as refused:
            trip.blocked = str(refused)
            raise

    async def _connect(
        self, addresses: tuple[str, ...], port: int, trip: Trip, *, guarded: bool = True
    ) -> socket.socket:
        infos = [_address_info(address, port) for address in addresses]

        def make(info: Any) -> socket.socket:
            if guarded:
                self._guard.check(info[4][0])
            trip.dials(info[4][0])
            made = socket.socket(info[0], info[1], info[2])
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made

        opened = await aiohappyeyeballs.start_connection(
            infos, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1, socket_factory=make
        )
        trip.is_up(str(opened.getpeername()[0]))
        return opened

    async def _through_proxy(self, target: Target, trip: Trip) -> socket.socket:
        proxy = urlsplit(self._proxy)
        host, port = proxy.hostname or "", proxy.port or 3128
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        opened = await self._connect(tuple(str(info[4][0]) for info in found), port, trip, guarded=False)
        if target.is_tls:
            name = f"[{target.host}]" if ":" in target.host else target.host
            ask = f"CONNECT {name}:{target.port} HTTP/1.1\r\nhost: {name}:{target.port}\r\n{self.proxy_header()}\r\n"
            try:
                await loop.sock_sendall(opened, ask.encode())
                await _read_consent(loop, opened)
            except BaseException:
                opened.close()
                raise
        return opened

    def proxy_header(self) -> str:
        """The line that tells the proxy who asks; empty without credentials."""
        proxy = urlsplit(self._proxy)
        if not proxy.username:
            return ""
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        return f"proxy-authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"


async def _read_consent(loop: asyncio.AbstractEventLoop, opened: socket.socket) -> None:
    came = b""
    while b"\r\n\r\n" not in came:
        data = await loop.sock_recv(opened, 4096)
        came += data
        if not data or len(came) > HEADER_BYTES:
            raise ConnectionError("the proxy did not open a tunnel")
    if not _PROXY_SAYS_YES.match(came):
        raise ConnectionError(f"the proxy refused: {came[:60].decode('latin-1')}")


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _address_info(address: str, port: int) -> Any:
    """As `getaddrinfo` spells it."""
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
