"""Every page of a living shop: nothing serious for axe-core, nothing in the console or against the policy, nothing too wide."""

import pytest
from playwright.async_api import Page, expect

from tests.acceptance.dashboard.house import NARROW, WIDE, House, Size, Theme, settled
from tests.acceptance.dashboard.shop import OPEN_ROUTES, furnish, routes

TOO_WIDE = """() => [document.documentElement, ...document.querySelectorAll(".scroll")]
  .filter((pane) => pane.scrollWidth > pane.clientWidth).map((pane) => pane.className || pane.nodeName)"""
"""Panes that have to be pushed sideways to be read."""

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]


async def hold(house: House, page: Page, found: list[str]) -> None:
    """Look at the page as it stands now; what is wrong goes on the list, so that one run tells everything."""
    await settled(page)
    try:
        await house.axe(page)
    except AssertionError as error:
        found.append(str(error))
    if wide := await page.evaluate(TOO_WIDE):
        found.append(f"{page.url} is wider than the screen in {wide}")


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


async def test_on_a_narrow_screen_one_sees_where_one_is_and_gets_back(house: House) -> None:
    page = await house.signed_in("/developers/reference", size=NARROW)
    await expect(page.get_by_role("link", name="API reference", exact=True)).to_be_in_viewport(ratio=1)
    await house.open(page, "/developers/webhooks/new")
    await page.get_by_role("link", name="Webhooks", exact=True).first.click()
    await expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
    await house.open(page, "/messages/batches")
    await page.locator("#main").get_by_role("link", name="Messages", exact=True).click()
    await expect(page.get_by_role("heading", name="Messages", exact=True)).to_be_visible()


async def test_what_is_cut_off_tells_its_whole_text_where_it_is_pointed_at(house: House) -> None:
    page = await house.signed_in("/you")
    name = "Northgate Cycles and Repairs, the workshop at the canal"
    assert (await house.hub.api.patch("/v1/account", json={"name": name})).status_code == 200
    await page.reload()
    await settled(page)
    shown = page.get_by_role("navigation", name="Sections").get_by_text(name)
    await shown.hover()
    await expect(shown).to_have_attribute("title", name)
