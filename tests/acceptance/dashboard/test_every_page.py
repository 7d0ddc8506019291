"""Every page of a living shop: nothing serious for axe-core, nothing in the console or against the policy, nothing too wide."""

import pytest
from playwright.async_api import Page

from tests.acceptance.dashboard.house import NARROW, WIDE, House, Size, Theme, settled
from tests.acceptance.dashboard.shop import OPEN_ROUTES, furnish, routes

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]


async def hold(house: House, page: Page, found: list[str]) -> None:
    """Look at the page as it stands now; what is wrong goes on the list, so that one run tells everything."""
    await settled(page)
    try:
        await house.axe(page)
    except AssertionError as error:
        found.append(str(error))
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        found.append(f"{page.url} is {wide} px wider than the screen")


@pytest.mark.parametrize(
    ("size", "theme"), [(WIDE, "light"), pytest.param(NARROW, "dark", marks=pytest.mark.slow)], ids=["wide", "narrow"]
)
async def test_every_page_can_be_used_by_everybody(house: House, size: Size, theme: Theme) -> None:
    await furnish(house)
    found: list[str] = []
    page = await house.signed_in("/you", size=size, theme=theme)
    for path in (await routes(house)).values():
        await house.open(page, path)
        await hold(house, page, found)
    await page.context.clear_cookies()
    for path in OPEN_ROUTES.values():
        await house.open(page, path)
        await hold(house, page, found)
    assert not found, "\n\n".join(found)
