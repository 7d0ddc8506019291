"""Attaching in the composer: chosen, pasted and dropped, refused in words, taken out, sent as an MMS, and shown in its bubble."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.async_api import FilePayload, Page, Route, expect

from tests.acceptance.dashboard.house import House
from tests.acceptance.dashboard.test_attachments import DOT
from tests.acceptance.dashboard.test_conversations import MAYA, bubble, open_thread
from tests.acceptance.world import SHOP

pytestmark = pytest.mark.anyio
_GIVE = """(field, [kind, name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const more = kind === "paste" ? { clipboardData: data } : { dataTransfer: data };
  const made = kind === "paste" ? ClipboardEvent : DragEvent;
  field.dispatchEvent(new made(kind, { bubbles: true, cancelable: true, ...more }));
}"""


def file(name: str, type_: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": type_, "buffer": content}


async def give(page: Page, kind: str, name: str, type_: str, content: bytes) -> None:
    """Paste or drop a file where texts are written."""
    told = [kind, name, type_, base64.b64encode(content).decode()]
    await page.get_by_placeholder("Text to").evaluate(_GIVE, told)


async def test_files_are_attached_in_three_ways_and_go_out_with_the_text(house: House) -> None:
    world = await house.world()
    able = await world.add_phone("+12025550101", name="Front desk", sends_mms=True)
    await world.customer_texts(MAYA, "Show me the bike", able)
    page = await open_thread(house, MAYA)
    listed = page.get_by_role("list", name="Attachments")
    send = page.get_by_role("button", name="Send Ctrl").or_(page.get_by_role("button", name="Send", exact=True))
    async with page.expect_file_chooser() as choosing:
        await page.get_by_role("button", name="Attach").click()
    chooser = await choosing.value
    await chooser.set_files(
        [
            file("bike.png", "image/png", DOT),
            file("page.html", "text/html", b"<p>"),
            file("long.pdf", "application/pdf", b"%" * 6_000_000),
        ]
    )
    await expect(listed.get_by_role("listitem")).to_have_count(1)
    await expect(page.get_by_text("page.html was left out: this hub does not send such files.")).to_be_visible()
    await expect(
        page.get_by_text("long.pdf was left out: it has 6.0 MB, and one attachment may have 5.2 MB.")
    ).to_be_visible()
    await give(page, "paste", "pasted.png", "image/png", DOT)
    await give(page, "drop", "maya.vcf", "text/vcard", b"BEGIN:VCARD\r\nFN:Maya\r\nEND:VCARD\r\n")
    await expect(listed.get_by_role("listitem")).to_have_count(3)
    await expect(page.get_by_text("left out")).to_have_count(0)
    await expect(page.get_by_text("1 MMS")).to_be_visible()
    await house.axe(page)
    await page.get_by_role("button", name="Remove pasted.png").click()
    await expect(page.get_by_placeholder("Text to")).to_be_focused()
    await page.get_by_placeholder("Text to").fill("Here it is")
    await expect(send).to_be_enabled()
    await page.get_by_placeholder("Text to").press("Control+Enter")
    await expect(listed).to_have_count(0)
    sent = bubble(page, "Here it is")
    await expect(sent).to_contain_text("Delivered")
    await expect(sent).to_have_count(1)
    await expect(sent.get_by_role("img", name="bike.png")).to_have_js_property("naturalWidth", 1)
    await expect(sent.get_by_role("link", name="maya.vcf")).to_be_visible()
    (message,) = (await house.hub.api.get("/v1/messages", params={"direction": "mt"})).json()["items"]
    assert (message["kind"], [one["name"] for one in message["media"]]) == ("mms", ["bike.png", "maya.vcf"])


async def test_an_upload_that_fails_says_so_in_place_and_is_tried_again(house: House) -> None:
    world = await house.world()
    able = await world.add_phone("+12025550101", name="Front desk", sends_mms=True)
    await world.customer_texts(MAYA, "Show me the bike", able)
    house.expected("503")
    page = await house.signed_in("/conversations", has_worker=False)
    await page.get_by_role("list", name="Threads").get_by_role("link").click()
    refusals: list[Any] = []

    async def refuse(route: Route) -> None:
        refusals.append(route.request.url)
        await route.fulfill(status=503, json={"code": "unavailable", "detail": "The hub cannot store now."})

    await page.route("**/v1/media*", refuse)
    await page.locator("input[type=file]").set_input_files([file("bike.png", "image/png", DOT)])
    listed = page.get_by_role("list", name="Attachments")
    await expect(listed).to_contain_text("The hub cannot store now.")
    await expect(page.get_by_text("Take out what could not be attached")).to_be_visible()
    await page.get_by_placeholder("Text to").fill("Here")
    await expect(page.locator("button.send")).to_be_disabled()
    await page.unroute("**/v1/media*")
    await listed.get_by_role("button", name="Try again").click()
    await expect(listed).to_contain_text("1 kB")
    await expect(page.locator("button.send")).to_be_enabled()
    assert len(refusals) == 1


async def test_where_no_phone_sends_mms_attaching_says_why(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Show me the bike")
    page = await open_thread(house, MAYA)
    attach = page.get_by_role("button", name="Attach")
    await expect(attach).to_have_attribute("aria-disabled", "true")
    await attach.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No SIM here sends attachments")).to_be_visible()
    await give(page, "paste", "bike.png", "image/png", DOT)
    await expect(page.get_by_role("list", name="Attachments")).to_have_count(0)
    await world.add_phone("+12025550101", name="Front desk", sends_mms=True)
    await expect(attach).not_to_have_attribute("aria-disabled", "true")
    await expect(page.get_by_text("No SIM here sends attachments")).to_have_count(0)
    lines = {line["number"]: line["name"] for line in (await house.hub.api.get("/v1/lines")).json()["items"]}
    await page.locator(".from").get_by_role("button").click()
    await (
        page.get_by_role("menuitemradio", name=lines[SHOP])
        .or_(page.get_by_role("menuitem", name=lines[SHOP]))
        .first.click()
    )
    await attach.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("cannot send attachments: its phone's app does not send MMS")).to_be_visible()
