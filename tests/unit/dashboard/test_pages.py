"""Serving the built files: what is found, how it is compressed and cached, and what is said when nothing was built."""

import os
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

import hatch_build
from hub.accounts.chosen_passwords import check_password
from hub.core.errors import HubError
from hub.dashboard.pages import page_routes

pytestmark = pytest.mark.anyio


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<p>first</p>")
    (folder / "assets" / "index-D23ubaCn.js").write_text("plain script")
    (folder / "assets" / "index-D23ubaCn.js.gz").write_bytes(b"packed by gzip")
    (folder / "assets" / "index-D23ubaCn.js.br").write_bytes(b"packed by brotli")
    (folder / "sw.js").write_text("self.x = 1")
    (tmp_path / "hub.key").write_text("secret")
    return folder


def browser(folder: Path) -> httpx.AsyncClient:
    app = Starlette(routes=list(page_routes(folder)))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://hub.test", headers={"Accept-Encoding": "identity"}
    )


SCRIPT = "/ui/assets/index-D23ubaCn.js"


async def raw(http: httpx.AsyncClient, accepted: str) -> tuple[bytes, str | None]:
    """What was sent, and how the hub says it is packed."""
    async with http.stream("GET", SCRIPT, headers={"Accept-Encoding": accepted}) as answer:
        content = b"".join([chunk async for chunk in answer.aiter_raw()])
        return content, answer.headers.get("content-encoding")


async def test_a_file_goes_out_as_the_browser_takes_it(dist: Path) -> None:
    async with browser(dist) as http:
        assert await raw(http, "gzip, deflate, br, zstd") == (b"packed by brotli", "br")
        assert await raw(http, "gzip") == (b"packed by gzip", "gzip")
        assert await raw(http, "br;q=0, gzip;q=0.5") == (b"packed by gzip", "gzip")
        assert await raw(http, "identity") == (b"plain script", None)


async def test_only_names_with_a_hash_are_kept_for_ever(dist: Path) -> None:
    async with browser(dist) as http:
        kept = {path: (await http.get(path)).headers["cache-control"] for path in (SCRIPT, "/ui/sw.js", "/ui/")}
    assert "immutable" in kept.pop(SCRIPT)
    assert set(kept.values()) == {"no-cache"}


async def test_a_deep_link_is_the_page_and_a_missing_file_is_not(dist: Path) -> None:
    async with browser(dist) as http:
        for path in ("/ui/", "/ui/conversations/cnv_1", "/ui/settings/users"):
            assert (await http.get(path)).text == "<p>first</p>"
        for path in ("/ui/assets/gone-D23ubaCn.js", "/ui/none.png", "/ui/assets/none", "/ui/%2e%2e/hub.key"):
            answer = await http.get(path)
            assert answer.status_code == 404, path
            assert "secret" not in answer.text
        assert (await http.post("/ui/")).status_code == 405


async def test_a_new_build_is_noticed(dist: Path) -> None:
    async with browser(dist) as http:
        first = await http.get("/ui/")
        (dist / "index.html").write_text("<p>second</p>")
        os.utime(dist / "index.html", ns=(1, 1))
        second = await http.get("/ui/", headers={"If-None-Match": first.headers["etag"]})
        assert second.text == "<p>second</p>"


async def test_without_a_build_the_page_says_what_to_do(tmp_path: Path) -> None:
    async with browser(tmp_path / "none") as http:
        answer = await http.get("/ui/conversations")
        assert answer.status_code == 503
        assert "make install" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("version", "is_fit"),
    [
        ("v20.19.0", True),
        ("v20.18.3", False),
        ("v21.7.0", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.19.0", True),
        ("v18.20.0", False),
        ("nonsense", False),
    ],
)
def test_which_node_is_fit(version: str, is_fit: bool) -> None:
    assert hatch_build.is_fit(version) is is_fit


@pytest.mark.parametrize("password", ["short", "1234567890", "aaaaaaaaaaaa", "ines@northgate.example", "x" * 513])
def test_passwords_that_anybody_would_try_are_refused(password: str) -> None:
    with pytest.raises(HubError):
        check_password(password, "ines@northgate.example", "Ines")


@pytest.mark.parametrize("password", ["four words are easy", "correcthorse", "пароль из слов", "🚲🔧🛞🔩⛓🧰🪛🚧🛠🧲"])
def test_length_is_all_that_is_asked(password: str) -> None:
    check_password(password, "ines", "Ines")
