"""Gateways in a real browser: made, used, given another token, removed, and numbers that are theirs."""

import httpx
import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.house import House
from tests.acceptance.world import SHOP

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]
MAYA = "+447700900142"


async def answer(url: str, sid: str, token: str) -> int:
    """What the provider's URL says to a text sent as a phone system sends it."""
    async with httpx.AsyncClient(auth=(sid, token), timeout=20) as http:
        return (await http.post(url, data={"To": MAYA, "From": SHOP, "Body": "From the desk"})).status_code


async def test_a_gateway_is_made_sends_gets_another_token_and_is_removed(house: House) -> None:
    world = await house.world()
    page = await house.signed_in("/developers/gateways")
    await expect(page.get_by_text("No gateways yet")).to_be_visible()
    await page.get_by_role("button", name="New gateway").first.click()
    form = page.get_by_role("dialog", name="New gateway")
    name = form.get_by_label("Name")
    await expect(name).to_be_focused()
    await name.fill("Front Desk")
    await expect(form.get_by_text("A name has no spaces")).to_be_visible()
    await expect(form.get_by_role("button", name="Make gateway")).to_be_disabled()
    await name.fill("FrontDesk")
    await form.get_by_label("Post inbound texts to").fill(f"{world.customer.url}/pbx")
    await house.axe(page)
    await form.get_by_role("button", name="Make gateway").click()
    ready = page.get_by_role("dialog", name="FrontDesk is ready")
    token = await ready.get_by_label("Auth token").input_value()
    sid = await ready.get_by_label("Account SID").input_value()
    provider = await ready.get_by_label("Provider's URL").input_value()
    await ready.get_by_role("button", name="I have it").click()
    card = page.get_by_role("region", name="FrontDesk")
    await expect(card).to_contain_text(provider)
    await expect(card).to_contain_text(f"{house.hub.url}/sms/FrontDesk/generic/status")
    await expect(card).to_contain_text(f"{world.customer.url}/pbx")
    await expect(card.get_by_role("button", name="Copy Receiving URL of FrontDesk")).to_be_visible()
    assert token not in await page.content(), "it is shown once"
    await house.axe(page)
    assert await answer(provider, sid, token) == 201

    await card.get_by_role("button", name="More for FrontDesk").click()
    await page.get_by_role("menuitem", name="New token").click()
    await page.get_by_role("dialog").get_by_label("The old one works for").select_option("0")
    await page.get_by_role("dialog").get_by_role("button", name="New token").click()
    second = await ready.get_by_label("Auth token").input_value()
    await ready.get_by_role("button", name="I have it").click()
    assert (await answer(provider, sid, token), await answer(provider, sid, second)) == (401, 201)

    await page.get_by_role("button", name="Rule for a number").click()
    rule = page.get_by_role("dialog", name="Where do texts to a number go?")
    await rule.get_by_label("Number").fill(SHOP)
    await rule.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text=SHOP)
    await expect(row).to_contain_text("FrontDesk")
    await row.get_by_role("button", name=f"More for {SHOP}").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await expect(row).to_have_count(0)

    await card.get_by_role("button", name="More for FrontDesk").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("No gateways yet")).to_be_visible()
    assert await answer(provider, sid, second) in (401, 404)
