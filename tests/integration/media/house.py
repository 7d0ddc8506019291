"""What was attached, and how customers of every door look at it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette

from hub.accounts.keys import CreateKey, create_keys, new_secret
from hub.accounts.scopes import Scope
from hub.registry import dialects
from hub.services import Services
from tests.integration.messages.world import ACCOUNT, World
from tests.openapi_check import CheckedTransport

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 9
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2600
"""More than two pieces."""
VCARD = b"BEGIN:VCARD\r\nFN:Zo\xc3\xab\r\nEND:VCARD\r\n"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
HTML = b"<!doctype html><script>alert(1)</script>"
SID, TOKEN = "AC" + "ab" * 16, "cd" * 16


class Customer:
    """Everybody who asks at a door, in process."""

    def __init__(self, services: Services, world: World) -> None:
        self.services, self.world = services, world
        self.app = Starlette(routes=[route for one in dialects() for route in one.routes(services)])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="https://hub.example")

    def v1(self, account_id: str = ACCOUNT) -> httpx.AsyncClient:
        """A client with a key of this account; every exchange is held against the API's description."""
        made = new_secret(secrets.token_bytes)
        command = CreateKey(
            id=self.world.new_id(),
            account_id=account_id,
            name="test",
            scopes=frozenset(Scope),
            sha256=made.sha256,
            hint=made.hint,
        )
        self.world.db.write_now(create_keys, command)
        return httpx.AsyncClient(
            transport=CheckedTransport(httpx.ASGITransport(self.app)),
            base_url="https://hub.example",
            headers={"Authorization": f"Bearer {made.token}"},
        )

    async def gateway(self) -> None:
        """A PBX that is told of what comes in."""
        body = {
            "name": "FrontDesk",
            "account_sid": SID,
            "auth_token": TOKEN,
            "inbound_url": "https://pbx.example/in",
        }
        answer = await self.v1().post("/v1/gateways", json=body)
        assert answer.status_code == 201, answer.text

    async def told(self) -> bytes:
        """The body of the newest webhook delivery."""
        items = (await self.v1().get("/v1/deliveries")).json()["items"]
        detail: dict[str, Any] = (await self.v1().get(f"/v1/deliveries/{items[0]['id']}")).json()
        return str(detail["body"]).encode()

    async def messages(self) -> list[dict[str, Any]]:
        """Received texts as the native API lists them, newest first."""
        answer = await self.v1().get("/v1/messages", params={"direction": "mo"})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@asynccontextmanager
async def web(answers: dict[str, bytes], asked: list[bytes]) -> AsyncIterator[Callable[[str], str]]:
    """A web server with these raw answers by path; one without an answer stays silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        if (answer := answers.get(head.split(b" ")[1].decode())) is not None:
            writer.write(answer)
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield lambda path: f"http://127.0.0.1:{port}{path}"
    finally:
        server.close()


def answer(content: bytes, type_: str, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {type_}\r\nContent-Length: {len(content)}\r\n{more}\r\n"
    return head.encode() + content
