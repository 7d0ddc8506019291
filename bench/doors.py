"""What a dialect costs: accepting the same text through each door of one hub, against the native one in the same run."""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from typing import NamedTuple
from urllib.parse import urlencode

from bench.accept import BODY
from bench.outcome import tell
from bench.processes import LOAD_CORE, ROOT, cpu_seconds, pinned, running_hub

PORT = 18702
SID, TOKEN = "AC" + "ab" * 16, "cd" * 16


class Door(NamedTuple):
    """Where a text is handed in, and how."""

    name: str
    path: str
    headers: list[str]
    body: bytes


def doors(key: str) -> list[Door]:
    """The native one first; the others are measured against it."""
    text = {"To": BODY["to"], "Body": BODY["text"]}
    basic = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
    form = ["Content-Type: application/x-www-form-urlencoded", f"Authorization: Basic {basic}"]
    as_json = ["Content-Type: application/json", f"Authorization: Bearer {key}"]
    other = {"to": BODY["to"], "message": BODY["text"]}
    return [
        Door("v1", "/v1/messages", as_json, json.dumps(BODY).encode()),
        Door("twilio", f"/2010-04-01/Accounts/{SID}/Messages.json", form, urlencode(text).encode()),
        Door("mysmsgate", "/api/v1/send", as_json, json.dumps(other).encode()),
        Door("abilit", "/api/v1/sms/send", as_json, json.dumps({"to": BODY["to"], "body": BODY["text"]}).encode()),
    ]


def ask(key: str, method: str, path: str, body: object) -> None:
    """One request that has to succeed."""
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", json.dumps(body).encode(), method=method)
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request, timeout=10).close()


def load(door: Door, seconds: float, connections: int) -> dict[str, float]:
    """One run of the load generator on its own core."""
    with tempfile.NamedTemporaryFile("wb", suffix=".body") as body:
        body.write(door.body)
        body.flush()
        command = [sys.executable, "-m", "bench.load", "--port", str(PORT), "--path", door.path, "--body", body.name]
        command += ["--seconds", str(seconds), "--connections", str(connections)]
        for header in door.headers:
            command += ["--header", header]
        done = subprocess.run(pinned(LOAD_CORE, command), cwd=ROOT, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    bad = {status: n for status, n in result["statuses"].items() if not status.startswith("2")}  # type: ignore[attr-defined]
    if bad:
        raise SystemExit(f"{door.path} answered {bad}: {result['sample']}")
    return result


def main() -> None:
    """Alternating rounds; prints medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="postgresql://… (default: SQLite)")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    with running_hub(PORT, options.database) as (hub, key):
        ask(key, "POST", "/v1/gateways", {"name": "Bench", "account_sid": SID, "auth_token": TOKEN})
        ask(key, "PATCH", "/v1/account", {"settings": {"default_pool": "Pool"}})
        every = doors(key)
        rates: dict[str, list[float]] = {door.name: [] for door in every}
        costs: dict[str, list[float]] = {door.name: [] for door in every}
        for door in every:
            load(door, 1.0, options.connections)
        for _ in range(options.rounds):
            for door in every:
                before = cpu_seconds(hub)
                run = load(door, options.seconds, options.connections)
                rates[door.name].append(run["rate"])
                costs[door.name].append((cpu_seconds(hub) - before) / run["answers"] * 1e6)
    native = every[0].name
    for door in every[1:]:
        ours, base = statistics.median(rates[door.name]), statistics.median(rates[native])
        by_cpu = statistics.median(costs[native]) / statistics.median(costs[door.name])
        print(f"accept by {door.name}: {ours / base:.2f} of {native} by rate, {by_cpu:.2f} by cpu")
        tell(f"door_{door.name}", ours, base, "texts/s", by_rate=ours / base, by_cpu=by_cpu)


if __name__ == "__main__":
    main()
