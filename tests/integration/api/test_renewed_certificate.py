"""A certificate that is renewed while the hub runs: new connections are shown the new one, and a broken one changes nothing."""

import asyncio
import ssl
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from hub.server import listening_socket, make_server
from tests.integration.webhooks.certificates import Authority

pytestmark = pytest.mark.anyio


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """No request comes."""


async def _no_farewell() -> None:
    """Nobody is connected."""


async def shown(port: int) -> str:
    """The certificate that a new connection is shown."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anybody)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return ssl.DER_cert_to_PEM_cert(der)


async def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    pem = tmp_path / "certificate.pem"

    def renew(name: str) -> str:
        (tmp_path / name).mkdir()
        Authority(tmp_path / name).server("127.0.0.1")
        made = (tmp_path / name / "127.0.0.1-False-False.pem").read_text()
        pem.write_text(made)
        return made[made.index("-----BEGIN CERTIFICATE") :]

    first = renew("first")
    server = make_server(_nothing, _no_farewell, shutdown_seconds=5, request_seconds=60, certificate=pem, key=pem)
    server.config.lifespan = "off"
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    listener = listening_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    await server.startup(sockets=[listener])  # its own ticks are not begun: the test gives them
    await server.on_tick(0)
    assert await shown(port) == first
    second = renew("second")
    await server.on_tick(1)
    assert await shown(port) == first, "it is not looked for ten times a second"
    await server.on_tick(0)
    assert await shown(port) == second
    pem.write_text("half a file")
    await server.on_tick(0)
    assert await shown(port) == second
    await server.shutdown(sockets=[listener])
