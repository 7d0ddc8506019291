"""The samples that send through MySMSGate's API, each run by its own language as the page shows it, against the hub."""

import asyncio
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from hub.dialects.mysmsgate import DIALECT
from hub.storage.schema.messages import Message
from tests.databases import missing
from tests.integration.api.hub_api import Api

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters" / "mysmsgate-samples.md"
SAMPLES = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
RUN = {
    "python": ("sample.py", [sys.executable, "sample.py"]),
    "js": ("sample.mjs", ["node", "sample.mjs"]),
    "php": ("sample.php", ["php", "sample.php"]),
    "go": ("sample.go", ["go", "run", "sample.go"]),
    "ruby": ("sample.rb", ["ruby", "sample.rb"]),
}


@pytest.fixture
async def address(api: Api) -> AsyncIterator[str]:
    """Where the hub's door listens."""
    app = Starlette(routes=list(DIALECT.routes(api.services)))
    # It listens before the server runs, so that nobody who connects early is turned away.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


def test_the_page_has_every_language() -> None:
    assert set(SAMPLES) == set(RUN)


@pytest.mark.parametrize("language", RUN)
async def test_M16_the_sample_sends_and_asks(api: Api, address: str, language: str, tmp_path: Path) -> None:
    file, command = RUN[language]
    if shutil.which(command[0]) is None:
        missing(command[0], f"{command[0]} is not installed, so the sample in {language} was not run")
    (tmp_path / file).write_text(SAMPLES[language], encoding="utf-8")
    go = {"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=tmp_path,
        env={**os.environ, **go, "HUB": address, "KEY": api.key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await child.communicate()
    assert (child.returncode, out.decode().strip()) == (0, "pending"), errors.decode()
    (row,) = api.world.rows(Message)
    assert (row["peer"], row["door"], row["text"].partition(" ")[0]) == ("+491701234567", "mysmsgate", "Grüße")
