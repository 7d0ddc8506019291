"""The hub was updated beneath an open page: it says so, takes nothing away, and loads the new pages when asked."""

from __future__ import annotations

import pytest
from playwright.async_api import Route, expect

from tests.acceptance.dashboard.house import House, settled
from tests.acceptance.dashboard.test_conversations import DOWN, MAYA
from tests.acceptance.processes import eventually

pytestmark = pytest.mark.anyio
LATER = """() => {
  const now = Date.now;
  Date.now = () => now() + 360_000;
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""The page is looked at again, six minutes later."""


async def test_an_update_beneath_an_open_page_is_offered_and_takes_nothing_away(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Is it ready?")
    house.expected(DOWN)
    page = await house.signed_in("/conversations", has_worker=False)
    await page.get_by_role("list", name="Threads").get_by_role("link").click()
    field = page.get_by_placeholder("Text to")
    await field.fill("Nearly")
    asked: list[str] = []

    async def same(route: Route) -> None:
        asked.append(route.request.url)
        await route.fallback()

    async def another(route: Route) -> None:
        built = await route.fetch()
        await route.fulfill(
            response=built, body=(await built.text()).replace("/ui/assets/index-", "/ui/assets/index-new-")
        )

    await page.route("**/ui/", same)
    offer = page.get_by_role("status").filter(has_text="The hub was updated.")
    await expect(page.get_by_text("Live, up to date")).to_be_visible()
    await page.evaluate(LATER)

    async def has_asked() -> bool:
        return bool(asked)

    await eventually("the page asks for its build when it is looked at again", has_asked)
    await expect(offer).to_have_count(0)

    await page.unroute("**/ui/")
    await page.route("**/ui/", another)
    house.hub.kill()
    await expect(page.get_by_text("Connecting again.")).to_be_visible()
    await house.hub.started()
    await expect(offer).to_be_visible(timeout=60_000)
    await expect(field).to_have_value("Nearly")
    await house.axe(page)
    await page.unroute("**/ui/")
    await offer.get_by_role("button", name="Load anew").click()
    await settled(page)
    await expect(offer).to_have_count(0)
    await expect(field).to_have_value("Nearly")
