"""The dashboard as an application of its own: Chromium would install it, and it says that a text came while nobody looked."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.conftest import CHROMIUM
from tests.acceptance.dashboard.house import House
from tests.acceptance.dashboard.test_conversations import MAYA, TOM, bubble, thread_with
from tests.acceptance.processes import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]

# Stands in for the system's own notifications, which no test can see.
NOTICES = """
window.notices = [];
window.Notification = class {
  static permission = "granted";
  static requestPermission() { return Promise.resolve("granted"); }
  constructor(title, options) { this.told = { title, body: options.body, tag: options.tag }; window.notices.push(this); }
  close() {}
};
"""


async def test_chromium_would_install_it(house: House) -> None:
    # A window of its own: in a private one, which the other tests use, nothing is ever installed.
    context = await house.browser.browser_type.launch_persistent_context(
        house.directory / "profile", executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
    )
    try:
        page = await context.new_page()
        await page.goto(f"{house.hub.url}/ui/login")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        chromium = await context.new_cdp_session(page)
        manifest = await chromium.send("Page.getAppManifest")
        assert manifest["url"] == f"{house.hub.url}/ui/manifest.webmanifest"
        assert manifest["errors"] == []
        assert (await chromium.send("Page.getInstallabilityErrors"))["installabilityErrors"] == []
    finally:
        await context.close()


async def test_a_text_that_comes_while_nobody_looks_is_told_and_leads_to_its_thread(house: House) -> None:
    world = await house.world()
    page = await house.signed_in("/settings/browser")
    await page.add_init_script(NOTICES)
    await house.open(page, "/settings/browser")

    async def told() -> list[dict[str, Any]]:
        notices: list[dict[str, Any]] = await page.evaluate("notices.map((one) => one.told)")
        return notices

    await expect(page.get_by_text("Live, up to date")).to_be_visible()
    await world.customer_texts(TOM, "Before anybody asked")
    await world.inbound_arrived()
    await page.get_by_role("switch", name="Notifications").click()
    await world.customer_texts(MAYA, "Is it ready?")

    async def first() -> bool:
        return len(await told()) > 0

    await eventually("the text was told", first)
    maya = await thread_with(house, MAYA)
    assert await told() == [{"title": "+44 7700 900 142", "body": "Is it ready?", "tag": maya["id"]}]

    await house.hub.api.patch(f"/v1/threads/{maya['id']}", json={"is_muted": True})
    await world.customer_texts(MAYA, "Hello?")
    await world.inbound_arrived()
    await world.customer_texts(TOM, "And mine?")

    async def second() -> bool:
        return len(await told()) > 1

    await eventually("the other text was told", second)
    assert [one["body"] for one in await told()] == ["Is it ready?", "And mine?"], "a muted thread says nothing"
    await page.evaluate("notices[0].onclick()")
    await expect(bubble(page, "Is it ready?")).to_be_visible()
