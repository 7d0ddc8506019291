"""`hub webhook listen`: a receiver for developers. It shows what arrives, says whether it is genuine, and misbehaves as it is told.

It listens on the loopback address only: nobody but programs of this machine can reach it, and a hub elsewhere cannot either
(`hub webhook forward` brings its events here). It answers as a good receiver does: 401 to what is not genuine, else what the plan says.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from hub.core.clock import Clock
from hub.workbench.blocks import block, shown_body, shown_headers, shown_path
from hub.workbench.faults import ACK, Fault, Plan
from hub.workbench.verify import Secret, Verdict, judge

HOST = "127.0.0.1"
LARGEST_BODY = 1 << 20
MOST_REMEMBERED = 10_000


class Listener:
    """One receiver. `say` is given each block of text."""

    def __init__(
        self,
        secrets: Sequence[Secret],
        plan: Plan,
        clock: Clock,
        say: Callable[[str], None],
        *,
        with_headers: bool = False,
    ) -> None:
        self._secrets = tuple(secrets)
        self._plan = plan
        self._clock = clock
        self._say = say
        self._with_headers = with_headers
        self._seen: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> str:
        """Listen; the URL to give to a webhook. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        return f"http://{HOST}:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        verdict = judge(headers, body, self._secrets, self._clock.now())
        fault = Fault("status", 401) if verdict.is_genuine is False else self._plan.next()
        self._say(self._shown(request, headers, body, verdict, fault))
        return await _answered(request, fault)

    def _shown(self, request: web.Request, headers: dict[str, str], body: bytes, verdict: Verdict, fault: Fault) -> str:
        word = {True: "yes: ", False: "NO: ", None: ""}[verdict.is_genuine]
        rows = [
            ("id", headers.get("webhook-id", "none")),
            ("attempt", self._attempt(headers, body)),
            ("format", _format(headers, body)),
            ("genuine", word + verdict.sentence),
            ("answered", fault.shown),
            *(shown_headers(headers) if self._with_headers else ()),
        ]
        return block(f"{_event(body)}  {request.method} {shown_path(request.path_qs)}", rows, shown_body(body))

    def _attempt(self, headers: dict[str, str], body: bytes) -> str:
        """Which try it is, and whether this id was here before: a receiver has to be idempotent."""
        told = headers.get("x-attempt", "?") + (", a replay" if "webhook-replay" in headers else "")
        webhook_id = headers.get("webhook-id")
        if webhook_id is None:
            return told
        digest = hashlib.sha256(body).digest()
        times, before = self._seen.pop(webhook_id, (0, digest))
        self._seen[webhook_id] = (times + 1, digest)
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        if times == 0:
            return told
        bytes_were = "the same" if before == digest else "OTHER"
        return f"{told} (this id came {times} time{'s' if times > 1 else ''} before, with {bytes_were} bytes)"


async def _answered(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind == "slow":
        await asyncio.sleep(float(fault.argument))
    elif fault.kind == "hang":
        await asyncio.Event().wait()
    elif fault.kind == "drop":
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    elif fault.kind == "redirect":
        return web.Response(status=302, headers={"Location": fault.argument})
    elif fault.kind == "wrong-ack":
        return web.Response(body=b"ERR\n")
    if 200 <= fault.status < 300:
        return web.Response(status=fault.status, body=None if fault.status in (204, 205) else ACK)
    return web.Response(status=fault.status, headers={"Retry-After": fault.argument} if fault.argument else {})


def _event(body: bytes) -> str:
    """What the body says it tells."""
    told = _json(body)
    return str(told.get("type") or told.get("event") or "a request")


def _format(headers: dict[str, str], body: bytes) -> str:
    if "x-signature" in headers:
        return "smsgate"
    told = _json(body)
    return "standard" if {"type", "timestamp", "data"} <= told.keys() else headers.get("content-type", "")


def _json(body: bytes) -> dict[str, object]:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return told if isinstance(told, dict) else {}
