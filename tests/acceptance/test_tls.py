"""A hub with the operator's own certificate: phones connect to `wss://`, and everything goes that way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.world import world
from tests.integration.webhooks.certificates import Authority

pytestmark = pytest.mark.anyio

LONG = "a text in several records ✓ " * 1200
"""Its frame is longer than what TLS puts into one record, 16 KiB (RFC 8446 §5.1)."""


async def test_a_phone_sends_and_receives_over_tls_and_a_stop_waits_for_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    authority.server("127.0.0.1")
    pem = str(tmp_path / "127.0.0.1-False-False.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))  # what the phone and the customer trust
    async with world(tmp_path, HUB_TLS="files", HUB_TLS_CERTIFICATE=pem, HUB_TLS_KEY=pem) as here:
        assert here.hub.url.startswith("https://")
        assert here.phone.uplink.is_on_websocket
        await here.send("+14155550001", "out over TLS")
        await here.customer_texts("+14155550002", "in over TLS")
        await here.customer_texts("+14155550003", LONG)
        await here.settled("delivered")
        await here.inbound_arrived()
        await here.webhooks_arrived("sms:received", 2)
        here.assert_air()
        here.hub.stop()  # nobody here reads meanwhile: neither phone nor customer says that he closes too
        assert "graceful shutdown exceeded" not in here.hub.log_path.read_text()
