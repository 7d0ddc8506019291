"""Forwarding at a phone's SIM: set by webhook, seen failing, and stopped."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.house import House, settled
from tests.acceptance.dashboard.test_conversations import MAYA

pytestmark = pytest.mark.anyio


async def test_texts_of_a_sim_are_forwarded_seen_failing_and_no_more(house: House) -> None:
    world = await house.world()
    (line,) = (await house.hub.api.get("/v1/lines")).json()["items"]
    path = f"/v1/lines/{line['id']}/forwarding"
    house.expected("422")
    page = await house.signed_in(f"/phones/{line['device_id']}")
    await page.get_by_role("button", name="Forward inbound texts of").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    await dialog.get_by_label("They are").select_option("mail")
    await dialog.get_by_label("Mail address").fill("shop@example.org")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("HUB_SMTP_HOST")
    await dialog.get_by_label("They are").select_option("webhook")
    await dialog.get_by_label("Address of your server").fill(world.customer.url)
    await dialog.get_by_label("Time zone").fill("Europe/Rome")
    await house.axe(page)
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_text(world.customer.url)).to_be_visible()
    made = (await house.hub.api.get(path)).json()
    assert (made["url"], made["time_zone"]) == (world.customer.url, "Europe/Rome")
    # The customer's server takes webhooks signed as Standard Webhooks; a form is nothing it answers `+OK`.
    await world.customer_texts(MAYA, "Is it ready?")
    await expect(page.get_by_text("Failing. ")).to_be_visible(timeout=60_000)
    await expect(page.get_by_text("1 text waiting")).to_be_visible()
    await house.axe(page)
    # A rule of the number that names another place only.
    (hook,) = [
        one["id"]
        for one in (await house.hub.api.get("/v1/webhooks")).json()["items"]
        if one["id"] != made["webhook_id"]
    ]
    rule = {"number": line["number"], "webhook_ids": [hook]}
    assert (await house.hub.api.put("/v1/gateways/rules", json=rule)).status_code == 200
    await page.reload()
    await settled(page)
    await expect(page.get_by_text("Nothing comes here.")).to_be_visible()
    await house.axe(page)
    await page.get_by_role("button", name="Let the rule name it too").click()
    await expect(page.get_by_text("Nothing comes here.")).to_have_count(0)
    (rule,) = (await house.hub.api.get("/v1/gateways/rules")).json()["items"]
    assert rule["webhook_ids"] == [hook, made["webhook_id"]]
    await page.get_by_role("button", name="Change the forwarding of").click()
    await expect(dialog.get_by_text("1 text waits and goes the new way at once.")).to_be_visible()
    await dialog.get_by_role("button", name="Stop forwarding").click()
    await expect(dialog.get_by_text("1 text that waits is told no more.")).to_be_visible()
    await dialog.get_by_role("button", name="Stop forwarding").click()
    await expect(page.get_by_text("Are not forwarded")).to_be_visible()
    assert (await house.hub.api.get(path)).status_code == 404
