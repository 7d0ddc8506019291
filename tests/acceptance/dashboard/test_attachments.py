"""An MMS in a conversation: its picture is drawn, a file can be saved, and what was not kept says so."""

from __future__ import annotations

import base64

import pytest
from playwright.async_api import expect

from android_emulator.inbound import Attachment
from tests.acceptance.dashboard.house import House
from tests.acceptance.dashboard.test_conversations import MAYA, bubble, open_thread, texts
from tests.acceptance.processes import eventually

pytestmark = pytest.mark.anyio

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel."""

GROW = """(pane, isSeen) => {
  pane.querySelector("article").append(Object.assign(document.createElement("p"), { textContent: "\\n".repeat(60) }));
  pane.querySelector("article").lastChild.style.whiteSpace = "pre";
  if (isSeen) pane.dispatchEvent(new Event("scroll"));
}"""
"""Something gets its height in a thread, as a picture does when it is there; `isSeen`: just as the thread tells that it was scrolled."""
BELOW = "pane => pane.scrollHeight - pane.scrollTop - pane.clientHeight"


async def test_a_picture_is_drawn_a_file_saved_and_what_is_missing_named(house: House) -> None:
    world = await house.world()
    card = Attachment("text/vcard", b"BEGIN:VCARD\r\nFN:Maya\r\nEND:VCARD\r\n", "maya.vcf")
    program = Attachment("application/x-sh", b"MZ\x90\x00", "run.exe")
    await world.phone.receive_mms(MAYA, Attachment("image/png", DOT, "dot.png"), card, program, text="Look!")
    page = await open_thread(house, MAYA)
    mms = bubble(page, "Look!")
    picture = mms.get_by_role("img", name="dot.png")
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("naturalWidth", 1)
    await expect(mms).to_contain_text("run.exe: not kept, because of its type.")
    async with page.expect_download() as saving:
        await mms.get_by_role("link", name="maya.vcf").click()
    saved = await saving.value
    assert saved.suggested_filename == "maya.vcf"
    assert (await saved.path()).read_bytes() == card.content
    await house.axe(page)


async def test_the_end_of_a_thread_stays_in_sight_while_its_pictures_come_in(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Look!")
    page = await open_thread(house, MAYA)
    await expect(bubble(page, "Look!")).to_be_visible()

    async def is_at_end() -> bool:
        return bool(await texts(page).evaluate(BELOW) < 5)

    for is_seen in (False, True):
        await texts(page).evaluate(GROW, is_seen)
        await eventually("the end is in sight", is_at_end)
    assert await texts(page).evaluate("pane => pane.scrollTop") > 1000
    await texts(page).evaluate("pane => (pane.scrollTop = 300)")
    await expect(page.get_by_role("button", name="To the newest text")).to_be_visible()
    await texts(page).evaluate(GROW, True)
    assert await texts(page).evaluate("pane => pane.scrollTop") == 300
