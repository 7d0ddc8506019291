"""The example files for proxies, in front of a real hub. Each is skipped where its program is not installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.acceptance.processes import ROOT, HubProcess, eventually, free_port
from tests.databases import missing

pytestmark = pytest.mark.anyio

EXAMPLES = ROOT / "docs" / "operate" / "proxy"
TEXT = {"MessageSid": "SM" + "1f" * 16, "From": "+447700900142", "To": "+447700900001", "Body": "Hi & bye ✓"}


def nginx(folder: Path, port: int, hub: int) -> list[str]:
    """The site as it is, but for its name, its certificate and the ports; the rest of the file is what any nginx has."""
    site = (EXAMPLES / "nginx.conf").read_text()
    site, names = re.subn(r"    listen 443 ssl;\n", f"    listen 127.0.0.1:{port};\n", site)
    site, certificates = re.subn(r"    ssl_certificate.*\n", "", site)
    site, upstreams = re.subn(r"127\.0\.0\.1:8080", f"127.0.0.1:{hub}", site)
    assert (names, certificates, upstreams) == (1, 2, 1)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its workers could not write here
    (folder / "nginx.conf").write_text(
        f"{user}daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body;\n{temporary}{site}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, hub: int) -> list[str]:
    """The same for Caddy, without a certificate and without its own control port."""
    site = (EXAMPLES / "Caddyfile").read_text()
    site, names = re.subn(r"(?m)^sms\.example\.com \{", f"http://127.0.0.1:{port} {{", site)
    site, upstreams = re.subn(r"127\.0\.0\.1:8080", f"127.0.0.1:{hub}", site)
    assert (names, upstreams) == (1, 1)
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{site}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES = {"nginx": nginx, "caddy": caddy}


def run(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """The proxy as a process."""
    program = shutil.which(command[0]) or command[0]
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with (folder / "proxy.log").open("wb") as log:
        return subprocess.Popen([program, *command[1:]], env=environment, stdout=log, stderr=log)


@asynccontextmanager
async def behind(name: str, folder: Path) -> AsyncIterator[tuple[HubProcess, str]]:
    """A hub, and where the proxy in front of it answers."""
    if shutil.which(name) is None:
        missing(name, f"install {name} to try its example file")
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    hub = HubProcess(folder / "hub", settings={"HUB_PUBLIC_URL": public})
    command = PROXIES[name](folder, port, hub.port)
    proxy = run(command, folder)
    try:
        await hub.started()

        async def answers() -> bool:
            assert proxy.poll() is None, (folder / "proxy.log").read_text()
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{public}/readyz")).status_code == 200

        await eventually("the proxy answers", answers)
        yield hub, public
    finally:
        proxy.terminate()
        proxy.wait()
        hub.kill()


@pytest.mark.parametrize("name", PROXIES)
async def test_T22_the_example_file_passes_everything_a_hub_needs(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path) as (hub, public), httpx.AsyncClient(base_url=public, timeout=60) as http:
        made = hub.command("gateway", "create", "FrontDesk", "--json")
        address = made["webhook_url"] + "?a=%7e1&b=%2F%2f//c"
        assert address.startswith(public)
        signature = RequestValidator(made["auth_token"]).compute_signature(address, TEXT)
        ticket = {"Authorization": f"Bearer {hub.key}"}
        async with http.stream("GET", "/v1/stream", headers=ticket) as stream:
            assert stream.status_code == 200
            posted = await http.post(address, data=TEXT, headers={"X-Twilio-Signature": signature})
            assert posted.status_code == 200, posted.text  # path and query came as they were called
            async for line in stream.aiter_lines():  # and the event comes while the stream is open
                if "sms:received" in line:
                    break
        large = await http.post(made["provider_url"], content=b"a" * (2 << 20))
        assert (large.status_code, large.json()["code"]) == (413, 20001)  # the hub's own words
        with pytest.raises(InvalidStatus) as refused:
            async with connect(public.replace("http", "ws") + "/device/v1/socket"):
                pass
        with pytest.raises(InvalidStatus) as directly:
            async with connect(hub.url.replace("http", "ws") + "/device/v1/socket"):
                pass
        assert refused.value.response.status_code == directly.value.response.status_code
        assert refused.value.response.body == directly.value.response.body
        assert (await http.get("/metrics")).status_code == 404
