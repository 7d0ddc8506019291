"""The log, one text's story, and sending to a list, in a real browser at a real hub with an emulated phone."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.acceptance.dashboard.house import NARROW, WIDE, House, Size, Theme, settled
from tests.acceptance.processes import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]
MAYA, TOM, GONE = "+447700900142", "+447700900163", "+447700900177"
HOSTILE = '=HYPERLINK("http://evil")<img src=x onerror=alert(1)>'


async def test_a_text_is_found_told_hop_by_hop_and_exported(house: House, tmp_path: Path) -> None:
    world = await house.world()
    first = await world.send(MAYA, "Your bike is ready")
    await world.send(TOM, HOSTILE)
    await world.settled("delivered", "sent")
    await world.customer_texts(MAYA, "Brilliant")
    page = await house.signed_in("/messages")
    log = page.get_by_role("table", name="Messages")
    await expect(log.get_by_text("Brilliant")).to_be_visible()
    await expect(log.get_by_text(HOSTILE)).to_be_visible()
    await page.get_by_role("button", name="Received", exact=True).click()
    await expect(log.get_by_text("Your bike is ready")).to_have_count(0)
    await page.get_by_role("button", name="All", exact=True).click()
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Export CSV").click()
    path = tmp_path / "texts.csv"
    await (await started.value).save_as(path)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    assert {row["text"] for row in rows} == {"Your bike is ready", "'" + HOSTILE, "Brilliant"}

    await page.get_by_role("searchbox", name="Part of the text").fill("bike")
    await expect(log.get_by_text("Brilliant")).to_have_count(0)
    await expect(page).to_have_url(f"{house.hub.url}/ui/messages?text=bike")
    await log.get_by_text("Your bike is ready").click()
    await expect(page).to_have_url(f"{house.hub.url}/ui/messages/{first}")
    story = page.get_by_role("region", name="What happened")
    for stage in ("Accepted", "On phone", "Sent", "Delivered"):
        await expect(story.get_by_text(stage, exact=True).first).to_be_visible()
    await story.get_by_role("button").filter(has_text="network took it").click()
    raw = page.get_by_role("region", name="Raw event")
    await expect(raw).to_contain_text('"submission"')
    await page.get_by_role("switch", name="Every event").click()
    await expect(story.get_by_text("Offered to")).to_have_count(0)


async def test_a_phone_whose_clock_is_slow_does_not_turn_the_story_round(house: House) -> None:
    world = await house.world()
    message = await world.send(MAYA, "Your bike is ready")
    await world.settled("delivered")
    page = await house.signed_in("/settings/browser", has_worker=False)

    async def slow(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        for hop in body["items"]:
            if hop["kind"] in ("sent", "delivered"):
                hop["at"] = body["items"][0]["at"]
        await route.fulfill(response=answer, json=body)

    await page.route("**/v1/messages/*/timeline", slow)
    await house.open(page, f"/messages/{message}")
    stages = re.compile("^(Accepted|On phone|Sent|Delivered)$")
    shown = page.get_by_role("region", name="What happened").get_by_role("listitem").get_by_text(stages)
    await expect(shown).to_have_text(["Accepted", "On phone", "Sent", "Delivered"])


@pytest.mark.parametrize(("theme", "size"), [("light", (375, 812)), ("dark", (768, 1024))])
async def test_a_story_is_linked_and_saved_from_its_menu_where_there_is_no_room(
    house: House, theme: Theme, size: Size
) -> None:
    world = await house.world()
    message = await world.send(MAYA, "Your bike is ready")
    await world.settled("delivered", "sent")
    page = await house.signed_in(f"/messages/{message}", theme=theme, size=size)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    more = page.get_by_role("button", name="More", exact=True)
    if theme == "dark":  # as it is without HTTPS
        await page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not here')); }")
    await more.click()
    await page.get_by_role("menuitem", name="Copy link").click()
    await expect(page.get_by_text("Link copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == f"{house.hub.url}/ui/messages/{message}"
    await expect(more).to_be_focused()
    await more.click()
    await house.axe(page)
    async with page.expect_download() as started:
        await page.get_by_role("menuitem", name="JSON for support").click()
    saved = await started.value
    assert saved.suggested_filename == f"{message}.json"
    assert json.loads((await saved.path()).read_text())["message"]["id"] == message
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
    await expect(page.get_by_role("button", name="Open thread")).to_be_visible()
    await page.set_viewport_size({"width": 900, "height": 800})
    await expect(more).to_have_count(0)
    for name in ("Copy link", "JSON for support"):
        await expect(page.get_by_role("button", name=name)).to_be_visible()


async def test_a_new_text_appears_in_the_log_by_itself(house: House) -> None:
    world = await house.world()
    page = await house.signed_in("/messages")
    await expect(page.get_by_text("No texts yet")).to_be_visible()
    await world.customer_texts(MAYA, "Are you open?")
    await expect(page.get_by_text("Are you open?")).to_be_visible()


async def fill_in_the_list(page: Page, rows: str, text: str) -> None:
    """From the list to the check."""
    file = {"name": "autumn.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    await page.locator("input[type=file]").set_input_files([file])
    await expect(page.get_by_label("Column with the numbers")).to_be_visible()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("Text", exact=True).fill(text)
    await page.get_by_role("button", name="Next").click()


async def test_a_list_with_bad_rows_is_explained_row_by_row_and_sent_once(house: House) -> None:
    world = await house.world()
    await world.customer_texts(GONE, "STOP")
    await world.inbound_arrived()
    rows = f"name;mobile\r\nMaya;{MAYA}\r\nAnn;12ab\r\nTom;07700 900163\r\nMaya O;0044 7700 900142\r\nGus;{GONE}\r\n"
    page = await house.signed_in("/messages/bulk")
    await fill_in_the_list(page, rows, "Hello {name}, 20% off.")
    left_out = page.get_by_role("listitem")
    await expect(left_out.filter(has_text="Row 3 left out: '12ab' is not a phone number")).to_be_visible()
    await expect(left_out.filter(has_text="Row 5 left out: same number as row 2.")).to_be_visible()
    await expect(left_out.filter(has_text="Row 6 left out: this number asked to hear no more.")).to_be_visible()
    await expect(page.get_by_text("Ends about")).to_be_visible()
    await page.get_by_role("button", name="Send 2 texts").click()
    await expect(page.get_by_role("heading", name="autumn")).to_be_visible()
    await expect(page.get_by_text("2 of 2")).to_be_visible()
    await expect(page.get_by_text("same number as row 2.")).to_be_visible()
    expected = {(MAYA, "Hello Maya, 20% off."): 1, (TOM, "Hello Tom, 20% off."): 1}
    assert world.air.sends() == expected

    await house.open(page, "/messages/bulk")
    await fill_in_the_list(page, rows, "Hello {name}, 20% off.")
    await page.get_by_role("button", name="Send 2 texts").click()
    await expect(page.get_by_role("dialog")).to_contain_text("This list was sent before")
    await page.get_by_role("button", name="See that batch").click()
    await expect(page.get_by_text("2 of 2")).to_be_visible()
    assert world.air.sends() == expected


async def test_a_batch_is_paused_goes_on_and_is_cancelled_from_its_page(house: House) -> None:
    world = await house.world()
    for line in (await house.hub.api.get("/v1/lines")).json()["items"]:
        await house.hub.api.patch(f"/v1/lines/{line['id']}", json={"per_minute": 1})
    page = await house.signed_in("/messages/bulk")
    rows = "number\n" + "".join(f"+4477009002{n:02d}\n" for n in range(20))
    await fill_in_the_list(page, rows, "Ride on Sunday")
    await page.get_by_role("button", name="Send 20 texts").click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Go on")).to_be_visible()
    await house.axe(page)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.get_by_role("button", name="Cancel the rest").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel the rest").click()
    await expect(page.get_by_text("Cancelled").first).to_be_visible()

    async def ended() -> bool:
        batch = (await house.hub.api.get("/v1/batches")).json()["items"][0]
        return bool(batch["finished"] == 20)

    await eventually("every text of the batch has ended", ended)
    assert len(world.air.sends()) < 20


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", NARROW)])
async def test_axe_finds_nothing_on_the_pages_of_messages(house: House, theme: Theme, size: Size) -> None:
    world = await house.world()
    message = await world.send(MAYA, "Your bike is ready")
    await world.settled("delivered", "sent")
    made = (await house.hub.api.post("/v1/batches", json={"name": "Offer", "rows_expected": 2})).json()
    await house.hub.api.post(
        f"/v1/batches/{made['id']}/rows",
        json={"rows": [{"row": 1, "to": TOM, "text": "Hello"}, {"row": 2, "to": "x", "text": "Hello"}]},
    )
    page = await house.signed_in("/messages", theme=theme, size=size)
    for path in (
        "/messages",
        f"/messages/{message}",
        "/messages/batches",
        f"/messages/batches/{made['id']}",
        "/messages/bulk",
    ):
        await house.open(page, path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await settled(page)
        await house.axe(page)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{path} is wider than the window"
