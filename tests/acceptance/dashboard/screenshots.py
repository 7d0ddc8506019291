"""`make screenshots`: every page of the dashboard, and what is opened there, at 1280 and 375 pixels, light and dark.

The pages of the shop also at 768 and 1024.

Before the shop moves in, the pages of an empty account; then every page of a living shop (`shop.py`); then dialogs and other states
(`states.py`).

    python -m tests.acceptance.dashboard.screenshots [FOLDER] [NAME ...]

Writes `FOLDER/<page>-<light|dark>-<width>.png` (FOLDER is `screenshots` unless given); with names, those pages alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

import hatch_build
from tests.acceptance.dashboard.house import NARROW, WIDE, House, Size, Theme
from tests.acceptance.dashboard.shop import OPEN_ROUTES, furnish, routes
from tests.acceptance.dashboard.states import EMPTY_ROUTES, OPEN_STATES, Reach, furnish_more, states
from tests.acceptance.processes import HubProcess

CHROMIUM = "/usr/bin/chromium"
THEMES: tuple[Theme, ...] = ("light", "dark")
BETWEEN: tuple[Size, ...] = ((768, 1024), (1024, 768))
"""A tablet, upright and lying: where the frame changes, the pages of the shop are looked at too."""


async def take(folder: Path, names: Collection[str]) -> list[str]:
    """Take the pictures; returns what could not be reached, by its name."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            settings = {"HUB_DEFAULT_REGION": "GB", "HUB_SIGN_UP": "on"}
            house = House(HubProcess(home / "hub", settings=settings), browser, home)
            camera = Camera(house, folder, frozenset(names))
            try:
                await house.hub.started()
                await _take_all(camera)
            finally:
                await house.close()
                await browser.close()
    return camera.missed


@dataclass
class Camera:
    """Takes what is asked for, and goes on where a state cannot be reached."""

    house: House
    folder: Path
    names: frozenset[str]
    missed: list[str] = field(default_factory=list)

    def wants(self, name: str) -> bool:
        """Whether a picture is asked for."""
        return not self.names or name in self.names

    async def take(
        self,
        name: str,
        path: str,
        reach: Reach | None = None,
        *,
        sizes: Sequence[Size] = (WIDE, NARROW),
        is_open: bool = False,
    ) -> None:
        """One page in its pictures; `is_open`: without a session."""
        if not self.wants(name):
            return
        for size in sizes:
            opened = self.house.page if is_open else self.house.signed_in
            page = await opened(path, size=size, has_worker=False)
            try:
                if reach is not None:
                    await reach(self.house, page)
            except (AssertionError, PlaywrightError) as error:
                self.missed.append(f"{name} at {size[0]}: {str(error).strip().splitlines()[0]}")
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme)
                await page.screenshot(path=self.folder / f"{name}-{theme}-{size[0]}.png")
            await page.context.close()
            if not self.house.hub.is_running:
                await self.house.hub.started()
        print(f"  {name}", flush=True)


async def _take_all(camera: Camera) -> None:
    house = camera.house
    for name, path in EMPTY_ROUTES.items():
        await camera.take(name, path)
    for name, path in {**OPEN_ROUTES, **OPEN_STATES}.items():
        await camera.take(name, path, is_open=True)
    await furnish(house)
    for name, path in (await routes(house)).items():
        await camera.take(name, path, sizes=(WIDE, NARROW, *BETWEEN))
    await furnish_more(house)
    for name, state in (await states(house)).items():
        await camera.take(name, state.path, state.reach)


if __name__ == "__main__":
    hatch_build.build()
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    target.mkdir(parents=True, exist_ok=True)
    not_reached = asyncio.run(take(target, sys.argv[2:]))
    print(f"The pictures are in {target.resolve()}.")
    if not_reached:
        sys.exit("Not reached:\n  " + "\n  ".join(not_reached))
