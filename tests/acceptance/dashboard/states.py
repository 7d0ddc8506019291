"""What pages show once somebody does something there: dialogs, the composer's states, a hub that is away. For pictures.

A state begins at a path below /ui and is reached by a few keys and clicks; it says what it waits for before the picture is taken.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from PIL import Image
from playwright.async_api import FilePayload, Page, Route, expect

from android_emulator.inbound import Attachment
from tests.acceptance.dashboard.house import House
from tests.acceptance.dashboard.shop import CUSTOMERS, FRONT, REFUSED
from tests.acceptance.dashboard.test_phones_page import code_on, handset
from tests.acceptance.world import SHOP

Reach = Callable[[House, Page], Awaitable[None]]

PICTURES = "+447700900031"
"""The number of a phone whose app sends MMS."""
PRIYA, TOM, STOPPED = "+447700900163", "+447700900151", "+447700900188"
VCARD = b"BEGIN:VCARD\r\nFN:Priya\r\nEND:VCARD\r\n"
CURLY = "We’ll keep it at the front desk. Bring the ticket or just give your name, please."
LATER = """() => {
  const now = Date.now;
  Date.now = () => now() + 360_000;
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""The page is looked at again, six minutes later."""

EMPTY_ROUTES = {
    "empty-overview": "/overview",
    "empty-conversations": "/conversations",
    "empty-phones": "/phones",
    "empty-messages": "/messages",
    "empty-batches": "/messages/batches",
    "empty-webhooks": "/developers/webhooks",
    "empty-keys": "/developers/keys",
    "empty-gateways": "/developers/gateways",
    "empty-mailboxes": "/developers/mailboxes",
    "empty-stream": "/developers/stream",
    "empty-samples": "/developers/samples",
}
"""Pages of an account that has nothing yet."""

OPEN_STATES = {"sign-up": "/sign-up", "confirm": "/confirm#0", "confirm-no-secret": "/confirm"}
"""Pages without a session that need no shop."""


class State(NamedTuple):
    """Where it begins, and how it is reached."""

    path: str
    reach: Reach


def picture(width: int = 640, height: int = 420) -> bytes:
    """A PNG with something to see."""
    image = Image.new("RGB", (width, height), "#2f6f9f")
    image.paste("#d9b26f", (0, height * 2 // 3, width, height))
    image.paste("#f4f1e8", (width // 4, height // 4, width // 2, height * 3 // 4))
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


async def furnish_more(house: House) -> None:
    """What the shop needs for these states: attachments, a mailbox, forwarding that fails, snippets, somebody who said STOP."""
    world = await house.world()
    able = await world.add_phone(PICTURES, name="Picture phone", sends_mms=True)
    api = house.hub.api
    lines = {line["number"]: line["id"] for line in (await api.get("/v1/lines")).json()["items"]}
    await api.patch(f"/v1/lines/{lines[PICTURES]}", json={"name": "Pictures Three"})
    told = Attachment("image/png", picture(), "bike.png"), Attachment("text/vcard", VCARD, "priya.vcf")
    program = Attachment("application/x-sh", b"MZ\x90\x00", "run-this-on-the-computer-of-the-workshop.exe")
    words = "This is the one I mean. Can you have it ready?"
    world.inbound.append((PRIYA, words))
    await able.receive_mms(PRIYA, *told, program, text=words)
    stored = (await api.post("/v1/media?name=offer.png", content=picture(320, 480), headers=_PNG)).json()
    sent = {"to": PRIYA, "text": "Yes! It would look like this.", "media": [stored["id"]]}
    answer = await api.post("/v1/messages", json=sent)
    assert answer.status_code == 202, answer.text
    await world.customer_texts(STOPPED, "Please do not text me.", world.phones[1])
    await world.customer_texts(STOPPED, "STOP", world.phones[1])
    for name, text in (
        ("Ready", "Hello {name}, your bicycle is ready."),
        ("Hours", "We are open from nine to six. " * 6),
    ):
        assert (await api.post("/v1/snippets", json={"name": name, "text": text})).status_code == 201
    box = {"name": "Alarm system", "allowed_senders": ["alarm@northgate.example", "@security.example"]}
    assert (await api.post("/v1/mailboxes", json=box)).status_code == 201
    way = {"way": "webhook", "url": "http://127.0.0.1:9/inbound/of/the/shop", "time_zone": "Europe/London"}
    assert (await api.put(f"/v1/lines/{lines[SHOP]}/forwarding", json=way)).status_code < 300
    await world.customer_texts("+447700900197", "Is anybody there?")
    await world.inbound_arrived()


_PNG = {"Content-Type": "image/png"}


# --- how each is reached ---


def click(*names: str) -> Reach:
    """Press these buttons or menu entries, one after the other, then wait for a dialog."""

    async def reach(_: House, page: Page) -> None:
        for name in names:
            await page.get_by_role("button", name=name).or_(page.get_by_role("menuitem", name=name)).first.click()
        await expect(page.get_by_role("dialog").first).to_be_visible()

    return reach


def press(keys: str) -> Reach:
    """Press these keys, and wait for the dialog they open."""

    async def reach(_: House, page: Page) -> None:
        await page.keyboard.press(keys)
        await expect(page.get_by_role("dialog").first).to_be_visible()

    return reach


def written(words: str, shown: str) -> Reach:
    """Write these words, and wait for these others."""

    async def reach(_: House, page: Page) -> None:
        await page.get_by_placeholder("Text to").fill(words)
        await expect(page.get_by_text(shown).first).to_be_visible()

    return reach


async def scheduled(_: House, page: Page) -> None:
    await page.get_by_placeholder("Text to").fill("We close at four on Sunday.")
    await page.get_by_role("button", name="Schedule").first.click()
    await page.get_by_role("button", name="Monday 9:00").click()
    await page.get_by_role("button", name="Use this time").click()
    await expect(page.get_by_text("Goes ")).to_be_visible()


async def sender_menu(_: House, page: Page) -> None:
    await page.locator(".from").get_by_role("button").click()
    await expect(page.get_by_role("menu")).to_be_visible()


async def new_snippet(house: House, page: Page) -> None:
    await click("Snippet", "New snippet")(house, page)
    await expect(page.get_by_role("textbox", name="Name", exact=True)).to_be_visible()


def _file(name: str, type_: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": type_, "buffer": content}


async def _attach(page: Page, *files: FilePayload) -> None:
    await page.locator("input[type=file]").set_input_files(list(files))


async def attached(_: House, page: Page) -> None:
    await page.get_by_placeholder("Text to").fill("Here is how it will look.")
    await _attach(
        page,
        _file("bike.png", "image/png", picture()),
        _file("price-list-of-the-whole-workshop-2026.pdf", "application/pdf", b"%PDF-1.4" * 20_000),
        _file("priya.vcf", "text/vcard", VCARD),
        _file("page.html", "text/html", b"<p>"),
    )
    await expect(page.get_by_text("1 MMS")).to_be_visible()
    await expect(page.get_by_text("left out")).to_be_visible()
    await expect(page.get_by_text("Uploading")).to_have_count(0)


async def attach_failed(_: House, page: Page) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=503, json={"code": "unavailable", "detail": "The hub cannot store now."})

    await page.route("**/v1/media*", refuse)
    await _attach(page, _file("bike.png", "image/png", picture()))
    await expect(page.get_by_text("The hub cannot store now.")).to_be_visible()


async def attach_not(_: House, page: Page) -> None:
    await page.locator(".from").get_by_role("button").click()
    await page.get_by_role("menuitemradio", name="Workshop O2").click()
    attach = page.get_by_role("button", name="Attach")
    await expect(attach).to_have_attribute("aria-disabled", "true")
    await attach.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("cannot send attachments")).to_be_visible()


async def thread_search(_: House, page: Page) -> None:
    await page.get_by_role("button", name="More", exact=True).first.click()
    await page.get_by_role("menuitem", name="Search in this thread").click()
    await page.get_by_label("Words").fill("e")
    await expect(page.get_by_role("list", name="Texts that were found").get_by_role("button").first).to_be_visible()


async def new_text(_: House, page: Page) -> None:
    await page.keyboard.press("c")
    await page.get_by_label("Number or name").fill("+44770090")
    await expect(page.get_by_role("list", name="Known").get_by_role("button").first).to_be_visible()


async def key_made(house: House, page: Page) -> None:
    await click("New key")(house, page)
    await page.get_by_role("dialog").get_by_label("Name").fill("Booking system")
    await page.get_by_role("button", name="Make key").click()
    await expect(page.get_by_role("dialog", name="Your new key")).to_be_visible()


async def mailbox_wrong(house: House, page: Page) -> None:
    await click("New mailbox")(house, page)
    await page.get_by_role("dialog").get_by_label("Name").fill("Anna")
    await page.get_by_label("Who may write to it").fill("nobody")
    await page.get_by_role("button", name="Make mailbox").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()


async def mailbox_ready(house: House, page: Page) -> None:
    await click("New mailbox")(house, page)
    await page.get_by_role("dialog").get_by_label("Name").fill("Anna")
    await page.get_by_label("Who may write to it").fill("anna@northgate.example")
    await page.get_by_role("button", name="Make mailbox").click()
    await page.get_by_role("dialog", name="Anna is ready").get_by_label("Number to text").fill("+44 7700 900142")


async def forwarding(_: House, page: Page) -> None:
    shown = page.get_by_text("Failing. ")
    await expect(shown).to_be_visible(timeout=60_000)
    await shown.scroll_into_view_if_needed()


async def forward_wrong(house: House, page: Page) -> None:
    await click("Forward inbound texts of")(house, page)
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("They are").select_option("mail")
    await dialog.get_by_label("Mail address").fill("shop@northgate.example")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_be_visible()


async def forward_stop(house: House, page: Page) -> None:
    await click("Change the forwarding of", "Stop forwarding")(house, page)
    await expect(page.get_by_text("told no more").or_(page.get_by_text("told nowhere else"))).to_be_visible()


def phone_dialog(entry: str) -> Reach:
    """A dialog from the phone's menu."""

    async def reach(_: House, page: Page) -> None:
        await page.get_by_role("button", name="More for").first.click()
        await page.get_by_role("menuitem", name=entry).click()
        await expect(page.get_by_role("dialog")).to_be_visible()

    return reach


async def typed(_: House, page: Page) -> None:
    await page.get_by_role("button", name="Type an address instead").click()
    await expect(page.get_by_role("heading", name="Type this into SMS Gateway")).to_be_visible()


def webhook_menu(entry: str) -> Reach:
    """A dialog from the webhook's menu."""

    async def reach(_: House, page: Page) -> None:
        await page.get_by_role("button", name="More", exact=True).click()
        await page.get_by_role("menuitem", name=entry).click()
        await expect(page.get_by_role("dialog")).to_be_visible()

    return reach


async def second_factor(_: House, page: Page) -> None:
    await page.get_by_role("button", name="Turn on").click()
    await page.get_by_label("Type your password first").fill("four words are easy")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("img", name="QR code with the key")).to_be_visible()


