"""A customer's server for tests: plain sockets, so that it can misbehave in every way HTTP allows and some that it does not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

QUIET_SECONDS = 60.0
PROGRESS_SECONDS = 10.0
"""Waits end by what comes, not by the clock: a busy machine is slow, and only one on which nothing moves any more is stuck."""


@dataclass(slots=True)
class Post:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    """On the machine's monotonic clock."""
    connection: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


def figure(what: str, found: float, most: float, unit: str) -> None:
    """Print a measured number beside its bound, and hold it; to be seen with `pytest -s`."""
    print(
        f"  {what}: {found:.2f} {unit}, must be at most {most:.2f}: {'holds' if found <= most else 'MISSED'}",
        flush=True,
    )
    assert found <= most, f"{what}: {found:.2f} {unit}, must be at most {most:.2f}"


Script = Callable[[Post, asyncio.StreamWriter], Awaitable[bool | None]]
"""Answers a request by writing to the connection; returns True to close it."""


def answer(status: int = 200, body: bytes = b"ok", *headers: tuple[str, str]) -> bytes:
    """An HTTP answer."""
    lines = [
        f"HTTP/1.1 {status} Scripted",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(status: int = 200, body: bytes = b"ok", *headers: tuple[str, str]) -> Script:
    """Always the same answer."""
    data = answer(status, body, *headers)

    async def script(_post: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return script


def slowly(seconds: float, then: Script | None = None) -> Script:
    """The answer comes after a while."""
    following = then or says()

    async def script(post: Post, writer: asyncio.StreamWriter) -> bool | None:
        await asyncio.sleep(seconds)
        return await following(post, writer)

    return script


async def black_hole(_post: Post, _writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


@dataclass
class Receiver:
    """Listens on a port of its own, notes every request, answers as `script` says."""

    script: Script = field(default_factory=says)
    host: str = "127.0.0.1"
    ssl: object = None
    posts: list[Post] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Condition()
        self._told_at = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def listen(self) -> None:
        """Start, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._connected, self.host, self.port, ssl=self.ssl, backlog=2048)  # type: ignore[arg-type]
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path: str = "/hook") -> str:
        scheme = "https" if self.ssl else "http"
        return f"{scheme}://{self.host}:{self.port}{path}"

    def of(self, path: str) -> list[Post]:
        return [post for post in self.posts if post.path == path]

    def ids(self) -> list[str]:
        return [post.id for post in self.posts]

    async def until(self, condition: Callable[[], bool], quiet_seconds: float = QUIET_SECONDS) -> None:
        """Wait until something holds that changes with each request. Gives up only when no request has come for a while."""
        while not condition():
            seen = len(self.posts)
            self._tell_progress(seen)
            try:
                async with asyncio.timeout(quiet_seconds), self._arrived:
                    await self._arrived.wait_for(lambda seen=seen: len(self.posts) > seen)  # type: ignore[misc]
            except TimeoutError:
                raise AssertionError(f"{seen} requests came, then none for {quiet_seconds:g} s") from None

    def _tell_progress(self, seen: int) -> None:
        """From time to time, for whoever watches a long run."""
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_SECONDS:
            self._told_at = now
            print(f"  {seen} requests have come to port {self.port}", flush=True)

    async def until_count(self, count: int, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Wait until so many requests have come."""
        await self.until(lambda: len(self.posts) >= count, quiet_seconds)

    async def until_all(self, ids: Iterable[str]) -> None:
        """Wait until each of these webhook ids has come."""
        missing, looked_at = set(ids), 0

        def is_none_missing() -> bool:
            nonlocal looked_at
            missing.difference_update(post.id for post in self.posts[looked_at:])
            looked_at = len(self.posts)
            return not missing

        await self.until(is_none_missing)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {}
            for line in head[1:-2]:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            post = Post(head[0].split(" ")[1], headers, body, time.monotonic(), number)
            self.posts.append(post)
            async with self._arrived:
                self._arrived.notify_all()
            if await self.script(post, writer):
                return
            await writer.drain()
