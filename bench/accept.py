"""Accepting texts over HTTP: the hub with key, checks and full sync, against a bare echo on the same core in the same run."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from bench.outcome import tell
from bench.processes import LOAD_CORE, ROOT, SERVER_CORE, cpu_seconds, pinned, process, running_hub, wait_until_up

BODY = {"to": "+15551234567", "text": "Hello, your verification code is 123456. Do not share it."}


def load(port: int, path: str, headers: list[str], seconds: float, connections: int) -> dict[str, float]:
    """One run of the load generator on its own core."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        json.dump(BODY, body)
        body.flush()
        command = [sys.executable, "-m", "bench.load", "--port", str(port), "--path", path, "--body", body.name]
        command += ["--seconds", str(seconds), "--connections", str(connections)]
        for header in ["Content-Type: application/json", *headers]:
            command += ["--header", header]
        done = subprocess.run(pinned(LOAD_CORE, command), cwd=ROOT, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    bad = {status: n for status, n in result["statuses"].items() if not status.startswith("2")}  # type: ignore[attr-defined]
    if bad:
        raise SystemExit(f"{path} answered {bad}: {result['sample']}")
    return result


def main(arguments: list[str] | None = None) -> None:
    """Three alternating rounds; prints medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="postgresql://… (default: SQLite)")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args(arguments)
    echo = [sys.executable, "-m", "uvicorn", "bench.baselines.accept_echo:app", "--port", "18701", "--loop", "uvloop"]
    echo += ["--http", "httptools", "--no-access-log", "--log-level", "warning", "--ws", "none"]
    with process(pinned(SERVER_CORE, echo)) as bare, running_hub(18702, options.database) as (hub, key):
        wait_until_up("http://127.0.0.1:18701/readyz")
        same = [f"Authorization: Bearer {key}"]  # the echo reads it like every header, and asks nobody about it
        sides = [("bare echo", bare, 18701, "/m", same), ("hub", hub, 18702, "/v1/messages", same)]
        rates: dict[str, list[float]] = {name: [] for name, *_ in sides}
        costs: dict[str, list[float]] = {name: [] for name, *_ in sides}
        for _, _, port, path, headers in sides:
            load(port, path, headers, 1.0, options.connections)
        for turn in range(options.rounds):
            for name, child, port, path, headers in sides:
                before = cpu_seconds(child)
                run = load(port, path, headers, options.seconds, options.connections)
                cost = (cpu_seconds(child) - before) / run["answers"] * 1e6
                rates[name].append(run["rate"])
                costs[name].append(cost)
                print(
                    f"round {turn + 1} {name:10} {run['rate']:8.0f}/s  {cost:6.1f} us cpu  p99 {run['p99_ms']:.1f} ms",
                    flush=True,
                )
    ours, base = statistics.median(rates["hub"]), statistics.median(rates["bare echo"])
    ratio = ours / base
    by_cpu = statistics.median(costs["bare echo"]) / statistics.median(costs["hub"])
    where = "PostgreSQL" if options.database else "SQLite"
    print(f"accept on {where}: {ratio:.2f} of a bare echo (cores: {os.cpu_count()}, server held to one)")
    print(f"accept by cpu: {by_cpu:.2f}, which is what counts while other programs take the cores")
    tell(f"accept_{where.lower()}", ours, base, "texts/s", by_rate=ratio, by_cpu=by_cpu)


if __name__ == "__main__":
    main()
