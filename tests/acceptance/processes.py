"""Real processes for acceptance tests: a hub that can be killed and started again on the same port and data, and what it left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.openapi_check import CheckedTransport

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 60.0
"""How long a condition may take before the test fails; nothing waits that long when the product works."""

START_SECONDS = 180.0
"""How long a hub may take to start: it begins beside everything else that runs here, and has everything to read yet."""

T = TypeVar("T")


def free_port() -> int:
    """A port nobody listens on; the hub keeps it over its restarts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def eventually(what: str, condition: Callable[[], Awaitable[T | None]], seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy answer of `condition`; fails with `what` and the last answer when there is none."""
    end = time.monotonic() + seconds
    answer: T | None = None
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            answer = await condition()
            if answer:
                return answer
        await asyncio.sleep(0.03)
    raise AssertionError(f"never happened: {what}; last seen: {answer!r}")


@dataclass
class HubProcess:
    """`hub serve` on a fixed port. `kill` is SIGKILL; `start` after it is a restart on the same data."""

    data_dir: Path
    database_url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    key: str = ""
    _child: subprocess.Popen[bytes] | None = None
    _client: httpx.AsyncClient | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        scheme = "http" if self.settings.get("HUB_TLS", "off") == "off" else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        """What it wrote on standard error, over all its lives."""
        return self.data_dir / "hub.log"

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the hub and of the commands that go with it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        return {
            **clean,
            "HUB_DATA_DIR": str(self.data_dir),
            "HUB_DATABASE_URL": self.database_url,
            "HUB_PORT": str(self.port),
            "HUB_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
            **self.settings,
            **more,
        }

    def start(self, failpoints: str = "") -> None:
        """Start, with failpoints armed; does not wait."""
        assert self._child is None or self._child.poll() is not None, "it still runs"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        armed = {"HUB_TEST_BUILD": "1", "HUB_FAILPOINTS": failpoints} if failpoints else {}
        with self.log_path.open("ab") as log:
            command = [sys.executable, "-m", "hub", "serve"]
            self._child = subprocess.Popen(command, cwd=ROOT, env=self.environment(**armed), stdout=log, stderr=log)

    async def started(self, failpoints: str = "") -> HubProcess:
        """Start and wait until it is ready."""
        self.start(failpoints)
        await self.ready()
        if not self.key:
            self.key = self.command("key", "create", "test", "--json")["key"]
        return self

    async def ready(self) -> None:
        """Wait until `/readyz` says so."""

        async def is_ready() -> bool:
            assert self._child is not None
            assert self._child.poll() is None, f"the hub ended: {self.log_path.read_text()[-3000:]}"
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.url}/readyz")).status_code == 200

        await eventually("the hub is ready", is_ready, START_SECONDS)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._child is not None and self._child.poll() is None

    async def died(self, place: str = "") -> None:
        """Wait until a failpoint has killed it."""

        async def is_dead() -> bool:
            return not self.is_running

        await eventually(f"the failpoint {place} was passed", is_dead)
        assert self._child is not None
        assert self._child.returncode == -signal.SIGKILL, self.log_path.read_text()[-3000:]

    def kill(self) -> None:
        """SIGKILL, now."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def stop(self) -> int:
        """SIGTERM, and wait for its orderly end; returns its exit code."""
        assert self._child is not None
        if self._child.poll() is None:
            self._child.terminate()
            self._child.wait(PATIENCE_SECONDS)
        return self._child.returncode

    @property
    def pid(self) -> int:
        """The process."""
        assert self._child is not None
        return self._child.pid

    def command(self, *words: str) -> Any:
        """Run `hub …`; its JSON where it printed some, else its text."""
        done = subprocess.run(
            [sys.executable, "-m", "hub", *words], cwd=ROOT, env=self.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"hub {' '.join(words)}: {done.stderr}"
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    @property
    def api(self) -> httpx.AsyncClient:
        """REST v1 with a key that may do everything; every exchange is held against the hub's OpenAPI document."""
        if self._client is None:
            headers = {"Authorization": f"Bearer {self.key}"}
            transport = CheckedTransport(httpx.AsyncHTTPTransport())
            self._client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, transport=transport)
        return self._client

    async def close(self) -> None:
        """End the process and the client."""
        if self._client is not None:
            await self._client.aclose()
        self.kill()


@asynccontextmanager
async def running_hub(data_dir: Path, database_url: str = "", **settings: str) -> AsyncIterator[HubProcess]:
    """A hub that is ready and has a key; ends with the block."""
    hub = HubProcess(data_dir, database_url, settings)
    try:
        yield await hub.started()
    finally:
        await hub.close()
