"""People come in and leave, in a real browser at a real hub."""

import io
import time

import pyotp
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from tests.acceptance.dashboard.house import ADMIN, NARROW, PASSWORD, House, settled

pytestmark = [pytest.mark.anyio, pytest.mark.chromium]


async def is_inside(page: Page) -> None:
    """The frame with the person's name is there."""
    await expect(page.get_by_role("navigation", name="Sections").first).to_be_visible()


async def test_from_the_printed_link_to_signing_out_everywhere(house: House) -> None:
    first = await house.page("/")
    await expect(first.get_by_text("Nobody can sign in yet.")).to_be_visible()
    await house.axe(first)

    page = await house.page()
    await page.goto(house.setup_link)
    await expect(page.get_by_role("heading", name="Your hub is running")).to_be_visible()
    assert "#" not in page.url, "the secret does not stay in the address"
    await house.axe(page)
    await page.get_by_label("Your name").fill("Ines Calder")
    await page.get_by_label("Business or team").fill("Northgate Cycles")
    await page.get_by_label("Username").fill(ADMIN)
    await page.get_by_label("Password").fill("short")
    house.expected("status of 422")
    await page.get_by_role("button", name="Create and sign in").click()
    await expect(page.get_by_text("Use at least 10 characters")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create and sign in").click()
    await is_inside(page)
    await expect(page.get_by_text("Northgate Cycles").first).to_be_visible()

    house.expected("status of 410")
    again = await house.page()
    await again.goto(house.setup_link)
    await again.get_by_label("Your name").fill("Eve")
    await again.get_by_label("Username").fill("eve")
    await again.get_by_label("Password").fill(PASSWORD)
    await again.get_by_role("button", name="Create and sign in").click()
    await expect(again.get_by_text("This link no longer works.")).to_be_visible()

    other = await house.page("/you", size=NARROW)
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    await house.log_in(other, password="not the password")
    await expect(other.get_by_text("Username or password is wrong.")).to_be_visible()
    await house.axe(other)
    await house.log_in(other)
    await expect(other.get_by_role("button", name="Sign out everywhere")).to_be_visible()
    assert other.url.endswith("/ui/you"), "signing in leads to the page that was wanted"

    await other.get_by_role("button", name="Sign out everywhere").click()
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.reload()
    await settled(page)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_M12_making_an_account_of_ones_own(house: House) -> None:
    await house.set_up()
    page = await house.page("/login")
    await page.get_by_role("link", name="Make an account").click()
    await expect(page.get_by_role("heading", name="Make an account")).to_be_visible()
    await house.axe(page)
    await page.get_by_label("Your name").fill("Max")
    await page.get_by_label("Mail address").fill("max@shop.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign up").click()
    await expect(page.get_by_text("This hub sends no mails.")).to_be_visible()
    (waiting,) = house.hub.command("user", "sign-ups", "--json")["sign_ups"]

    other = await house.page()
    await other.goto(waiting["link"])
    await expect(other.get_by_role("heading", name="Confirm your address")).to_be_visible()
    assert "#" not in other.url, "the secret does not stay in the address"
    await house.axe(other)
    await other.get_by_label("Password").fill("not this one")
    await other.get_by_role("button", name="Confirm and sign in").click()
    await expect(other.get_by_text("This is not the password")).to_be_visible()
    await other.get_by_label("Password").fill(PASSWORD)
    await other.get_by_role("button", name="Confirm and sign in").click()
    await is_inside(other)
    await expect(other.get_by_text("max@shop.example").first).to_be_visible()


async def test_the_second_step_with_a_code_read_from_the_picture(house: House) -> None:
    page = await house.signed_in("/you")
    await page.get_by_role("button", name="Turn on").click()
    await page.get_by_label("Type your password first").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()
    picture = page.get_by_role("img", name="QR code with the key for an authenticator app")
    await expect(picture).to_be_visible()
    codes = zxingcpp.read_barcodes(Image.open(io.BytesIO(await picture.screenshot(scale="css"))))
    app = pyotp.parse_uri(codes[0].text)
    assert isinstance(app, pyotp.TOTP)
    await house.axe(page)
    confirmed_at = int(time.time())
    await page.get_by_label("The six digits the app shows now").fill(app.at(confirmed_at))
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("Keep these recovery codes")).to_be_visible()
    recovery = await page.locator("main li").all_inner_texts()
    assert len(recovery) == 10
    await page.get_by_role("button", name="I have kept them").click()
    await expect(page.get_by_text("10 recovery codes are left.")).to_be_visible()

    other = await house.page("/you")
    await house.log_in(other)
    await expect(other.get_by_role("heading", name="One more step")).to_be_visible()
    await other.get_by_label("Code").fill(app.at(confirmed_at))
    await other.get_by_role("button", name="Go on").click()
    await expect(other.get_by_text("This code is wrong or was used already.")).to_be_visible()
    await house.axe(other)
    await other.get_by_label("Code").fill(recovery[0])
    await other.get_by_role("button", name="Go on").click()
    await expect(other.get_by_text("9 recovery codes are left.")).to_be_visible()


async def test_an_invited_person_chooses_a_password_by_the_link(house: House) -> None:
    await house.set_up()
    body = {"username": "max", "name": "Max Field", "role": "member"}
    link = (await house.hub.api.post("/v1/users", json=body)).json()["link"]
    page = await house.page()
    await page.goto(link)
    await expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    await house.axe(page)
    await page.get_by_label("Password").fill("a good long password")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved. Sign in with your new password.")).to_be_visible()
    await house.log_in(page, "max", "a good long password")
    await is_inside(page)


async def test_what_was_changed_elsewhere_ends_the_session_on_the_page(house: House) -> None:
    await house.invite("max", "Max Field")
    page = await house.signed_in("/you", username="max")
    await expect(page.get_by_role("button", name="Sign out everywhere")).to_be_visible()
    users = (await house.hub.api.get("/v1/users")).json()["items"]
    max_id = next(user["id"] for user in users if user["username"] == "max")
    assert (await house.hub.api.patch(f"/v1/users/{max_id}", json={"is_disabled": True})).status_code == 200
    await page.reload()
    await settled(page)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