async def contact(_: House, page: Page) -> None:
    card = page.get_by_role("complementary", name="Contact").or_(page.get_by_role("dialog"))
    if not await card.is_visible():
        await page.keyboard.press("i")
    await expect(card.get_by_text("Texts by SIM")).to_be_visible()


async def bypassed(house: House, page: Page) -> None:
    """The front desk's number has a rule; its forwarding is not in it."""
    (line,) = [one for one in (await house.hub.api.get("/v1/lines")).json()["items"] if one["number"] == FRONT]
    way = {"way": "webhook", "url": "http://127.0.0.1:9/front", "time_zone": "Europe/London"}
    assert (await house.hub.api.put(f"/v1/lines/{line['id']}/forwarding", json=way)).status_code == 200
    await page.reload()
    await expect(page.get_by_text("Nothing comes here.")).to_be_visible()


async def held_batch(house: House, page: Page) -> None:
    """A batch under way, held after its first texts."""
    for line in (await house.hub.api.get("/v1/lines")).json()["items"]:
        await house.hub.api.patch(f"/v1/lines/{line['id']}", json={"per_minute": 1})
    await checked(house, page)
    await page.get_by_role("button", name="Send ").click()
    again = page.get_by_role("button", name="Send all of it again")
    await expect(again.or_(page.get_by_role("button", name="Pause"))).to_be_visible()
    if await again.is_visible():
        await again.click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Go on")).to_be_visible()


