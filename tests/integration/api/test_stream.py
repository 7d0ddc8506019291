"""The live stream and the long poll, over a real server: nothing missed, nothing twice, and nobody holds a place for ever."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from hub.accounts.keys import RevokeKey, revoke_keys
from hub.core.errors import Code
from hub.core.ids import parse
from hub.dialects.native_v1 import inbox, stream
from hub.live import MOST_WAITING, Hint
from tests.integration.api.hub_api import Api, problem
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio


class Server:
    """The API on a port of its own."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(api.app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        serving = asyncio.create_task(self._server.serve([self._socket]))
        try:
            yield self
        finally:
            self.api.services.live.close()
            self._server.should_exit = True
            await serving

    @asynccontextmanager
    async def open(
        self, path: str = "/v1/stream", *, key: str | None = None, **headers: str
    ) -> AsyncIterator["Stream"]:
        sent = {"Authorization": f"Bearer {key or self.api.key}", **headers}
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=10) as http,
            http.stream("GET", path, headers=sent) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield Stream(answer)


class Stream:
    """Reads server-sent events."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.last_id = ""

    async def next(self, kind: str | None = None) -> Any:
        """The data of the next event of this kind (`message` = a customer event)."""
        async with asyncio.timeout(10):
            while True:
                name, data = await self._event()
                if kind is None or name == kind:
                    return data

    async def _event(self) -> tuple[str, Any]:
        name, data = "message", ""
        async for line in self._lines:
            if line.startswith("id: "):
                self.last_id = line[4:]
            elif line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and data:
                return name, json.loads(data)
        raise EOFError

    async def ends(self) -> None:
        """Read on until the hub has ended it, properly."""
        async with asyncio.timeout(10):
            async for _ in self._lines:
                pass

    async def comment(self) -> str:
        """The next comment."""
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith(":"):
                    return line[1:].strip()
        raise EOFError


@pytest.fixture
async def server(api: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(stream, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(inbox, "POLL_SECONDS", 0.05)
    async with Server(api).running() as running:
        yield running


async def test_a_stream_tells_what_happens_from_now_on(server: Server) -> None:
    await server.api.send("+491701234500")
    async with server.open() as events:
        ready = await events.next("ready")
        assert (ready["is_reset"], ready["cursor"]) == (False, events.last_id)
        await server.api.send("+491701234501")
        event = await events.next("message")
        assert (event["type"], event["data"]["to"], event["cursor"]) == ("sms:queued", "+491701234501", events.last_id)
        listed = (await server.api.get("/v1/events"))["items"][-1]
        assert event == listed, "the same as in the list"
        await server.api.send("+491701234502")
        assert (await events.next("message"))["data"]["to"] == "+491701234502", "once told is told"


async def test_a_reader_that_comes_back_misses_nothing_and_gets_nothing_twice(server: Server) -> None:
    seen: list[str] = []
    last_id = ""
    for number in range(4):
        async with server.open(**({"Last-Event-ID": last_id} if last_id else {})) as events:
            await events.next("ready")
            while len(seen) < 3 * number:
                seen.append((await events.next("message"))["data"]["to"][-2:])
            last_id = events.last_id
        for index in range(3):
            await server.api.send(f"+4917012345{3 * number + index:02d}")
    assert seen == [f"{number:02d}" for number in range(9)]


async def test_after_a_restore_the_stream_says_so_and_goes_on(server: Server) -> None:
    await server.api.send("+491701234501")
    cursor = (await server.api.get("/v1/events"))["next_cursor"]
    foreign = f"{'0' * 24}.5.{cursor.rsplit('.', 1)[1]}"
    await server.api.send("+491701234502")
    async with server.open(**{"Last-Event-ID": foreign}) as events:
        assert (await events.next("ready"))["is_reset"] is True
        assert (await events.next("message"))["data"]["to"] == "+491701234502"


async def test_events_are_told_without_a_hint_too(server: Server) -> None:
    """Another process stored them: its hints do not come here."""
    async with server.open() as events:
        await events.next("ready")
        server.api.world.send("+491701234501")
        assert (await events.next("message"))["data"]["to"] == "+491701234501"


async def test_changes_are_named_for_pages_that_show_them(server: Server) -> None:
    async with server.open() as events, server.open("/v1/stream?changes=false") as quiet:
        await events.next("ready")
        await quiet.next("ready")
        live = server.api.services.live
        live.publish(ACCOUNT, Hint("endpoint", "0" * 24))
        live.publish("b" * 24, Hint("device", "1" * 24))
        live.publish(ACCOUNT, Hint("notice", "x"))
        assert await events.next("change") == {"kind": "webhook", "id": "whk_" + "0" * 24}
        assert await events.next("change") == {"kind": "notice", "id": "x"}
        await server.api.send()
        assert (await quiet.next())["type"] == "sms:queued", "no change came before it"


async def test_a_stream_of_some_types(server: Server) -> None:
    device = server.api.world.phone()
    async with server.open("/v1/stream?type=sms:received&type=call:missed&changes=false") as events:
        await events.next("ready")
        await server.api.send()
        await server.api.receive(device, "only this")
        assert (await events.next())["data"]["text"] == "only this"


async def test_a_ticket_opens_a_stream_without_a_header(server: Server) -> None:
    ticket = await server.api.post("/v1/stream/tickets")
    async with httpx.AsyncClient(base_url=server.url) as http, http.stream("GET", ticket["url"]) as answer:
        assert answer.status_code == 200
    server.api.clock.advance(60)
    async with httpx.AsyncClient(base_url=server.url) as http:
        problem(await http.get(ticket["url"]), Code.UNAUTHENTICATED)
        problem(await http.get("/v1/stream?ticket=nonsense"), Code.UNAUTHENTICATED)
        problem(await http.get("/v1/stream?ticket="), Code.VALIDATION)
        problem(await http.get(f"/v1/account?ticket={ticket['ticket']}"), Code.UNAUTHENTICATED)


async def test_a_ticket_does_no_more_than_its_key_and_ends_with_it(server: Server) -> None:
    api = server.api
    key = api.make_key()
    ticket = (await api.client(key).post("/v1/stream/tickets")).json()
    account = (await api.client(key).get("/v1/account")).json()
    command = RevokeKey(account_id=ACCOUNT, key_id=parse("key", account["key_id"]))
    await api.db.writer.submit(revoke_keys, command, *command.keys())
    problem(await api.client().get(ticket["url"]), Code.KEY_REVOKED)


async def test_a_stream_ends_with_its_key(server: Server) -> None:
    api = server.api
    key = api.make_key()
    key_id = (await api.client(key).get("/v1/account")).json()["key_id"]
    async with server.open(key=key) as events:
        await events.next("ready")
        command = RevokeKey(account_id=ACCOUNT, key_id=parse("key", key_id))
        await api.db.writer.submit(revoke_keys, command, *command.keys())
        await events.ends()


async def test_a_quiet_stream_is_kept_open(server: Server) -> None:
    async with server.open() as events:
        await events.next("ready")
        server.api.clock.advance(stream.QUIET_SECONDS)
        assert await events.comment() == "still here"


async def test_a_watcher_that_overflows_is_cut(server: Server) -> None:
    async with server.open() as events:
        await events.next("ready")
        for number in range(MOST_WAITING + 1):
            server.api.services.live.publish(ACCOUNT, Hint("device", f"{number:024d}"))
        await events.ends()
    assert server.api.services.live.watching(ACCOUNT) == 0


async def test_a_client_that_does_not_read_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SEND_SECONDS", 0.2)
    api = server.api
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        deaf.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode())
        await until(lambda: api.services.live.watching(ACCOUNT) == 1)
        text = "x" * 3000
        for number in range(40):
            await api.send([f"+49170{number:02d}345{index:02d}" for index in range(50)], text[:1500])
            if not api.services.live.watching(ACCOUNT):
                break
        await until(lambda: api.services.live.watching(ACCOUNT) == 0)


async def test_a_client_that_hangs_up_leaves_nothing_behind(server: Server) -> None:
    live = server.api.services.live
    async with server.open() as events:
        await events.next("ready")
        assert live.watching(ACCOUNT) == 1
    await until(lambda: live.watching(ACCOUNT) == 0)
    async with httpx.AsyncClient(base_url=server.url, headers=server.api.http.headers) as http:
        waiting = asyncio.create_task(http.get("/v1/inbox/wait?timeout=60", timeout=60))
        await until(lambda: live.watching(ACCOUNT) == 1)
        waiting.cancel()
        await until(lambda: live.watching(ACCOUNT) == 0)


async def test_an_account_has_a_bounded_number_of_streams(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_STREAMS", 1)
    monkeypatch.setattr(inbox, "MOST_WAITING", 1)
    async with server.open() as events:
        await events.next("ready")
        async with httpx.AsyncClient(base_url=server.url, headers=server.api.http.headers) as http:
            problem(await http.get("/v1/stream"), Code.RATE_LIMITED)
            problem(await http.get("/v1/inbox/wait"), Code.RATE_LIMITED)
        async with httpx.AsyncClient(base_url=server.url, headers=server.api.stranger().headers) as http:
            answer = await http.get("/v1/inbox/wait?timeout=0")
            assert answer.status_code == 200, "another account has its own"


async def test_a_wait_ends_with_the_text_that_matches(server: Server) -> None:
    device = server.api.world.phone()
    async with httpx.AsyncClient(base_url=server.url, headers=server.api.http.headers, timeout=20) as http:
        query = {"match": "glob", "pattern": "*code*", "timeout": "60"}
        waiting = asyncio.create_task(http.get("/v1/inbox/wait", params=query))
        await until(lambda: server.api.services.live.watching(ACCOUNT) == 1)
        await server.api.receive(device, "noise")
        await server.api.receive(device, "the code is 42")
        found = (await waiting).json()
        assert found["message"]["text"] == "the code is 42"


async def test_a_wait_ends_with_its_time(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, headers=server.api.http.headers, timeout=20) as http:
        waiting = asyncio.create_task(http.get("/v1/inbox/wait?timeout=60"))
        await until(lambda: server.api.services.live.watching(ACCOUNT) == 1)
        server.api.clock.advance(60)
        assert (await waiting).json()["message"] is None


async def test_a_stop_of_the_hub_ends_streams_and_waits(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, headers=server.api.http.headers, timeout=20) as http:
        waiting = asyncio.create_task(http.get("/v1/inbox/wait?timeout=60"))
        async with server.open() as events:
            await events.next("ready")
            await until(lambda: server.api.services.live.watching(ACCOUNT) == 2)
            server.api.services.live.close()
            await events.ends()
        assert (await waiting).json()["message"] is None


async def until(holds: Any) -> None:
    """Wait for something another task does."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
