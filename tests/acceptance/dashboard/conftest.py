"""Chromium, the built pages, and a house for each test of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

import hatch_build
from tests.acceptance.dashboard.house import House
from tests.acceptance.processes import HubProcess
from tests.databases import missing

CHROMIUM = Path("/usr/bin/chromium")
IS_THERE = CHROMIUM.exists()


@pytest.fixture(scope="session")
def built_pages() -> Path:
    """The dashboard as this working copy builds it."""
    try:
        hatch_build.build()
    except hatch_build.CannotBuild as reason:
        missing("chromium", f"the dashboard cannot be built: {reason}")
    return hatch_build.DIST


@pytest.fixture(scope="session")
async def chromium(built_pages: Path) -> AsyncIterator[Browser]:
    """One browser for all tests; each page has a context of its own."""
    if not IS_THERE:
        missing("chromium", "install the chromium package, which puts it at /usr/bin/chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest.fixture
async def house(chromium: Browser, tmp_path: Path) -> AsyncIterator[House]:
    """A hub of this test's own, empty but for what the test puts there."""
    made = House(
        HubProcess(tmp_path / "hub", settings={"HUB_DEFAULT_REGION": "GB", "HUB_SIGN_UP": "on"}), chromium, tmp_path
    )
    try:
        await made.hub.started()
        yield made
        made.assert_quiet()
    finally:
        await made.close()
