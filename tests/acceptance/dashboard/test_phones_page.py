"""Phones in a real browser: paired by the code on the page, watched live, paused, limited, moved away from, and played with."""

import io
import re

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, Route, expect

from android_emulator.phone import EmulatedPhone
from android_emulator.sim import SimCard
from android_emulator.smsgate import AppPhone
from android_emulator.uplink import Timing
from tests.acceptance.dashboard.house import NARROW, WIDE, House, Size
from tests.acceptance.dashboard.test_every_page import TOO_WIDE
from tests.acceptance.processes import eventually
from tests.qr_decoders import same_by_all

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]

SHOP, SECOND = "+447700900301", "+447700900302"


async def code_on(page: Page) -> str:
    """What a camera reads from the page."""
    picture = page.get_by_role("img", name="QR code to pair a phone")
    await expect(picture).to_be_visible()
    box = await picture.bounding_box()
    assert box is not None
    assert box["width"] >= 272

    async def read() -> str | None:
        return same_by_all(Image.open(io.BytesIO(await page.screenshot())))

    return await eventually("the code is on the screen", read)


def handset(number: str = SHOP) -> EmulatedPhone:
    """A phone whose owner has not given the app what it needs."""
    phone = EmulatedPhone(
        sims=[SimCard(f"card-{number}", number, "O2")], timing=Timing.hasty(), os_segments_per_minute=0
    )
    phone.permissions["battery_exemption"] = False
    phone.permissions["receive_sms"] = False
    return phone


async def paired(house: House, name: str, number: str) -> EmulatedPhone:
    """A phone that is online, without the page."""
    phone = EmulatedPhone(
        sims=[SimCard(f"card-{number}", number, "EE")], timing=Timing.hasty(), os_segments_per_minute=0
    )
    await phone.switch_on()
    code = (await house.hub.api.post("/v1/enrolments", json={"name": name})).json()
    await phone.enrol(code["qr_text"])
    await phone.wait_online()
    return phone


async def test_M8_from_the_code_on_the_page_to_a_text_sent_without_a_reload(house: House) -> None:
    page = await house.signed_in("/phones")
    await expect(page.get_by_role("heading", name="Pair your first phone")).to_be_visible()
    await house.axe(page)
    await page.get_by_role("button", name="Pair a phone").click()
    code = await code_on(page)
    await house.axe(page)
    async with handset() as phone:
        await phone.enrol(code)
        await expect(page.get_by_role("heading", name="Code scanned")).to_be_visible()
        await expect(page.get_by_role("heading", name="Almost there")).to_be_visible()
        await expect(page.get_by_text("2 of 4 given. Waiting for you on the phone.")).to_be_visible()
        await expect(page.get_by_text(SHOP)).to_be_visible()
        await house.axe(page)
        await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        assert await page.evaluate(TOO_WIDE) == []
        await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        phone.set_permission("receive_sms", is_granted=True)
        await expect(page.get_by_text("3 of 4 given. Waiting for you on the phone.")).to_be_visible()
        await page.get_by_label("Name on this hub").fill("Workshop")
        await page.get_by_label("Name on this hub").press("Enter")
        phone.set_permission("battery_exemption", is_granted=True)
        await expect(page.get_by_role("main").get_by_text("Workshop can send and receive.")).to_be_visible()
        await page.get_by_label("To").fill("+447700900142")
        await page.get_by_role("button", name="Send test text").click()
        await expect(page.get_by_text("Delivered", exact=True)).to_be_visible()
        await house.axe(page)
        await page.get_by_role("button", name="Go to the phone").click()
        await expect(page.get_by_role("heading", name="Workshop")).to_be_visible()
        await expect(page.get_by_text("Online", exact=True).first).to_be_visible()
        await phone.switch_off()
        await expect(page.get_by_text("Offline", exact=True).first).to_be_visible()
        await phone.switch_on()
        await expect(page.get_by_text("Online", exact=True).first).to_be_visible()


async def test_a_code_that_is_left_alone_is_withdrawn_and_a_new_one_takes_its_place(house: House) -> None:
    page = await house.signed_in("/phones/pair", size=NARROW, theme="dark")
    first = await code_on(page)
    await page.get_by_role("button", name="New code").click()

    async def is_new() -> bool:
        return await code_on(page) != first

    await eventually("another code is shown", is_new)
    await house.axe(page)
    await page.get_by_role("link", name="Phones", exact=True).first.click()
    await expect(page.get_by_role("heading", name="Pair your first phone")).to_be_visible()

    async def withdrawn() -> bool:
        codes = (await house.hub.api.get("/v1/enrolments")).json()["items"]
        return codes[0]["state"] == "revoked"

    await eventually("the code nobody used is withdrawn", withdrawn)


async def test_a_code_whose_time_is_over_cannot_be_scanned_and_a_new_one_can(house: House) -> None:
    page = await house.signed_in("/settings/browser", has_worker=False)

    async def over(route: Route) -> None:
        answer = await route.fetch()
        if answer.headers["content-type"] != "application/json":  # the picture of the code
            await route.fulfill(response=answer)
            return
        body = await answer.json()
        body.get("enrolment", body)["expires_at"] = "2020-01-01T00:00:00.000Z"
        await route.fulfill(response=answer, json=body)

    await page.route("**/v1/enrolments**", over)
    await house.open(page, "/phones/pair")
    await expect(page.get_by_text("This code has expired")).to_be_visible()
    await expect(page.locator(".code img")).to_have_css("filter", re.compile("blur"))
    assert zxingcpp.read_barcodes(Image.open(io.BytesIO(await page.screenshot()))) == []
    await house.axe(page)
    await page.unroute("**/v1/enrolments**")
    await page.get_by_role("button", name="New code").click()
    await expect(page.get_by_text("This code has expired")).to_have_count(0)
    assert "#" in await code_on(page)


