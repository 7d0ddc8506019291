"""Mailboxes in a real browser: made, written to, changed, given another address, removed."""

import re

import httpx
import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.house import House
from tests.acceptance.processes import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]
MAYA = "+447700900142"
MAIL = b"From: anna@example.org\r\nSubject: Bike\r\nMessage-ID: <%b@example.org>\r\n\r\nYour bike is ready.\r\n"


async def post(url: str, mail_id: bytes, key: str | None = None) -> int:
    """What the hub says to a mail that is posted to a mailbox."""
    headers = {"Content-Type": "message/rfc822"} | ({"Authorization": f"Bearer {key}"} if key else {})
    async with httpx.AsyncClient(timeout=20) as http:
        return (await http.post(url, params={"to": MAYA}, content=MAIL % mail_id, headers=headers)).status_code


async def test_a_mailbox_is_made_written_to_changed_renewed_and_removed(house: House) -> None:
    world = await house.world()
    house.expected("422")
    page = await house.signed_in("/developers/mailboxes")
    await page.get_by_role("button", name="New mailbox").first.click()
    form = page.get_by_role("dialog", name="New mailbox")
    await form.get_by_label("Name").fill("Anna")
    await form.get_by_label("Who may write to it").fill("nobody")
    await form.get_by_role("button", name="Make mailbox").click()
    await expect(form.get_by_role("alert")).to_be_visible()
    await form.get_by_label("Who may write to it").fill("bea@example.org")
    await house.axe(page)
    await form.get_by_role("button", name="Make mailbox").click()
    ready = page.get_by_role("dialog", name="Anna is ready")
    await ready.get_by_label("Number to text").fill("+44 7700 900142")
    address = ready.get_by_label("Write to")
    await expect(address).to_have_value(re.compile(r"\+447700900142@"))
    first = await ready.get_by_label("Or post mails to").input_value()
    await house.axe(page)
    await ready.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row").filter(has_text="Anna")
    await expect(row).to_contain_text("bea@example.org")
    assert first.rpartition("/")[2] not in await page.content(), "it is shown once"
    assert await post(first, b"1") == 403

    await row.get_by_role("button", name="More for Anna").click()
    await page.get_by_role("menuitem", name="Change").click()
    change = page.get_by_role("dialog", name="Anna")
    await change.get_by_label("Who may write to it").fill("bea@example.org, anna@example.org")
    await change.get_by_role("switch", name="Put the subject before the text").click()
    await change.get_by_role("switch", name="Only with a key").click()
    await change.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("subject first")
    await expect(row).to_contain_text("with a key")
    assert await post(first, b"2") == 401
    assert await post(first, b"2", house.hub.key) == 200

    async def is_on_air() -> bool:
        return any(to == MAYA and "Your bike is ready." in text for to, text in world.air.sends())

    await eventually("the mail is on the air", is_on_air)

    await row.get_by_role("button", name="More for Anna").click()
    await page.get_by_role("menuitem", name="New address").click()
    await page.get_by_role("dialog").get_by_role("button", name="New address").click()
    second = await ready.get_by_label("Or post mails to").input_value()
    await ready.get_by_role("button", name="I have it").click()
    assert (await post(first, b"3", house.hub.key), await post(second, b"4", house.hub.key)) == (401, 200)

    await row.get_by_role("button", name="More for Anna").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("No mailboxes yet")).to_be_visible()
    assert await post(second, b"5") == 401
