"""Webhooks, keys, the stream and the reference, in a real browser at a real hub."""

import httpx
import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.house import NARROW, WIDE, House, Size, Theme, settled
from tests.acceptance.processes import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]
MAYA = "+447700900142"


async def test_a_webhook_fails_its_log_says_why_it_is_mended_and_replayed(house: House) -> None:
    world = await house.world()
    world.customer.status = 500
    hook = (await house.hub.api.get("/v1/webhooks")).json()["items"][0]["id"]
    changed = await house.hub.api.patch(
        f"/v1/webhooks/{hook}",
        json={"schedule": [1], "description": "Shop orders", "event_types": ["sms:received"]},
    )
    assert changed.status_code == 200, changed.text
    await world.customer_texts(MAYA, "Brilliant! Can I collect it?")
    page = await house.signed_in("/developers/webhooks")
    await page.get_by_role("link", name="Shop orders").click()
    await expect(page.get_by_text("Failing since").first).to_be_visible()
    await expect(page.get_by_text("Your server answered 500.")).to_be_visible()
    await page.get_by_role("button").filter(has_text="sms:received").click()
    await expect(page.get_by_text("The receiver answered 500, which is not a success.")).to_be_visible()
    await expect(page.get_by_role("region", name="Request")).to_contain_text("Brilliant! Can I collect it?")
    await expect(page.get_by_role("region", name="Request")).to_contain_text("webhook-id")
    await expect(page.get_by_text("Your server thinks")).to_be_visible()
    await expect(page.get_by_role("button").filter(has_text="Ended").filter(has_text="sms:received")).to_be_visible()
    await house.axe(page)

    world.customer.status = 204
    await page.get_by_role("button", name="Replay…").click()
    dialog = page.get_by_role("dialog", name="Replay events")
    await dialog.get_by_role("button", name="Replay").click()
    await expect(dialog.get_by_text("1 taken")).to_be_visible()
    await dialog.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("button").filter(has_text="204").filter(has_text="sms:received")).to_be_visible()
    await world.webhooks_arrived("sms:received", 1)


async def test_a_webhook_is_made_tested_paused_and_removed(house: House) -> None:
    world = await house.world()
    world.customer.secret = ""
    page = await house.signed_in("/developers/webhooks/new")
    await page.get_by_label("Address").fill(world.customer.url)
    await page.get_by_label("Name", exact=True).fill("Till")
    await page.get_by_label("sms:delivered").check()
    await page.get_by_text("Format", exact=True).first.click()
    await page.get_by_label("Template").fill("{text: data.")
    await page.get_by_role("button", name="Try it").click()
    house.expected("status of 422")
    await expect(page.locator("#template-more.wrong")).to_be_visible()
    await page.get_by_label("Template").fill("{words: data.text}")
    await page.get_by_role("button", name="Try it").click()
    await expect(page.get_by_role("region", name="What is sent")).to_contain_text('"words"')
    await page.get_by_role("button", name="Make webhook").click()
    dialog = page.get_by_role("dialog", name="The signing secret")
    secret = await dialog.get_by_label("The signing secret").input_value()
    assert secret.startswith("whsec_")
    await dialog.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("heading", name="Till")).to_be_visible()
    assert secret not in await page.content()

    await page.get_by_role("button", name="Send test").click()
    test = page.get_by_role("dialog", name="Send a test event")
    await test.get_by_role("button", name="Send it").click()
    await expect(test.get_by_text("Your server took it.")).to_be_visible()
    assert '"words"' in world.customer.received[-1][2].decode()
    await test.get_by_role("button", name="Done").click()
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_role("button", name="Go on").click()
    resume = page.get_by_role("dialog")
    await resume.get_by_label("Drop them").check()
    await resume.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    await page.get_by_role("button", name="More", exact=True).click()
    for name in ("Pause", "Replay…"):
        await expect(page.get_by_role("menuitem", name=name)).to_be_visible()
    await page.keyboard.press("Escape")
    house.expected("status of 404")  # what was being read when it was removed
    await page.get_by_role("button", name="More", exact=True).click()
    await page.get_by_role("menuitem", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("link", name="Till")).to_have_count(0)