async def toasted(_: House, page: Page) -> None:
    await page.keyboard.press("m")
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()


async def scanned(house: House, page: Page) -> None:
    """A phone has read the code, and its owner has given the app half of what it needs."""
    world = await house.world()
    phone = handset(f"+4477009004{len(world.phones):02}")
    world.phones.append(phone)
    await phone.switch_on()
    await phone.enrol(await code_on(page))
    await expect(page.get_by_text("2 of 4 given.")).to_be_visible()


async def ready(house: House, page: Page) -> None:
    await scanned(house, page)
    phone = (await house.world()).phones[-1]
    phone.set_permission("receive_sms", is_granted=True)
    phone.set_permission("battery_exemption", is_granted=True)
    await expect(page.get_by_role("button", name="Send test text")).to_be_visible()


async def listed(_: House, page: Page) -> None:
    rows = "name;mobile;ticket\n" + "\n".join(f"Ann {n};07700 9005{n:02};{4400 + n}" for n in range(30))
    rows += f"\nMaya;{next(iter(CUSTOMERS))};4471\nMaya O;0044 7700 900142;4472\nTim;12ab;4473\nGus;{STOPPED};4474\n"
    await page.locator("input[type=file]").set_input_files([_file("autumn.csv", "text/csv", rows.encode())])
    await expect(page.get_by_label("Column with the numbers")).to_be_visible()


