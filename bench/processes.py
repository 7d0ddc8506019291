"""Start, pin and stop the processes of a measurement."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
SERVER_CORE, LOAD_CORE = "0", "1"


def pinned(core: str, command: Sequence[str]) -> list[str]:
    """The command, held to one core, so that server and load do not take each other's time."""
    return ["taskset", "-c", core, *command]


@contextmanager
def process(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[psutil.Process]:
    """A process that ends with the block; its errors go to ours."""
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL)
    try:
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_until_up(url: str, seconds: float = 120.0) -> None:
    """Return when the URL answers 200."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def wait_until_listening(port: int, seconds: float = 120.0) -> None:
    """Return when something on this machine takes connections on the port."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def cpu_seconds(child: psutil.Process) -> float:
    """User and system time the process has used so far."""
    times = child.cpu_times()
    return float(times.user + times.system)


@contextmanager
def running_hub(port: int, database_url: str = "", **settings: str) -> Iterator[tuple[psutil.Process, str]]:
    """A real hub with a fresh data directory on the server core; yields it and a key that may do everything."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as data:
        env = {
            "HUB_DATA_DIR": data,
            "HUB_PORT": str(port),
            "HUB_DATABASE_URL": database_url,
            "HUB_LOG_LEVEL": "warning",
            "HUB_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
            "HUB_REQUESTS_PER_SECOND": "1000000",
            **settings,
        }
        command = pinned(SERVER_CORE, [sys.executable, "-m", "hub", "serve"])
        with process(command, env) as child:
            wait_until_up(f"http://127.0.0.1:{port}/readyz")
            made = subprocess.run(
                [sys.executable, "-m", "hub", "key", "create", "bench", "--json"],
                cwd=ROOT,
                env={**os.environ, **env},
                check=True,
                capture_output=True,
            )
            yield child, json.loads(made.stdout)["key"]
