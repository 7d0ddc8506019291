"""The adapter that the documentation shows is put into the folder, found there, and works."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

import hub.dialects
from hub.registry import dialects
from hub.webhooks.formats import formats_with
from tests.integration.api.hub_api import Api

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters" / "writing-one.md"


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = re.search(r"```python\n# hub/dialects/(\w+)\.py\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / f"{found[1]}.py").write_text(found[2])
    monkeypatch.setattr(hub.dialects, "__path__", [*hub.dialects.__path__, str(tmp_path)])
    yield
    sys.modules.pop(f"hub.dialects.{found[1]}", None)


async def test_the_documented_adapter_is_found_and_takes_texts(documented: None, api: Api) -> None:
    (till,) = [dialect for dialect in dialects() if dialect.name == "till"]
    assert "till" in formats_with(*(form for dialect in dialects() for form in dialect.webhook_formats))
    api.world.phone()
    transport = httpx.ASGITransport(Starlette(routes=list(till.routes(api.services))))
    async with httpx.AsyncClient(transport=transport, base_url="https://hub.example") as http:
        path = "/till?number=%2B491701234567&words=hello"
        assert (await http.post(path)).status_code == 401
        http.headers["X-API-Key"] = api.key
        taken = await http.post(path)
        assert (taken.status_code, taken.json()) == (202, {"taken": "+491701234567"})
        refused = await http.post("/till?number=nonsense&words=hello")
        assert (refused.status_code, list(refused.json())) == (422, ["not taken"])
    (text,) = (await api.get("/v1/messages"))["items"]
    assert (text["text"], text["door"]) == ("hello", "till")