async def worded(house: House, page: Page) -> None:
    await listed(house, page)
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("Text", exact=True).fill("Hello {name}, your bicycle ({ticket}) is ready.")


async def checked(house: House, page: Page) -> None:
    await worded(house, page)
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_text("Ends about")).to_be_visible()


async def chosen_event(_: House, page: Page) -> None:
    await page.get_by_role("button").filter(has_text="sms:failed").first.click()
    await expect(page.get_by_role("region", name="Event")).to_be_visible()


async def chosen_delivery(_: House, page: Page) -> None:
    await page.get_by_role("button").filter(has_text="sms:received").first.click()
    await expect(page.get_by_role("region", name="Request")).to_be_visible()


async def replay(_: House, page: Page) -> None:
    button = page.get_by_role("button", name="Replay…")
    if not await button.is_visible():
        await page.get_by_role("button", name="More", exact=True).click()
        button = page.get_by_role("menuitem", name="Replay…")
    await button.click()
    await expect(page.get_by_role("dialog", name="Replay events")).to_be_visible()


async def ended(house: House, page: Page) -> None:
    """The customer's server said 410: the webhook is switched off, and what comes is held."""
    world = await house.world()
    world.customer.status = 410
    await world.customer_texts(TOM, "Are you still open?")
    await page.get_by_role("button", name="Go on").first.click()
    await expect(page.get_by_role("dialog")).to_be_visible()


async def updated(_: House, page: Page) -> None:
    async def another(route: Route) -> None:
        built = await route.fetch()
        body = (await built.text()).replace("/ui/assets/index-", "/ui/assets/index-new-")
        await route.fulfill(response=built, body=body)

    await page.route("**/ui/", another)
    await page.evaluate(LATER)
    await expect(page.get_by_text("The hub was updated.")).to_be_visible()


async def nothing(_: House, page: Page) -> None:
    await expect(page.get_by_role("heading").first).to_be_visible()


async def not_there(_: House, page: Page) -> None:
    await expect(page.get_by_text("This conversation is not there")).to_be_visible()


async def away(house: House, page: Page) -> None:
    """The hub is killed, and comes back for the next picture."""
    house.hub.kill()
    await page.get_by_placeholder("Text to").fill("Are you still there?")
    await expect(page.get_by_text("Connecting again.")).to_be_visible()


