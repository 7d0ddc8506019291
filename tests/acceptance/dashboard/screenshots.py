"""`make screenshots`: every page of the dashboard at 1280 and 375 pixels, light and dark, at a hub with a living shop.

    python -m tests.acceptance.dashboard.screenshots [FOLDER] [NAME ...]

Writes `FOLDER/<page>-<light|dark>-<width>.png` (FOLDER is `screenshots` unless given); with names, those pages alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from playwright.async_api import async_playwright

import hatch_build
from tests.acceptance.dashboard.house import NARROW, WIDE, House, Theme, settled
from tests.acceptance.dashboard.shop import OPEN_ROUTES, furnish, routes
from tests.acceptance.processes import HubProcess

CHROMIUM = "/usr/bin/chromium"
THEMES: tuple[Theme, ...] = ("light", "dark")


async def take(folder: Path, names: Collection[str]) -> None:
    """Take the pictures."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            house = House(HubProcess(home / "hub", settings={"HUB_DEFAULT_REGION": "GB"}), browser, home)
            try:
                await house.hub.started()
                await furnish(house)
                await _take_all(house, folder, names)
            finally:
                await house.close()
                await browser.close()


async def _take_all(house: House, folder: Path, names: Collection[str]) -> None:
    pages = {**await routes(house), **OPEN_ROUTES}
    for name, path in pages.items():
        if names and name not in names:
            continue
        for size in (WIDE, NARROW):
            for theme in THEMES:
                if name in OPEN_ROUTES:
                    page = await house.page(path, size=size, theme=theme)
                else:
                    page = await house.signed_in(path, size=size, theme=theme)
                await settled(page)
                await page.screenshot(path=folder / f"{name}-{theme}-{size[0]}.png")
                await page.context.close()
        print(f"  {name}", flush=True)


if __name__ == "__main__":
    hatch_build.build()
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(target, sys.argv[2:]))
    print(f"The pictures are in {target.resolve()}.")
