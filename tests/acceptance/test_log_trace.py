"""A request's trace id stands in the log where its text went, and what became of it is counted."""

import json
from pathlib import Path

import httpx
import pytest

from tests.acceptance.test_log_privacy import TRACE, traffic
from tests.acceptance.world import world

pytestmark = pytest.mark.anyio


async def test_T19_T20_a_trace_id_is_found_from_request_to_webhook_and_moves_are_counted(tmp_path: Path) -> None:
    async with world(tmp_path, HUB_LOG_LEVEL="debug") as here:
        await traffic(here)
        async with httpx.AsyncClient() as monitor:
            counted = (await monitor.get(f"{here.hub.url}/metrics")).text
        for event in ("sms:queued", "sms:sent", "sms:delivered", "sms:received"):
            assert f'hub_events_total{{type="{event}"}} 1.0' in counted
        here.hub.stop()
        lines = [json.loads(line) for line in here.hub.log_path.read_text().splitlines() if line.startswith("{")]
        told = [line["event"] for line in lines if line.get("trace_id") == TRACE]
        assert {"texts were taken", "a text moves", "a webhook was tried"} <= set(told), told
