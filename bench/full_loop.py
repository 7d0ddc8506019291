"""The whole loop on one core: a text accepted, pushed, two events stored and acknowledged, two webhooks sent with stored outcome.

The hub with keys, checks, states, pacing off the scale, full sync, against `bench.baselines.full_loop`, in turns in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.loop_load import call
from bench.outcome import tell
from bench.processes import LOAD_CORE, ROOT, SERVER_CORE, cpu_seconds, pinned, process, running_hub, wait_until_up

RECEIVER = 18713


class Side:
    """One of the two, ready for rounds."""

    def __init__(self, name: str, load: subprocess.Popen[str], server: object) -> None:
        self.name = name
        self.load = load
        self.server = server
        self.rates: list[float] = []
        self.costs: list[float] = []

    def round(self) -> dict[str, float]:
        """One round of messages."""
        assert self.load.stdin is not None
        assert self.load.stdout is not None
        self.load.stdin.write("go\n")
        self.load.stdin.flush()
        line = self.load.stdout.readline()
        if not line:
            raise SystemExit(f"the load on the {self.name} stopped")
        result: dict[str, float] = json.loads(line)
        return result


@contextmanager
def load(port: int, options: argparse.Namespace, key: str = "") -> Iterator[subprocess.Popen[str]]:
    """The load program, connected."""
    command = [sys.executable, "-m", "bench.loop_load", "--port", str(port), "--receiver", str(RECEIVER)]
    command += ["--phones", str(options.phones), "--messages", str(options.messages)] + (["--key", key] if key else [])
    child = subprocess.Popen(
        pinned(LOAD_CORE, command), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        if child.stdout.readline().strip() != "ready":
            raise SystemExit("the load program could not connect its phones")
        yield child
    finally:
        child.terminate()
        child.wait()


def prepare_hub(key: str) -> None:
    """A webhook for the two events that are counted."""
    hook = {"url": f"http://127.0.0.1:{RECEIVER}/hook", "event_types": ["sms:sent", "sms:delivered"]}
    call("http://127.0.0.1:18712/v1/webhooks", hook, key)


def main(arguments: list[str] | None = None) -> None:
    """Alternating rounds; prints medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--phones", type=int, default=200)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    reference = [
        sys.executable,
        "-m",
        "uvicorn",
        "bench.baselines.full_loop:app",
        "--port",
        "18711",
        "--loop",
        "uvloop",
    ]
    reference += ["--http", "httptools", "--no-access-log", "--log-level", "warning", "--ws", "websockets-sansio"]
    reference += ["--ws-per-message-deflate", "false", "--ws-ping-interval", "0", "--timeout-keep-alive", "600"]
    pace = {"HUB_OFFERS_PER_PHONE": "64"}
    with tempfile.TemporaryDirectory() as scratch:
        env = {"BASELINE_DB": str(Path(scratch) / "reference.db"), "BASELINE_HOOK": f"http://127.0.0.1:{RECEIVER}/hook"}
        receiver = pinned(LOAD_CORE, [sys.executable, "-m", "bench.baselines.receiver", str(RECEIVER)])
        with (
            process(receiver),
            process(pinned(SERVER_CORE, reference), env) as bare,
            running_hub(18712, options.database, **pace) as (hub, key),
        ):
            wait_until_up("http://127.0.0.1:18711/progress")
            prepare_hub(key)
            with load(18711, options) as bare_load, load(18712, options, key) as hub_load:
                sides = [Side("reference", bare_load, bare), Side("hub", hub_load, hub)]
                for turn in range(options.rounds + 1):
                    for side, child in zip(sides, (bare, hub), strict=True):
                        before = cpu_seconds(child)
                        result = side.round()
                        cost = (cpu_seconds(child) - before) / options.messages * 1e6
                        if turn:
                            side.rates.append(result["rate"])
                            side.costs.append(cost)
                        name = f"round {turn}" if turn else "warm-up"
                        print(
                            f"{name} {side.name:10} {result['rate']:7.0f} texts/s "
                            f"({result['without_hooks']:.0f} before webhooks)  {cost:6.0f} us cpu",
                            flush=True,
                        )
    base, ours = (statistics.median(side.rates) for side in sides)
    ratio = ours / base
    by_cpu = statistics.median(sides[0].costs) / statistics.median(sides[1].costs)
    print(f"full loop, {options.phones} phones: {ratio:.2f} of the reference loop")
    print(f"full loop by cpu: {by_cpu:.2f}, which is what counts while other programs take the cores")
    key = "full_loop_postgresql" if options.database else "full_loop"
    tell(key, ours, base, "texts/s", by_rate=ratio, by_cpu=by_cpu)


if __name__ == "__main__":
    main()
