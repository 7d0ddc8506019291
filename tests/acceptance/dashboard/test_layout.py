"""What a page learns late stands where room was kept for it: nothing that is being read moves. And the focus goes back where it was."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Locator, Page, Route, expect

from android_emulator.inbound import Attachment
from tests.acceptance.dashboard.house import House
from tests.acceptance.dashboard.test_attachments import DOT
from tests.acceptance.dashboard.test_conversations import MAYA, bubble, thread_with

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]


class Late:
    """Answers of these addresses come when the test says so."""

    def __init__(self, page: Page, *patterns: str) -> None:
        self._page, self._patterns, self._now = page, patterns, asyncio.Event()

    async def __aenter__(self) -> Late:
        for pattern in self._patterns:
            await self._page.route(pattern, self._hold)
        return self

    async def _hold(self, route: Route) -> None:
        await self._now.wait()
        await route.continue_()

    def come(self) -> None:
        """Now."""
        self._now.set()

    async def __aexit__(self, *_: object) -> None:
        self.come()
        await self._page.unroute_all(behavior="wait")


async def box(shown: Locator) -> tuple[float, float, float]:
    """Where it stands, and how high it is."""
    await expect(shown).to_be_visible()
    found = await shown.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["height"]


async def test_the_first_steps_stay_where_they_are(house: House) -> None:
    page = await house.signed_in("/settings/browser", has_worker=False)
    for path, stays in (
        ("/overview", page.get_by_role("heading", name="Send a test text")),
        ("/phones", page.get_by_role("button", name="Pair a phone")),
    ):
        async with Late(page, "**/v1/account") as late:
            await page.goto(f"{house.hub.url}/ui{path}")
            before = await box(stays)
            late.come()
            await expect(page.get_by_role("button", name="Try with a sandbox phone")).to_be_visible()
            assert await box(stays) == before


async def test_pictures_and_forwardings_that_come_late_move_nothing(house: House) -> None:
    world = await house.world()
    await world.phone.receive_mms(MAYA, Attachment("image/png", DOT, "dot.png"), text="Look!")
    thread = await thread_with(house, MAYA)
    (line,) = (await house.hub.api.get("/v1/lines")).json()["items"]
    page = await house.signed_in("/settings/browser", has_worker=False)
    async with Late(page, "**/v1/media/**") as late:
        await house.open(page, f"/conversations/{thread['id']}")
        before = await box(bubble(page, "Look!"))
        late.come()
        await expect(page.get_by_role("img", name="dot.png")).to_have_js_property("naturalWidth", 1)
        assert await box(bubble(page, "Look!")) == before
    await page.keyboard.press("m")
    toast = await page.get_by_role("group").filter(has_text="Thread muted").bounding_box()
    assert toast is not None
    below = (await box(page.get_by_placeholder("Text to")))[1]
    assert toast["y"] + toast["height"] < below, "one can write on while it says what was done"
    async with Late(page, "**/v1/forwardings") as late:
        await page.goto(f"{house.hub.url}/ui/phones/{line['device_id']}")
        stays = page.get_by_role("heading", name="Connections")
        before = await box(stays)
        late.come()
        await expect(page.get_by_text("Are not forwarded")).to_be_visible()
        assert await box(stays) == before


async def test_the_focus_goes_back_to_where_a_dialog_was_opened(house: House) -> None:
    page = await house.signed_in("/developers/keys")
    for opener, entry in (("New key", None), ("More: test", "Revoke")):
        button = page.get_by_role("button", name=opener, exact=True)
        await button.focus()
        await page.keyboard.press("Enter")
        if entry is not None:
            await page.get_by_role("menuitem", name=entry).press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(button).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(button).to_be_focused()
