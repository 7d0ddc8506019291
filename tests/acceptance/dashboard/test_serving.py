"""What the browser is served: the built pages, their policy, their weight."""

import gzip
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.house import House

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]

MOST_SCRIPT_BYTES = 150_000
"""Compressed script of the first load: what a slow phone on a slow network can take."""


def first_load(dist: Path) -> set[str]:
    """The scripts that `index.html` names, and what those import before anything runs."""
    wanted, seen = set(re.findall(r'(?:src|href)="/ui/([^"]+\.js)"', (dist / "index.html").read_text())), set[str]()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        source = (dist / name).read_text(encoding="utf-8")
        for target in re.findall(r'(?:^|[;}\s])import\s*(?:[^"\'()]*?from\s*)?["\']\.?/?([^"\']+\.js)["\']', source):
            found = f"assets/{Path(target).name}"
            if found not in seen:
                wanted.add(found)
    return seen


def test_the_first_load_is_light(built_pages: Path) -> None:
    scripts = first_load(built_pages)
    assert scripts
    sizes = {name: len(gzip.compress((built_pages / name).read_bytes(), 9)) for name in scripts}
    assert sum(sizes.values()) < MOST_SCRIPT_BYTES, sizes


def test_the_build_has_nothing_inline(built_pages: Path) -> None:
    page = (built_pages / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"<script(?![^>]*\bsrc=)", page)
    assert "<style" not in page
    assert " style=" not in page
    assert not re.findall(r"\bon[a-z]+=", page)


def test_the_build_names_no_other_place(built_pages: Path) -> None:
    """Nothing is loaded from elsewhere: no font, no script, no picture."""
    page = (built_pages / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!/ui/)', page)
    for file in built_pages.rglob("*.css"):
        assert not re.findall(r"url\((?!['\"]?(?:data:|/ui/|\./|#))", file.read_text(encoding="utf-8")), file.name


async def test_pages_are_served_whole_and_cached_rightly(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.hub.url) as http:
        assert (await http.get("/")).headers["location"] == "/ui/"
        page = await http.get("/ui/phones/dev_0", headers={"Accept-Encoding": "br"})
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["content-encoding"] == "br"
        assert page.headers["cache-control"] == "no-cache"
        again = await http.get("/ui/", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        script = re.findall(r'src="(/ui/assets/[^"]+\.js)"', (await http.get("/ui/")).text)[0]
        loaded = await http.get(script, headers={"Accept-Encoding": "gzip"})
        assert loaded.headers["content-encoding"] == "gzip"
        assert "immutable" in loaded.headers["cache-control"]
        plain = await http.get(script, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == loaded.content
        for gone in ("/ui/assets/none.js", "/ui/../pyproject.toml", "/ui/%2e%2e/hub.key", "/ui/none.png"):
            assert (await http.get(gone)).status_code == 404, gone


async def test_every_answer_has_the_strict_policy(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.hub.url) as http:
        for path in ("/", "/ui/", "/ui/login", "/ui/none.png"):
            headers = (await http.get(path)).headers
            policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"


async def test_the_policy_stops_what_is_not_ours(house: House) -> None:
    """The recorder of this folder sees violations: a page that breaks the policy would fail its test."""
    page = await house.page("/login")
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\" id=\"odd\">x</p>')")
    await expect(page.locator("#odd")).not_to_have_css("color", "rgb(255, 0, 0)")
    with pytest.raises(AssertionError, match="Content Security Policy"):
        house.assert_quiet()
    house.expected("Content Security Policy|401")