async def states(house: House) -> dict[str, State]:
    """Every state by a name for its picture."""

    async def thread(peer: str) -> str:
        found: list[dict[str, Any]] = (await house.hub.api.get("/v1/threads", params={"peer": peer})).json()["items"]
        return f"/conversations/{found[0]['id']}"

    devices = {one["name"]: one["id"] for one in (await house.hub.api.get("/v1/devices")).json()["items"]}
    hooks = (await house.hub.api.get("/v1/webhooks")).json()["items"]
    hook = f"/developers/webhooks/{hooks[0]['id']}"
    maya, priya, tom, stopped = [await thread(one) for one in (next(iter(CUSTOMERS)), PRIYA, TOM, STOPPED)]
    front, back = f"/phones/{devices['Front desk']}", f"/phones/{devices['Back office']}"
    shop = f"/phones/{devices['Workshop']}"
    refused = (await house.hub.api.get("/v1/messages", params={"peer": REFUSED})).json()["items"][0]["id"]
    return {
        "composer-typing": State(maya, written("Your Trek is ready, come by.", "1 segment")),
        "composer-ucs2": State(maya, written(CURLY, "another alphabet")),
        "composer-long": State(maya, written("Bring the ticket. " * 120, "is a lot")),
        "composer-schedule": State(maya, click("Schedule")),
        "composer-scheduled": State(maya, scheduled),
        "composer-sender": State(maya, sender_menu),
        "composer-stopped": State(stopped, nothing),
        "optout": State(stopped, click("What can I do?")),
        "snippets": State(maya, click("Snippet")),
        "snippet-new": State(maya, new_snippet),
        "attached": State(priya, attached),
        "attach-failed": State(priya, attach_failed),
        "attach-not": State(tom, attach_not),
        "attachments": State(priya, nothing),
        "thread-search": State(maya, thread_search),
        "new-text": State("/conversations", new_text),
        "palette": State("/overview", press("Control+k")),
        "shortcuts": State("/conversations", press("?")),
        "key-new": State("/developers/keys", click("New key")),
        "key-made": State("/developers/keys", key_made),
        "key-revoke": State("/developers/keys", click("More: Till", "Revoke")),
        "mailbox-wrong": State("/developers/mailboxes", mailbox_wrong),
        "mailbox-ready": State("/developers/mailboxes", mailbox_ready),
        "mailbox-remove": State("/developers/mailboxes", click("More for Alarm system", "Remove")),
        "gateway-new": State("/developers/gateways", click("New gateway")),
        "webhook-edit": State(f"{hook}/edit", nothing),
        "webhook-test": State(hook, click("Send test")),
        "webhook-remove": State(hook, webhook_menu("Remove")),
        "webhook-secret": State(hook, webhook_menu("New secret")),
        "forwarding": State(shop, forwarding),
        "forward-wrong": State(back, forward_wrong),
        "forward-change": State(shop, click("Change the forwarding of")),
        "forward-stop": State(shop, forward_stop),
        "phone-limits": State(front, phone_dialog("Limits")),
        "phone-move": State(back, phone_dialog("Move its queue")),
        "phone-remove": State(back, phone_dialog("Remove")),
        "phone-test": State(front, phone_dialog("Send test text")),
        "phone-rotate": State(front, phone_dialog("New credentials")),
        "pair-typed": State("/phones/pair", typed),
        "person-invite": State("/settings/people", click("Invite")),
        "second-factor": State("/you", second_factor),
        "updated": State(maya, updated),
        "missing": State("/nowhere", nothing),
        "missing-thread": State("/conversations/con_00000000000000000000000000", not_there),
        "toast": State(tom, toasted),
        "contact": State(maya, contact),
        "forward-bypassed": State(front, bypassed),
        "webhook-replay": State(hook, replay),
        "webhook-delivery": State(hook, chosen_delivery),
        "webhook-failing": State(f"/developers/webhooks/{hooks[1]['id']}", chosen_delivery),
        "webhook-resume": State(hook, ended),
        "stream-event": State("/developers/stream", chosen_event),
        "reference-operation": State("/developers/reference?op=send_message", nothing),
        "message-failed": State(f"/messages/{refused}", nothing),
        "bulk-list": State("/messages/bulk", listed),
        "bulk-text": State("/messages/bulk", worded),
        "bulk-check": State("/messages/bulk", checked),
        "batch-paused": State("/messages/bulk", held_batch),
        "pair-found": State("/phones/pair", scanned),
        "pair-ready": State("/phones/pair", ready),
        "away": State(maya, away),
    }
