"""Conversations in a real browser: texts out and in, failures put right, two people at once, a hub that goes away, hostile texts."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect

from android_emulator.radio_outcomes import CARRIER_REJECT
from tests.acceptance.dashboard.house import NARROW, House, Size, Theme, settled
from tests.acceptance.processes import eventually
from tests.acceptance.world import World

pytestmark = pytest.mark.anyio
MAYA, TOM = "+447700900142", "+447700900117"
DOWN = r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED|ERR_CONTENT_LENGTH_MISMATCH|503|502"


def texts(page: Page) -> Locator:
    """What the open thread shows."""
    return page.get_by_role("log")


def bubble(page: Page, words: str) -> Locator:
    """The bubble with these words."""
    return texts(page).get_by_role("article").filter(has_text=words)


async def write(page: Page, words: str) -> None:
    """Write and send by the keyboard."""
    field = page.get_by_placeholder("Text to")
    await field.fill(words)
    await field.press("Control+Enter")


async def thread_with(house: House, peer: str) -> dict[str, Any]:
    """The thread as the API tells it, once there is one."""

    async def found() -> dict[str, Any] | None:
        items = (await house.hub.api.get("/v1/threads", params={"peer": peer})).json()["items"]
        return items[0] if items else None

    return await eventually(f"a thread with {peer}", found)


async def open_thread(house: House, peer: str, *, size: Size = (1280, 800), theme: Theme = "light") -> Page:
    """Its page."""
    thread = await thread_with(house, peer)
    return await house.signed_in(f"/conversations/{thread['id']}", size=size, theme=theme)


async def two_lines(house: House) -> World:
    """Two phones whose lines are called by their phones."""
    world = await house.world()
    await world.add_phone("+12025550101", name="Front desk")
    for line in (await house.hub.api.get("/v1/lines")).json()["items"]:
        await house.hub.api.patch(f"/v1/lines/{line['id']}", json={"name": f"{line['device_name']} EE"})
    return world


async def test_M11_a_text_goes_out_and_its_reply_comes_in_while_one_looks(house: House) -> None:
    world = await house.world()
    page = await house.signed_in("/conversations")
    await page.keyboard.press("c")
    await page.get_by_label("Number or name").fill("07700 900142")
    await page.get_by_role("button", name="Write").click()
    await write(page, "Your wheel is ready.")
    await expect(bubble(page, "Your wheel is ready.")).to_contain_text("Delivered")
    await expect(bubble(page, "Your wheel is ready.")).to_have_count(1)
    assert world.air.sends()[(MAYA, "Your wheel is ready.")] == 1
    await world.customer_texts(MAYA, "On my way!")
    await expect(bubble(page, "On my way!")).to_be_visible()
    row = page.get_by_role("list", name="Threads").get_by_role("link")
    await expect(row).to_contain_text("On my way!")

    async def is_read() -> bool:
        return bool((await thread_with(house, MAYA))["unread"] == 0)

    await eventually("what is seen is read", is_read)
    await expect(row.get_by_role("img", name="unread text")).to_have_count(0)


async def test_a_text_that_failed_goes_by_another_sim(house: House) -> None:
    world = await two_lines(house)
    workshop, front = world.phones
    workshop.script.when(CARRIER_REJECT, text="card is fine")
    await world.customer_texts(MAYA, "Can I pay by card?")
    page = await open_thread(house, MAYA)
    await write(page, "Yes, card is fine.")
    failed = bubble(page, "Yes, card is fine.").first
    await expect(failed).to_contain_text("Not sent. The network refused it.")
    await expect(failed.get_by_role("button", name="Copy id")).to_be_visible()
    await failed.get_by_role("button", name="Front desk EE").click()
    await expect(bubble(page, "Yes, card is fine.")).to_have_count(2)
    await expect(bubble(page, "Yes, card is fine.").last).to_contain_text("Delivered")
    await expect(bubble(page, "Yes, card is fine.").last).to_contain_text("Front desk EE")
    await expect(failed).to_contain_text("Sent again")
    await expect(failed.get_by_role("button", name="Retry")).to_have_count(0)
    assert world.air.sends()[(MAYA, "Yes, card is fine.")] == 1, "only the second one left a phone"
    assert front.is_on


async def test_two_people_see_the_same_thread_live(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Hello?")
    await house.invite("tom@northgate.example", "Tom Reed")
    ines = await open_thread(house, MAYA)
    thread = await thread_with(house, MAYA)
    tom = await house.signed_in(f"/conversations/{thread['id']}", username="tom@northgate.example")
    await expect(bubble(tom, "Hello?")).to_be_visible()
    await write(ines, "Hello Maya, it is ready.")
    for page in (ines, tom):
        await expect(bubble(page, "it is ready")).to_contain_text("Delivered")
        await expect(bubble(page, "it is ready")).to_have_count(1)
    await world.customer_texts(MAYA, "Thanks both")
    for page in (ines, tom):
        await expect(bubble(page, "Thanks both")).to_have_count(1)
    await tom.keyboard.press("Escape")
    await tom.get_by_role("list", name="Threads").get_by_role("link").click()
    await expect(bubble(tom, "Thanks both")).to_be_visible()
    await tom.keyboard.press("e")
    await expect(tom.get_by_text("Thread archived")).to_be_visible()
    await expect(ines.get_by_text("No conversations yet")).to_be_visible()


async def test_a_hub_that_comes_back_leaves_nothing_missing_and_nothing_doubled(house: House) -> None:
    house.expected(DOWN)
    world = await house.world()
    await world.customer_texts(MAYA, "Before")
    page = await open_thread(house, MAYA)
    await expect(bubble(page, "Before")).to_be_visible()
    house.hub.kill()
    await expect(page.get_by_text("Connecting again.")).to_be_visible()
    await world.customer_texts(MAYA, "While it was away")
    await write(page, "Kept for you")
    await expect(bubble(page, "Kept for you")).to_contain_text("Kept in this browser")
    await house.hub.started()
    await expect(page.get_by_text("Live, up to date")).to_be_visible(timeout=60_000)
    await expect(bubble(page, "While it was away")).to_be_visible(timeout=60_000)
    await expect(bubble(page, "Kept for you")).to_contain_text("Delivered", timeout=60_000)
    for words in ("Before", "While it was away", "Kept for you"):
        await expect(bubble(page, words)).to_have_count(1)
    assert world.air.sends()[(MAYA, "Kept for you")] == 1


async def test_texts_of_others_are_shown_and_never_run(house: House) -> None:
    world = await house.world()
    hostile = [
        "<img src=x onerror=alert(1)><b>bold</b>",
        "{@html '<i>x</i>'} ${1+1} {{7*7}}",
        "javascript:alert(1) https://good.example/path?q=<script>",
        "abc\u202e\u2066gpj.exe",
        "pay\u200bpal\u200b",
        "مرحبا كيف حالك؟ order 42",
        "👩\u200d👩\u200d👧 🏳️\u200d🌈 e\u0301\u0301\u0301",
        "W" * 300,
    ]
    for words in hostile:
        await world.customer_texts(MAYA, words)
    await world.inbound_arrived()
    page = await open_thread(house, MAYA)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await expect(bubble(page, "<b>bold</b>")).to_be_visible()
    await expect(texts(page).locator("img:not([role]), b, i, script")).to_have_count(0)
    await expect(texts(page).get_by_role("link")).to_have_count(1)
    await expect(texts(page).get_by_role("link")).to_have_attribute("rel", "noopener noreferrer nofollow external")
    await expect(texts(page).get_by_role("img", name="invisible sign: zero-width space")).to_have_count(2)
    await expect(texts(page).get_by_role("img", name="invisible sign: right-to-left override")).to_have_count(1)
    await expect(bubble(page, "👩\u200d👩\u200d👧")).to_be_visible()
    width = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "nothing is wider than the window"
    pane = await texts(page).evaluate("pane => [pane.scrollWidth, pane.clientWidth]")
    assert pane[0] <= pane[1]
    assert not dialogs


async def test_the_keyboard_does_it_all(house: House) -> None:
    world = await house.world()
    await world.customer_texts(TOM, "First")
    await world.inbound_arrived()
    await world.customer_texts(MAYA, "Second")
    await world.inbound_arrived()
    page = await house.signed_in("/conversations")
    await expect(page.get_by_role("list", name="Threads").get_by_role("link")).to_have_count(2)
    await page.keyboard.press("j")
    await expect(bubble(page, "Second")).to_be_visible()
    await page.keyboard.press("j")
    await expect(bubble(page, "First")).to_be_visible()
    await page.keyboard.press("k")
    await expect(bubble(page, "Second")).to_be_visible()
    await page.keyboard.press("e")
    await expect(page.get_by_role("list", name="Threads").get_by_role("link")).to_have_count(1)
    await page.keyboard.press("z")
    await expect(page.get_by_role("list", name="Threads").get_by_role("link")).to_have_count(2)
    await page.keyboard.press("r")
    await expect(page.get_by_placeholder("Text to")).to_be_focused()
    await page.keyboard.type("jke")
    await expect(page.get_by_placeholder("Text to")).to_have_value("jke")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Next failed text")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await page.keyboard.type("900 117")
    await expect(page.get_by_role("option", name="+44 7700 900 117")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(bubble(page, "First")).to_be_visible()


async def test_keys_pressed_before_the_page_is_there_wait_for_it_and_do_one_thing(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Is it ready?")
    await world.inbound_arrived()
    page = await house.signed_in("/settings/browser", has_worker=False)
    pressed = asyncio.Event()

    async def late(route: Route) -> None:
        await pressed.wait()
        await route.continue_()

    await page.route("**/assets/Conversations-*.js", late)
    await page.keyboard.press("g")
    await page.keyboard.press("c")
    await expect(page.locator("#main")).to_have_attribute("aria-busy", "true")
    for key in "cemma":  # a new text, to a name: not one to archive, one to mute
        await page.keyboard.press(key)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    pressed.set()
    await expect(page.get_by_label("Number or name")).to_be_focused()
    await expect(page.get_by_label("Number or name")).to_have_value("")
    await page.get_by_label("Number or name").press("Escape")
    await expect(page.get_by_role("list", name="Threads").get_by_role("link")).to_have_count(1)
    await expect(page.get_by_text("Thread archived")).to_have_count(0)


async def test_a_text_is_found_in_its_thread_and_shown_in_its_place(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "My ticket is 4471")
    await world.inbound_arrived()
    await world.customer_texts(TOM, "Mine is 4471 too")
    await world.inbound_arrived()
    page = await open_thread(house, MAYA)
    await page.get_by_role("button", name="More", exact=True).first.click()
    await page.get_by_role("menuitem", name="Search in this thread").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Words")).to_be_focused()
    await page.keyboard.type("nowhere")
    await expect(dialog.get_by_text("No text here has these words.")).to_be_visible()
    await dialog.get_by_label("Words").fill("4471")
    results = dialog.get_by_role("list", name="Texts that were found").get_by_role("button")
    await expect(results).to_have_count(1)
    await house.axe(page)
    await results.click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page).to_have_url(re.compile(r"\?m=msg_"))
    await expect(bubble(page, "My ticket is 4471")).to_be_visible()


async def test_stop_closes_the_composer_and_a_person_can_open_it_again(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Hi")
    page = await open_thread(house, MAYA)
    await expect(page.get_by_placeholder("Text to")).to_be_visible()
    await world.customer_texts(MAYA, "STOP")
    await expect(page.get_by_text("You cannot text this number: it sent STOP")).to_be_visible()
    await expect(page.get_by_placeholder("Text to")).to_have_count(0)
    await expect(texts(page).get_by_text("Opted out with “STOP”")).to_be_visible()
    await page.get_by_role("button", name="What can I do?").click()
    await page.get_by_role("button", name="They asked to hear from us again").click()
    await expect(page.get_by_placeholder("Text to")).to_be_visible()


async def test_the_composer_says_what_a_text_costs_and_puts_it_right(house: House) -> None:
    world = await two_lines(house)
    await world.customer_texts(MAYA, "Hi")
    page = await open_thread(house, MAYA)
    await expect(page.get_by_text("Last in touch with this one")).to_be_visible()
    await page.get_by_placeholder("Text to").fill(
        "We’ll keep it at the front desk. Bring the ticket or just give your name, please."
    )
    await expect(page.get_by_text("2 segments")).to_be_visible()
    await page.get_by_role("button", name="Use a plain '").click()
    await expect(page.get_by_placeholder("Text to")).to_have_value(
        "We'll keep it at the front desk. Bring the ticket or just give your name, please."
    )
    await expect(page.get_by_text("GSM-7")).to_be_visible()
    await page.get_by_role("button", name="Send from").click()
    await page.get_by_role("menuitemradio", name="Front desk EE").click()
    await expect(page.get_by_text("You chose it")).to_be_visible()
    await page.get_by_role("button", name="Schedule").click()
    await page.get_by_role("button", name="Tomorrow 9:00").click()
    await page.get_by_role("button", name="Use this time").click()
    await expect(page.get_by_text("Goes tomorrow at 09:00")).to_be_visible()
    await page.get_by_placeholder("Text to").press("Control+Enter")
    await expect(bubble(page, "We'll keep it")).to_contain_text("Scheduled")
    assert world.air.sends()[(MAYA, "We'll keep it at the front desk.")] == 0
    snippet = {"name": "Ready", "text": "Hello {name}, it is ready."}
    assert (await house.hub.api.post("/v1/snippets", json=snippet)).status_code == 201
    await page.get_by_role("button", name="Snippet").click()
    await page.get_by_role("dialog").get_by_role("button", name="Ready").click()
    await expect(page.get_by_placeholder("Text to")).to_be_focused()
    await expect(page.get_by_placeholder("Text to")).to_have_value("Hello, it is ready.")


async def test_a_contact_is_named_where_it_is_read(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "Hi")
    page = await open_thread(house, MAYA)
    card = page.get_by_role("complementary", name="Contact")
    await card.get_by_role("button", name="Add a name").click()
    await expect(card.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("Maya Okafor")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("list", name="Threads")).to_contain_text("Maya Okafor")
    await card.get_by_role("button", name="Add notes").click()
    await card.get_by_label("Notes").fill("Prefers Saturdays.")
    await card.get_by_role("button", name="Save").click()
    await card.get_by_role("button", name="Tag", exact=True).click()
    await expect(card.get_by_label("New tag")).to_be_focused()
    await page.keyboard.type("Regular")
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("Prefers Saturdays.")
    await expect(card.get_by_label("Remove the tag Regular")).to_be_visible()
    await page.reload()
    await settled(page)
    await expect(card).to_contain_text("Regular")
    await page.get_by_role("searchbox").fill("okaf")
    await expect(page.get_by_role("list", name="Threads").get_by_role("link")).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (1000, 700), NARROW])
async def test_everybody_can_use_it(house: House, theme: Theme, size: Size) -> None:
    world = await two_lines(house)
    world.phones[0].script.when(CARRIER_REJECT, text="refused")
    world.phones[1].script.when(CARRIER_REJECT, text="refused")
    await world.customer_texts(MAYA, "Is it ready? https://example.com/7")
    await world.customer_texts(TOM, "STOP")
    await world.send(MAYA, "This one is refused.")
    await world.settled("failed")
    page = await open_thread(house, MAYA, size=size, theme=theme)
    await expect(bubble(page, "This one is refused.")).to_contain_text("Retry")
    await page.get_by_placeholder("Text to").fill("It’s ready")
    await house.axe(page)
    await house.open(page, "/conversations")
    await expect(page.get_by_role("list", name="Threads").get_by_role("link")).to_have_count(2)
    await house.axe(page)
    if size == NARROW:
        tabs = page.get_by_role("navigation", name="Sections").get_by_role("link")
        for box in [await tab.bounding_box() for tab in await tabs.all()]:
            assert box is not None
            assert box["height"] >= 44
