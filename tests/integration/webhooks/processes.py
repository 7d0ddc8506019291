"""Hub processes that can be killed: forked from one that has imported everything, so that a new one is up in a moment.

A child runs the real delivery loop over the real database and obeys lines of JSON on a pipe; everything it says was true when it said it
(an event is "published" after its commit).
"""

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from hub.clock import SystemClock
from hub.core.commands import CallbackTarget
from hub.core.events import EventType
from hub.core.ids import render
from hub.core.ports import DeliveryView, EndpointView, EventView, Outcome, RenderedRequest, Secrets
from hub.webhooks.records import ReplayFilter
from tests.integration.webhooks.receiver import QUIET_SECONDS
from tests.integration.webhooks.world import World, world

ROOT = Path(__file__).resolve().parents[3]
CLONE_NEWNET = 0x40000000


class SharedClock(SystemClock):
    """A scaled clock that several processes share: it stood at the true time at `since`, and runs `factor` times as fast from there."""

    def __init__(self, since: float, factor: float) -> None:
        super().__init__(factor)
        self._wall_at_start = since + (time.time() - since) * factor


# --- the child -------------------------------------------------------------------------------------------------------------------------


async def _serve(settings: dict[str, Any], channel: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=channel)

    def say(message: dict[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    async with world(
        settings["url"],
        clock=SharedClock(settings["since"], settings["factor"]),
        account_id=settings["account_id"],
        node=settings["node"],
        running=settings["running"],
        allow=settings["allow"],
        lookup=Lookup(settings["names"]),
        keep_names_seconds=settings["keep_names_seconds"],
        lease_seconds=settings["lease_seconds"],
        formats=[Poisonous()],
    ) as hub:
        dialled = await _trap(settings["trap_port"]) if settings["trap_port"] else []
        say({"up": True})
        while line := await reader.readline():
            say(await _obey(hub, json.loads(line), say, dialled))


async def _trap(port: int) -> list[str]:
    """Accepts every connection to this port, whatever address was dialled, answers 200, and notes the address."""
    dialled: list[str] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled.append(writer.get_extra_info("sockname")[0].removeprefix("::ffff:"))
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    both = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    _traps.append(await asyncio.start_server(accept, sock=both))
    return dialled


_traps: list[asyncio.Server] = []


async def _obey(hub: World, order: dict[str, Any], say: Any, dialled: list[str]) -> dict[str, Any]:
    if "targets" in order:
        for url in order["targets"]:
            await hub.happen(callback=CallbackTarget("standard", url))
        return {"done": True}
    if "replay" in order:
        asked = ReplayFilter(types=tuple(order["types"]))
        return {"replay": (await hub.webhooks.start_replay(hub.account_id, order["replay"], asked)).id}
    if "tried" in order:
        rows = await hub.deliveries()
        return {"tried": sum(row.attempts > 0 for row in rows if "public" not in row.url)}
    if "settled" in order:
        rows = await hub.deliveries()
        return {"settled": all(row.state in ("ok", "dead") for row in rows), "dialled": dialled}
    if "publish" in order:
        left, batch = order["publish"], order.get("batch", 16)
        while left > 0:
            told = await hub.happen(min(batch, left), **order.get("fields", {}))
            left -= len(told)
            say({"published": [render("event", event.id) for event in told]})
            if order.get("pause"):
                await asyncio.sleep(order["pause"])
        return {"done": True}
    if "rss" in order:
        return {"rss": _rss()}
    raise ValueError(f"unknown order {order}")


def _rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Poisonous:
    """A format that one event stops the process with: as a fault in a library would."""

    name = "poisonous"

    def takes(self, event: EventType) -> bool:
        return True

    def render(
        self, endpoint: EndpointView, event: EventView, delivery: DeliveryView, secrets: Secrets, now: int
    ) -> RenderedRequest:
        if b"poison" in event.data:
            os.kill(os.getpid(), signal.SIGKILL)
        return RenderedRequest("POST", endpoint.url, (), event.data)

    def read_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        return Outcome(status < 300)


class Lookup:
    """Names as the test says: each look-up takes the next of the lists it was given, round and round."""

    def __init__(self, names: dict[str, list[list[str]]]) -> None:
        self._names = names
        self._turn: dict[str, int] = {}

    def __call__(self, host: str) -> list[str]:
        answers = self._names.get(host)
        if answers is None:
            raise OSError(f"no such name: {host}")
        turn = self._turn.get(host, 0)
        self._turn[host] = turn + 1
        return answers[turn % len(answers)]


def _own_network() -> None:
    """A network of this process's own, in which every address there is leads back to it: nothing dialled can go unseen."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for command in ("link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo"):
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def _child(settings: dict[str, Any], channel: socket.socket) -> None:
    try:
        asyncio.run(_serve(settings, channel))
    finally:
        os._exit(0)


def _nursery(control: socket.socket) -> None:
    """Forks children on request; each request brings the child's end of its channel."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
        if not data:
            os._exit(0)
        channel = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            _child(json.loads(data), channel)
        channel.close()
        control.send(str(pid).encode())


# --- the test's side ----------------------------------------------------------------------------------------------------------------------


@dataclass
class Process:
    """A running hub process."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    published: list[str] = field(default_factory=list)
    """Webhook ids of events whose commit the process has told of."""

    async def says(self) -> dict[str, Any]:
        """The next thing it says; empty when it is dead."""
        try:
            line = await self.reader.readline()
        except ConnectionError:
            return {}
        message: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        self.published += message.get("published", [])
        return message

    def order(self, **order: Any) -> None:
        self.writer.write(json.dumps(order).encode() + b"\n")

    async def ask(self, **order: Any) -> dict[str, Any]:
        """Order, and the answer."""
        self.order(**order)
        return await self.says()

    async def publish(self, count: int, **order: Any) -> None:
        """Publish and wait for it."""
        self.order(publish=count, **order)
        while (message := await self.says()) and "done" not in message:
            pass

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """`kill -9`, and read what it had said before."""
        self.signal(signal.SIGKILL)
        while await self.says():
            pass
        self.writer.close()

    def end(self) -> None:
        """Dead, if it was not."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.writer.close()


class Nursery:
    """The process that forks hubs; one serves many tests."""

    def __init__(self, *, own_network: bool = False) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.integration.webhooks.processes", str(theirs.fileno())]
        command += ["own-network"] if own_network else []
        self._child = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
        theirs.close()

    def close(self) -> None:
        self.control.close()
        self._child.wait()

    @asynccontextmanager
    async def over(self, url: str, account_id: str, *, factor: float = 1.0, **settings: Any) -> AsyncIterator["Hubs"]:
        """Hub processes over a database; all are dead at the end."""
        defaults: dict[str, Any] = {
            "url": url, "account_id": account_id, "factor": factor, "since": time.time(), "node": "test", "running": True,
            "allow": ["127.0.0.0/8"], "names": {}, "keep_names_seconds": 30.0, "lease_seconds": 15.0,
            "trap_port": 0,
        }  # fmt: skip
        made = Hubs(self.control, {**defaults, **settings})
        try:
            yield made
        finally:
            for process in made.processes:
                process.end()


@dataclass
class Hubs:
    """Starts hub processes over one database."""

    control: socket.socket
    settings: dict[str, Any]
    processes: list[Process] = field(default_factory=list)

    async def start(self, **settings: Any) -> Process:
        """A new process, up and delivering."""
        ours, theirs = socket.socketpair()
        told = {**self.settings, **settings}
        socket.send_fds(self.control, [json.dumps(told).encode()], [theirs.fileno()])
        theirs.close()
        pid = int(await asyncio.to_thread(self.control.recv, 64))
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 22)
        process = Process(pid, reader, writer)
        self.processes.append(process)
        async with asyncio.timeout(QUIET_SECONDS):
            assert await process.says() == {"up": True}
        return process


if __name__ == "__main__":
    # As in the tests' own process: a drawn line for each try costs more than the try.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if "own-network" in sys.argv:
        _own_network()
    _nursery(socket.socket(fileno=int(sys.argv[1])))
