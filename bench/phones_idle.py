"""Memory of the hub per connected phone that has nothing to say: private memory (USS) of its process, after one message each.

Beside it the same for a bare websocket server that echoed one text to each connection. Kernel socket buffers are in neither.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import psutil
import uvloop

from bench.outcome import tell
from bench.phones_enrolled import (
    BareSocket,
    Enrolled,
    PhoneSocket,
    allow_open_files,
    each,
    hub_with_phones,
    sockets_closed,
)
from bench.processes import LOAD_CORE, SERVER_CORE, pinned, process, wait_until_up

HUB, BARE = 18721, 18722
WARM_UP = 100
"""Phones connected before the first look, so that what is allocated once is not counted."""


def private_bytes(server: psutil.Process) -> int:
    """Memory that would be free if the process ended."""
    return int(server.memory_full_info().uss)


async def hub_kib(server: psutil.Process, phones: Sequence[Enrolled]) -> float:
    """Connect all, let each receive one text, and look."""
    loop = asyncio.get_running_loop()
    sockets: list[PhoneSocket] = []

    async def connect(phone: Enrolled) -> None:
        _, socket = await loop.create_connection(lambda: PhoneSocket(phone), "127.0.0.1", HUB)
        await socket.ready
        sockets.append(socket)
        socket.receive_text()
        await socket.acknowledged

    async with sockets_closed(sockets):
        await each(phones[:WARM_UP], connect)
        before = private_bytes(server)
        await each(phones[WARM_UP:], connect)
        return (private_bytes(server) - before) / (len(phones) - WARM_UP) / 1024


async def bare_kib(server: psutil.Process, phones: Sequence[Enrolled]) -> float:
    """The same for connections that mean nothing."""
    loop = asyncio.get_running_loop()
    sockets: list[BareSocket] = []

    async def connect(_phone: Enrolled) -> None:
        _, socket = await loop.create_connection(lambda: BareSocket(b'{"type":"echo"}'), "127.0.0.1", BARE)
        await socket.ready
        sockets.append(socket)

    async with sockets_closed(sockets):
        await each(phones[:WARM_UP], connect)
        before = private_bytes(server)
        await each(phones[WARM_UP:], connect)
        return (private_bytes(server) - before) / (len(phones) - WARM_UP) / 1024


def measure(count: int, database_url: str = "") -> dict[str, float | str]:
    """KiB per phone, the hub's and a bare server's."""
    psutil.Process().cpu_affinity([int(LOAD_CORE)])
    allow_open_files()
    bare = pinned(SERVER_CORE, [sys.executable, "-m", "bench.baselines.websocket_echo", str(BARE)])
    with hub_with_phones(HUB, count + WARM_UP, database_url) as (hub, phones):
        ours = uvloop.run(hub_kib(hub, phones))
    with process(bare) as echo:
        wait_until_up(f"http://127.0.0.1:{BARE}/")
        base = uvloop.run(bare_kib(echo, phones))
    return {"ours": round(ours, 1), "base": round(base, 1), "ratio": round(ours / base, 2), "unit": "KiB/phone"}


def main(arguments: list[str] | None = None) -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=5000)
    parser.add_argument("--database", default="", help="postgresql://… (default: SQLite)")
    options = parser.parse_args(arguments)
    result = measure(options.phones, options.database)
    print(f"{options.phones} idle phones: {result['ours']} KiB each; bare websockets {result['base']} KiB (goal: 32)")
    ours, base = float(result["ours"]), float(result["base"])
    tell("phone_kib", ours, base, "KiB/phone", by_memory=ours / base)


if __name__ == "__main__":
    main()
