"""Schemathesis as an independent judge: thousands of requests made from the OpenAPI document, right and wrong, on a real database.

Nothing may be answered 5xx, undocumented, or other than its schema says, and what does not fit has to be refused. The stream and the
long poll are left to `test_stream.py`: they are open for as long as somebody listens.
"""

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from hub.clock import SystemClock
from hub.core.ids import IdSource
from hub.dialects.native_v1.table import OPERATIONS
from hub.storage.database import Database
from tests.databases import refuse_nul
from tests.integration.api.hub_api import Api

ARGUMENTS = {
    "sqlite": ["--phases", "examples,coverage,fuzzing", "--max-examples", "4"],
    "postgresql": ["--phases", "fuzzing", "--max-examples", "3"],
}
# What a schema cannot say (a number that exists, a webhook's address, a time that lies ahead) is refused 422.
LEFT_OUT = [
    "--exclude-checks",
    "positive_data_acceptance",
    "--exclude-path",
    "/v1/stream",
    "--exclude-path",
    "/v1/inbox/wait",
]


class Served:
    """The API on a port of its own, in a thread with a loop of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        clock: Any = SystemClock()
        ids = IdSource(0, random.Random(1).randbytes)
        self.db = Database.open(url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
        refuse_nul(self.db)
        self.api = Api(self.db, clock, ids, folder, requests_per_second=1_000_000)
        for name in ("Front desk", "Workshop"):
            self.api.world.phone(name, sims=2)
        config = uvicorn.Config(self.api.app, port=0, lifespan="off", log_config=None)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), name="api")

    @contextmanager
    def running(self) -> Iterator[str]:
        self._thread.start()
        try:
            while not self._server.started:
                self._thread.join(0.01)
            port = self._server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            self._server.should_exit = True
            self._thread.join()
            self.api.world.conn.close()
            self.db.close()


def test_the_api_is_what_its_document_says(database_url: str, tmp_path: Path) -> None:
    served = Served(database_url, tmp_path)
    with served.running() as url:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{url}/openapi.json",
            *("--header", f"Authorization: Bearer {served.api.key}"),
            *("--checks", "all", "--seed", "1", "--no-color", "--generation-allow-x00", "true"),
            *LEFT_OUT,
            *ARGUMENTS[served.db.dialect],
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, "\n".join(line[:600] for line in done.stdout.splitlines())[-8000:]
    assert f"Selected: {len(OPERATIONS) - 2}/{len(OPERATIONS)}" in done.stdout