async def test_a_phone_is_paused_renamed_limited_and_removed(house: House) -> None:
    phone = await paired(house, "Front desk", SHOP)
    page = await house.signed_in("/phones")
    more = page.get_by_role("button", name=re.compile("More for"))
    await expect(page.get_by_text("1 online")).to_be_visible()

    await more.click()
    await page.get_by_role("menuitem", name="Pause").click()
    await expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("Online", exact=True).last).to_be_visible()

    await more.click()
    await page.get_by_role("menuitem", name="Limits").click()
    day = page.get_by_label("A day")
    await day.fill("many")
    await expect(page.get_by_text("Give a whole number from 1")).to_be_visible()
    await expect(page.get_by_role("button", name="Save")).to_be_disabled()
    await day.fill("500")
    await house.axe(page)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("0 / 500")).to_be_visible()
    (line,) = (await house.hub.api.get("/v1/lines")).json()["items"]
    assert (line["per_day"], line["per_minute"], line["per_hour"]) == (500, 20, None)

    await more.click()
    await page.get_by_role("menuitem", name="Rename").click()
    await page.get_by_role("textbox", name="Name").fill("Counter")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("link", name="Counter")).to_be_visible()

    await more.click()
    await page.get_by_role("menuitem", name="New credentials").click()
    await page.get_by_role("button", name="End them and show a code").click()
    code = await code_on(page)
    assert "#" in code
    await page.keyboard.press("Escape")

    await more.click()
    await page.get_by_role("menuitem", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("heading", name="Pair your first phone")).to_be_visible()
    await phone.switch_off()


async def test_only_what_is_still_in_the_hub_moves_to_another_phone(house: House) -> None:
    lost = await paired(house, "Leeds van", SHOP)
    (line,) = (await house.hub.api.get("/v1/lines")).json()["items"]
    await house.hub.api.patch(f"/v1/lines/{line['id']}", json={"per_minute": 1})
    texts = {"to": [f"+4477009001{number:02d}" for number in range(5)], "text": "Your bicycle is ready."}
    await house.hub.api.post("/v1/messages", json=texts)

    async def one_went() -> bool:
        numbers = (await house.hub.api.get("/v1/overview/phones")).json()["items"]
        return bool(numbers) and numbers[0]["waiting"] == 4

    await eventually("the pace lets one go", one_went)
    await lost.switch_off()
    other = await paired(house, "Front desk", SECOND)
    page = await house.signed_in("/phones")
    row = page.get_by_role("row").filter(has_text="Leeds van")
    await expect(row).to_contain_text("4")
    await page.get_by_role("button", name="More for Leeds van").click()
    await page.get_by_role("menuitem", name="Move its queue").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("4 texts in the hub move")).to_be_visible()
    await house.axe(page)
    await dialog.get_by_role("button", name="Move 4 texts").click()
    await expect(page.get_by_text("4 texts moved")).to_be_visible()
    for message in (await house.hub.api.get("/v1/messages", params={"direction": "mt"})).json()["items"][:4]:
        assert message["line_id"] != line["id"]
    await page.get_by_role("button", name="More for Leeds van").click()
    await page.get_by_role("menuitem", name="Move its queue").click()
    await expect(dialog.get_by_text("Nothing waits in the hub for this phone.")).to_be_visible()
    await expect(dialog.get_by_role("button", name=re.compile("^Move"))).to_have_count(0)
    await dialog.get_by_role("button", name="Close").last.click()
    await expect(dialog).to_have_count(0)
    await other.switch_off()


async def test_a_sandbox_phone_at_one_click(house: House) -> None:
    page = await house.signed_in("/overview")
    await expect(page.get_by_role("heading", name="Your hub is running")).to_be_visible()
    await house.axe(page)
    await page.get_by_role("button", name="Try with a sandbox phone").click()
    await expect(page.get_by_role("main").get_by_text("Sandbox can send and receive.")).to_be_visible()
    await page.get_by_role("button", name="Send test text").click()
    await expect(page.get_by_text("Delivered", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Go to the phone").click()
    await expect(page.get_by_text("Sandbox", exact=True).nth(1)).to_be_visible()
    await house.axe(page)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_an_app_of_sms_gate_comes_in_by_the_address_on_the_page(house: House, size: Size) -> None:
    page = await house.signed_in("/phones/pair", size=size)
    await page.get_by_role("button", name="Type an address instead").click()
    await expect(page.get_by_role("heading", name="Type this into SMS Gateway")).to_be_visible()
    address = await page.locator("p.big code").inner_text()
    assert address.startswith(f"{house.hub.url}/p/")
    await house.axe(page)
    await house.screenshot(page, "type-in")
    phone = AppPhone(address, "token-of-another-server", sims=[SimCard("card-1", SHOP, "O2")])
    try:
        await phone.switch_on()
        await expect(page.get_by_role("heading", name="Address typed")).to_be_visible()
        await expect(page.get_by_role("heading", name="Ready").first).to_be_visible()
        await page.get_by_role("button", name="Go to the phone").click()
        await expect(page.get_by_role("heading", name="What this app cannot do")).to_be_visible()
        await house.axe(page)
    finally:
        await phone.aclose()
