"""What somebody sees who may see some lines only: their line's part of the overview and of a batch, and nothing that refuses them."""

import re

import pytest
from playwright.async_api import expect

from tests.acceptance.dashboard.house import House
from tests.acceptance.dashboard.test_conversations import MAYA, thread_with

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]


async def test_the_overview_and_batches_are_their_lines_part(house: House) -> None:
    world = await house.world()
    await world.add_phone("+12025550101", name="Front desk")
    lines = (await house.hub.api.get("/v1/lines")).json()["items"]
    mine, theirs = [line["id"] for line in lines]
    for line, name, texts in ((mine, "Reminder", 2), (theirs, "Open day", 3)):
        body = {
            "to": [f"+4477009001{n:02}" for n in range(texts)],
            "text": "Hello",
            "line_id": line,
            "batch_name": name,
        }
        assert (await house.hub.api.post("/v1/messages", json=body)).status_code == 202
    await house.invite("tom@northgate.example", "Tom Reed", line_ids=[mine])
    page = await house.signed_in("/overview", username="tom@northgate.example")
    await expect(page.get_by_role("main")).to_contain_text(re.compile(r"Accepted\s*2\b"))
    await expect(page.get_by_text("How long webhooks wait")).to_have_count(0)
    await house.open(page, "/messages/batches")
    await expect(page.get_by_role("link", name="Reminder")).to_be_visible()
    await expect(page.get_by_role("link", name="Open day")).to_have_count(0)
    await page.get_by_role("link", name="Reminder").click()
    await expect(page.get_by_text("2 of 2")).to_be_visible()
    await house.axe(page)


async def test_who_may_only_read_is_refused_nothing_and_asked_for_nothing(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Hello")
    thread = await thread_with(house, MAYA)
    (line,) = (await house.hub.api.get("/v1/lines")).json()["items"]
    await house.invite("sam@northgate.example", "Sam Hill", "read_only", line_ids=[line["id"]])
    page = await house.signed_in(f"/conversations/{thread['id']}", username="sam@northgate.example")
    await expect(page.get_by_text("Your role reads texts.")).to_be_visible()
    await expect(page.get_by_role("navigation", name="Sections").get_by_text("Read only")).to_be_visible()
    await house.open(page, "/overview")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await expect(page.get_by_role("heading", name="Your hub is running")).to_have_count(0)