async def test_a_key_is_shown_once_works_is_rotated_and_revoked(house: House) -> None:
    sent = await house.hub.api.post("/v1/messages", json={"to": "+447700900142", "text": "Hello"})
    page = await house.signed_in("/developers/keys")
    await page.get_by_role("button", name="New key").first.click()
    form = page.get_by_role("dialog", name="New key")
    await form.get_by_label("Name").fill("Till")
    await form.get_by_role("button", name="Make key").click()
    shown = page.get_by_role("dialog", name="Your new key")
    key = await shown.get_by_label("Till").input_value()
    await shown.get_by_role("button", name="I have it").click()
    assert key not in await page.content(), "it is shown once"

    async def answer(given: str) -> int:
        async with httpx.AsyncClient(base_url=house.hub.url) as http:
            return (await http.get("/v1/messages", headers={"Authorization": f"Bearer {given}"})).status_code

    assert await answer(key) == 200
    await house.open(page, "/developers/samples")
    await expect(page.get_by_text("hub_YOUR_KEY").first).to_be_visible()
    await expect(page.get_by_role("region", name="Send a text", exact=True)).to_contain_text(
        f"{house.hub.url}/v1/messages"
    )
    await expect(page.get_by_role("region", name="See what became of it", exact=True)).to_contain_text(
        f"{house.hub.url}/v1/messages/{sent.json()['results'][0]['message_id']}/timeline"
    )
    await house.open(page, "/developers/keys")
    await page.get_by_role("button", name="More: Till").click()
    await page.get_by_role("menuitem", name="Rotate").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    second = await shown.get_by_label("Till").input_value()
    await shown.get_by_role("button", name="I have it").click()
    assert (await answer(key), await answer(second)) == (200, 200), "both work during the overlap"
    row = page.get_by_role("row").filter(has_text=second[-4:])
    await row.get_by_role("button", name="More: Till").click()
    await page.get_by_role("menuitem", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row).to_have_count(0)
    assert await answer(second) == 401
    await page.get_by_role("switch", name="Show ended keys").click()
    await expect(row.get_by_text("Revoked")).to_be_visible()


async def test_events_come_in_live_are_held_and_opened(house: House) -> None:
    world = await house.world()
    page = await house.signed_in("/developers/stream")
    await expect(page.get_by_text("Live, up to date").first).to_be_visible()
    await world.customer_texts(MAYA, "first words")
    await expect(page.get_by_text("first words")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()
    await world.customer_texts(MAYA, "second words")
    await expect(page.get_by_text("1 event held")).to_be_visible()
    await expect(page.get_by_text("second words")).to_have_count(0)
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_text("second words").click()
    await expect(page.get_by_role("region", name="Event")).to_contain_text('"sms:received"')
    await page.get_by_label("Events").select_option("sms:delivered")
    await expect(page.get_by_role("button").filter(has_text="second words")).to_have_count(0)


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", NARROW)])
async def test_axe_finds_nothing_on_the_pages_of_developers(house: House, theme: Theme, size: Size) -> None:
    world = await house.world()
    world.customer.status = 500
    await world.customer_texts(MAYA, "Hello")
    hook = (await house.hub.api.get("/v1/webhooks")).json()["items"][0]["id"]

    async def tried() -> str | None:
        items = (await house.hub.api.get("/v1/deliveries", params={"webhook_id": hook})).json()["items"]
        return next((item["id"] for item in items if item["last_try"]), None)

    delivery = await eventually("a delivery was tried", tried)
    paths = (
        "/developers/webhooks", f"/developers/webhooks/{hook}?d={delivery}", f"/developers/webhooks/{hook}/edit",
        "/developers/keys", "/developers/stream", "/developers/samples", "/developers/reference?op=send_message",
    )  # fmt: skip
    page = await house.signed_in("/developers/keys", theme=theme, size=size)
    for path in paths:
        await house.open(page, path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await settled(page)
        await house.axe(page)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{path} is wider than the window"
