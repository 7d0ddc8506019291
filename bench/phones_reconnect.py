"""Phones that all come back at once: upgrade with an access token, hello committed with full sync, welcome.

Beside it the upgrades alone of a bare websocket server on the same core, in turns in the same run. `--with-tokens`: each phone fetches a
new access token first, as after more than a quarter of an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import uvloop

from android_emulator.http_call import http_call
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
from bench.processes import LOAD_CORE, SERVER_CORE, cpu_seconds, pinned, process, wait_until_up

HUB, BARE = 18723, 18724


async def hub_round(phones: Sequence[Enrolled], with_tokens: bool) -> float:
    """Seconds until all are welcome."""
    loop = asyncio.get_running_loop()
    sockets: list[PhoneSocket] = []

    async def connect(phone: Enrolled) -> None:
        if with_tokens:
            phone.access_token = await fetch_token(phone)
        _, socket = await loop.create_connection(lambda: PhoneSocket(phone), "127.0.0.1", HUB)
        sockets.append(socket)
        await socket.ready

    async with sockets_closed(sockets):
        started = time.perf_counter()
        await each(phones, connect)
        return time.perf_counter() - started


async def fetch_token(phone: Enrolled) -> str:
    """`POST /device/v1/token`, with the nonce of last time."""
    request = {"device_id": phone.device_id, "secret": phone.secret}
    if phone.nonce is not None:
        request["nonce"] = phone.nonce
    answer = await http_call(
        "POST",
        f"http://127.0.0.1:{HUB}/device/v1/token",
        headers={"Content-Type": "application/json"},
        body=json.dumps(request).encode(),
        trust=None,
        seconds=30,
    )
    if answer.status != 200:
        raise SystemExit(f"no token: {answer.status} {answer.body.decode(errors='replace')}")
    said = json.loads(answer.body)
    phone.nonce = said["next_nonce"]
    return str(said["access_token"])


async def bare_round(phones: Sequence[Enrolled]) -> float:
    """Seconds until all are open."""
    loop = asyncio.get_running_loop()
    sockets: list[BareSocket] = []

    async def connect(_phone: Enrolled) -> None:
        _, socket = await loop.create_connection(BareSocket, "127.0.0.1", BARE)
        sockets.append(socket)
        await socket.ready

    async with sockets_closed(sockets):
        started = time.perf_counter()
        await each(phones, connect)
        return time.perf_counter() - started


def wait_until_nobody() -> None:
    """Until the hub has noted the end of every connection of the last round."""
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{HUB}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        if any(line.startswith("hub_phones_online ") and float(line.split()[1]) == 0 for line in lines):
            return
        time.sleep(0.1)


def measure(count: int, rounds: int, *, with_tokens: bool = False, database_url: str = "") -> dict[str, float | str]:
    """Handshakes a second, the hub's and a bare server's: medians over alternating rounds.

    `cpu_ratio` compares what one costs each server; `busy` is the least of a core any round used.
    """
    psutil.Process().cpu_affinity([int(LOAD_CORE)])
    allow_open_files()
    bare = pinned(SERVER_CORE, [sys.executable, "-m", "bench.baselines.websocket_echo", str(BARE)])
    runs: dict[str, list[Run]] = {"bare": [], "hub": []}
    with hub_with_phones(HUB, count, database_url) as (hub, phones), process(bare) as echo:
        wait_until_up(f"http://127.0.0.1:{BARE}/")
        for turn in range(rounds + 1):
            for name, server in (("bare", echo), ("hub", hub)):
                before = cpu_seconds(server)
                round_of = bare_round(phones) if name == "bare" else hub_round(phones, with_tokens)
                run = Run(count, uvloop.run(round_of), cpu_seconds(server) - before)
                if turn:
                    runs[name].append(run)
                    print(f"round {turn} {name:4} {run}", flush=True)
            wait_until_nobody()
    ours, base = (statistics.median(run.rate for run in runs[name]) for name in ("hub", "bare"))
    cpu_ratio = statistics.median(run.cost for run in runs["bare"]) / statistics.median(run.cost for run in runs["hub"])
    return {
        "ours": round(ours),
        "base": round(base),
        "ratio": round(ours / base, 2),
        "unit": "handshakes/s",
        "cpu_ratio": round(cpu_ratio, 2),
        "busy": round(min(run.busy for run in (*runs["bare"], *runs["hub"])), 2),
    }


@dataclass(frozen=True, slots=True)
class Run:
    """One round on one side."""

    handshakes: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Handshakes a second."""
        return self.handshakes / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of the server's core for one."""
        return self.cpu / self.handshakes * 1e6

    @property
    def busy(self) -> float:
        """How much of its core the server used; well below 1, something else was the bottleneck."""
        return self.cpu / self.seconds

    def __str__(self) -> str:
        return f"{self.rate:7.0f} handshakes/s  {self.cost:6.0f} us cpu  core {self.busy:4.0%} busy"


def main(arguments: list[str] | None = None) -> None:
    """Print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--with-tokens", action="store_true")
    parser.add_argument("--database", default="", help="postgresql://… (default: SQLite)")
    options = parser.parse_args(arguments)
    result = measure(options.phones, options.rounds, with_tokens=options.with_tokens, database_url=options.database)
    print(f"reconnect: {result['ours']}/s against {result['base']}/s bare: {result['ratio']} (goal: 0.60)")
    ratios = {"by_rate": float(result["ratio"]), "by_cpu": float(result["cpu_ratio"])}
    tell("handshakes", float(result["ours"]), float(result["base"]), "handshakes/s", **ratios)
    if float(result["busy"]) < 0.85:
        print(
            f"the server's core was only {result['busy']:.0%} busy at times: by its cpu alone it is {result['cpu_ratio']}"
        )


if __name__ == "__main__":
    main()
