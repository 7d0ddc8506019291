"""Settings in a real browser: the account, the people, this browser."""

import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.house import NARROW, PASSWORD, House, settled

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]


async def test_quiet_hours_and_the_country_are_set_for_everybody(house: House) -> None:
    page = await house.signed_in("/settings")
    await page.get_by_label("Default country").select_option("DE")
    await page.get_by_role("switch", name="Quiet hours").click()
    await page.get_by_label("From").fill("20:30")
    await page.get_by_label("Texts and conversations").select_option(label="Another number of days…")
    await page.get_by_label("Days").fill("366")
    await expect(page.get_by_text("from 1 to 365: this hub keeps nothing longer.")).to_be_visible()
    await expect(page.get_by_role("button", name="Save")).to_be_disabled()
    await page.get_by_label("Days").fill("45")
    await house.axe(page)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved")).to_be_visible()
    account = (await house.hub.api.get("/v1/account")).json()
    assert account["settings"]["quiet_hours"] == {"starts": "20:30", "ends": "08:00"}
    assert account["effective"]["default_region"] == "DE"
    assert account["settings"]["keep_messages_days"] == 45
    await page.reload()
    await settled(page)
    await expect(page.get_by_label("From")).to_have_value("20:30")
    await expect(page.get_by_label("Days")).to_have_value("45")


async def test_a_person_is_invited_by_a_link_and_comes_in_with_their_role(house: House) -> None:
    page = await house.signed_in("/settings/people")
    await page.get_by_role("button", name="Invite a person").click()
    await page.get_by_label("Name").fill("Max Otieno")
    await page.get_by_label("Signs in as").fill("max@northgate.example")
    await page.get_by_label("Role").select_option("read_only")
    await house.axe(page)
    await page.get_by_role("dialog").get_by_role("button", name="Invite a person").click()
    link = await page.get_by_role("dialog").locator("code").inner_text()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_text("Invited", exact=True)).to_be_visible()
    await house.axe(page)

    max_ = await house.page(size=NARROW)
    await max_.goto(link)
    await max_.get_by_label("Password").first.fill(PASSWORD)
    await max_.get_by_role("button", name="Save").click()
    await house.open(max_, "/settings")
    await house.log_in(max_, "max@northgate.example")
    await expect(max_.get_by_text("Only an admin changes this.")).to_be_visible()
    await expect(max_.get_by_role("link", name="People")).to_have_count(0)
    await expect(max_.get_by_role("button", name="Save")).to_have_count(0)

    house.expected("status of 403")  # what his page is told once he is not let in
    await page.get_by_role("button", name="More for Max Otieno").click()
    await page.get_by_role("menuitem", name="Do not let in").click()
    await expect(page.get_by_text("Not let in")).to_be_visible()
    await max_.reload()
    await settled(max_)
    await expect(max_.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_role("button", name="More for Max Otieno").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("max@northgate.example")).to_have_count(0)


async def test_single_keys_and_colours_are_this_browsers_own(house: House) -> None:
    page = await house.signed_in("/settings/browser")
    await page.get_by_role("tab", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    keys = page.get_by_role("switch", name="Single-key shortcuts")
    await keys.click()
    await page.get_by_role("heading", name="Settings").click()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await keys.click()
    await page.get_by_role("heading", name="Settings").click()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
