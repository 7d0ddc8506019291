"""Letting people in and out: the set-up link, passwords, cookies, other sites, too many tries, the second factor."""

import asyncio

import pyotp
import pytest

from hub.accounts.roles import Role
from hub.accounts.sign_ins import EndSignIns
from hub.dialects.auth import COOKIE, SECURE_COOKIE
from tests.integration.dashboard.desk import BASE, OURS, PASSWORD, Desk
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio


async def test_the_setup_link_makes_the_admin_once_and_lets_them_in(desk: Desk) -> None:
    token, other = await desk.setup_token(), await desk.setup_token()
    browser = desk.browser()
    assert (await browser.get("/session/setup")).json() == {"is_needed": True, "can_sign_up": False}
    body = {"token": token, "username": " Ines@Example.org ", "name": "Ines", "password": PASSWORD}
    weak = await browser.post("/session/setup", json={**body, "password": "short"})
    assert weak.json()["errors"][0]["field"] == "password"
    made = await browser.post(
        "/session/setup", json={**body, "account_name": "Northgate", "time_zone": "Europe/London"}
    )
    assert made.status_code == 201, made.text
    assert made.json()["user"]["username"] == "ines@example.org"
    assert made.json()["user"]["role"] == "admin"
    assert made.json()["account"]["name"] == "Northgate"
    assert made.json()["account"]["time_zone"] == "Europe/London"
    assert (await browser.get("/session")).json() == made.json()
    for used in (token, other):
        again = await desk.browser().post("/session/setup", json={**body, "token": used, "username": "eve"})
        assert again.json()["code"] == "link_ended"
    assert (await browser.get("/session/setup")).json() == {"is_needed": False, "can_sign_up": False}


async def test_a_link_ends_with_its_time(desk: Desk) -> None:
    token = await desk.setup_token()
    desk.clock.advance(8 * 86_400)
    body = {"token": token, "username": "ines", "name": "Ines", "password": PASSWORD}
    assert (await desk.browser().post("/session/setup", json=body)).json()["code"] == "link_ended"


async def test_an_invitation_link_does_not_set_up_and_a_setup_link_sets_no_password(desk: Desk) -> None:
    setup = await desk.setup_token()
    _, invitation = await desk.invited("ines")
    body = {"token": invitation, "username": "eve", "name": "Eve", "password": PASSWORD}
    assert (await desk.browser().post("/session/setup", json=body)).json()["code"] == "link_ended"
    chosen = await desk.browser().post("/session/password", json={"token": setup, "password": PASSWORD})
    assert chosen.json()["code"] == "link_ended"


async def test_the_cookie_has_every_guard_and_is_signed(desk: Desk) -> None:
    await desk.person("ines")
    answer = await desk.browser().post("/session", json={"username": "ines", "password": PASSWORD})
    flags = [part.strip() for part in answer.headers["set-cookie"].split(";")]
    assert flags[0].startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(flags)
    assert "Secure" not in flags
    token, _, mac = answer.cookies[COOKIE].partition(".")
    for forged in (f"{token}.{'0' * 64}", token, f"{'0' * 64}.{mac}", "", "x" * 400):
        other = desk.browser()
        other.cookies.set(COOKIE, forged)
        assert (await other.get("/session")).status_code == 401
        assert (await other.get("/v1/account")).status_code == 401


@pytest.mark.parametrize("headers", [{"X-Forwarded-Proto": "https"}, {"Host": "hub.example"}])
async def test_over_https_the_cookie_is_secure_and_tied_to_the_host(desk: Desk, headers: dict[str, str]) -> None:
    await desk.person("ines")
    browser = desk.browser(**headers)
    answer = await browser.post("/session", json={"username": "ines", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert cookie.endswith("; Secure")
    assert "Domain" not in cookie
    value = cookie.split(";")[0]
    assert (await desk.browser(**headers, Cookie=value).get("/session")).status_code == 200
    plain = value.replace(SECURE_COOKIE, COOKIE)
    assert (await desk.browser(**headers, Cookie=plain).get("/session")).status_code == 401


async def test_signing_in_makes_a_new_session_and_ends_the_one_the_browser_brought(desk: Desk) -> None:
    browser = await desk.person("ines")
    before = browser.cookies[COOKIE]
    await desk.sign_in(browser, "ines")
    assert browser.cookies[COOKIE] != before
    planted = desk.browser()
    planted.cookies.set(COOKIE, before)
    assert (await planted.get("/session")).status_code == 401


async def test_a_name_nobody_has_and_somebody_disabled_are_answered_like_a_wrong_password(desk: Desk) -> None:
    admin = await desk.person("ines")
    await desk.person("max")
    users = (await admin.get("/v1/users")).json()["items"]
    max_id = next(user["id"] for user in users if user["username"] == "max")
    await admin.patch(f"/v1/users/{max_id}", json={"is_disabled": True})
    answers = [
        await desk.browser().post("/session", json={"username": username, "password": password})
        for username, password in [("ines", "wrong"), ("nobody", PASSWORD), ("max", PASSWORD), ("no such name", "x")]
    ]
    bodies = [{**answer.json(), "trace_id": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["code"] == "wrong_login"


async def test_wrong_tries_are_slowed_by_name_and_say_how_long(desk: Desk) -> None:
    await desk.person("ines")
    await desk.person("max")
    wrong = {"username": "ines", "password": "wrong"}
    answers = [await desk.browser(f"192.0.2.{place}").post("/session", json=wrong) for place in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 1
    right = await desk.browser().post("/session", json={"username": "INES", "password": PASSWORD})
    assert right.status_code == 429, "another spelling of the name is the same name"
    await desk.sign_in(desk.browser(), "max")
    desk.clock.advance(int(answers[-1].headers["retry-after"]))
    await desk.sign_in(desk.browser(), "ines")


async def test_wrong_tries_are_slowed_by_address(desk: Desk) -> None:
    await desk.person("ines")
    browser = desk.browser("198.51.100.1")
    answers = [
        await browser.post("/session", json={"username": f"name{number}", "password": "wrong"}) for number in range(41)
    ]
    assert [answer.status_code for answer in answers].count(401) == 40
    assert answers[-1].status_code == 429
    await desk.sign_in(desk.browser("198.51.100.2"), "ines")


async def test_many_tries_at_once_get_no_further(desk: Desk) -> None:
    await desk.person("ines")
    wrong = {"username": "ines", "password": "wrong"}
    answers = await asyncio.gather(
        *(desk.browser(f"192.0.2.{place}").post("/session", json=wrong) for place in range(30))
    )
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 20


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Requested-With": ""},
        {"X-Requested-With": "XMLHttpRequest"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": BASE},
    ],
)
async def test_another_site_changes_nothing_by_the_cookie(desk: Desk, headers: dict[str, str]) -> None:
    browser = await desk.person("ines")
    browser.headers.update(headers)
    for method, path in [("POST", "/v1/stream/tickets"), ("PATCH", "/v1/account"), ("DELETE", "/session")]:
        answer = await browser.request(method, path, json={"name": "Taken"} if method == "PATCH" else None)
        assert answer.json()["code"] == "cross_site"
    signed_in = await browser.post("/session", json={"username": "ines", "password": PASSWORD})
    assert signed_in.json()["code"] == "cross_site"
    browser.headers.update(OURS)
    assert (await browser.get("/v1/account")).json()["name"] != "Taken"


async def test_browsers_without_fetch_metadata_show_their_origin(desk: Desk) -> None:
    browser = await desk.person("ines")
    del browser.headers["Sec-Fetch-Site"]
    assert (await browser.post("/v1/stream/tickets")).json()["code"] == "cross_site"
    for origin, status in [(BASE, 201), ("https://hub.example", 201), ("http://evil.test", 403), ("null", 403)]:
        assert (await browser.post("/v1/stream/tickets", headers={"Origin": origin})).status_code == status


async def test_a_key_needs_none_of_it_and_counts_before_the_cookie(desk: Desk) -> None:
    key = desk.api.make_key()
    browser = await desk.person("reader", Role.READ_ONLY)
    headers = {"Authorization": f"Bearer {key}", "Sec-Fetch-Site": "cross-site", "X-Requested-With": ""}
    assert (await browser.patch("/v1/account", json={"name": "By key"}, headers=headers)).status_code == 200


async def test_signing_out_ends_one_browser_and_everywhere_ends_all(desk: Desk) -> None:
    here, there = await desk.person("ines"), desk.browser()
    await desk.sign_in(there, "ines")
    kept = here.cookies[COOKIE]
    out = await here.delete("/session")
    assert "Max-Age=0" in out.headers["set-cookie"]
    here.cookies.set(COOKIE, kept)
    assert (await here.get("/v1/account")).status_code == 401, "the row is gone, not only the cookie"
    assert (await there.get("/v1/account")).status_code == 200
    await desk.sign_in(here, "ines")
    assert (await there.delete("/session/all")).status_code == 204
    assert (await here.get("/v1/account")).status_code == 401


async def test_a_sign_in_ends_when_it_is_idle_and_when_it_is_old(desk: Desk) -> None:
    idle, busy = await desk.person("ines"), desk.browser()
    await desk.sign_in(busy, "ines")
    for _ in range(10):
        desk.clock.advance(2.9 * 86_400)
        assert (await busy.get("/session")).status_code == 200
        await desk.services.signed_in.write_last_uses()
    assert (await idle.get("/session")).status_code == 401
    desk.clock.advance(1.1 * 86_400)
    assert (await busy.get("/session")).status_code == 401


async def test_a_new_password_ends_the_other_browsers(desk: Desk) -> None:
    here, there = await desk.person("ines"), desk.browser()
    await desk.sign_in(there, "ines")
    wrong = await here.put("/session/password", json={"password": "wrong", "new_password": "another long one"})
    assert wrong.json()["code"] == "wrong_login"
    same = await here.put("/session/password", json={"password": PASSWORD, "new_password": PASSWORD})
    assert same.json()["errors"][0]["field"] == "new_password"
    done = await here.put("/session/password", json={"password": PASSWORD, "new_password": "another long one"})
    assert done.status_code == 204
    assert (await here.get("/session")).status_code == 200
    assert (await there.get("/session")).status_code == 401
    assert (await there.post("/session", json={"username": "ines", "password": PASSWORD})).status_code == 401
    await desk.sign_in(there, "ines", "another long one")


async def test_a_password_link_ends_every_browser(desk: Desk) -> None:
    admin, other = await desk.person("ines"), await desk.person("max")
    max_id = (await other.get("/session")).json()["user"]["id"]
    link = (await admin.post(f"/v1/users/{max_id}/link", json={})).json()["link"]
    assert (await other.get("/session")).status_code == 200, "the old password works until the link is used"
    token = link.partition("#")[2]
    chosen = await desk.browser().post("/session/password", json={"token": token, "password": "something else now"})
    assert chosen.json() == {"username": "max"}
    assert (await other.get("/session")).status_code == 401
    await desk.sign_in(other, "max", "something else now")


async def test_the_second_factor(desk: Desk) -> None:
    browser = await desk.person("ines")
    assert (await browser.post("/session/totp", json={"password": "wrong"})).json()["code"] == "wrong_login"
    begun = (await browser.post("/session/totp", json={"password": PASSWORD})).json()
    assert begun["address"].startswith("otpauth://totp/")
    assert begun["qr_svg"].startswith("<?xml") or begun["qr_svg"].startswith("<svg")
    await desk.sign_in(desk.browser(), "ines")  # not switched on yet
    app = pyotp.TOTP(begun["secret"])

    def code() -> str:
        return app.at(desk.clock.now() // 1000)

    assert (await browser.post("/session/totp/confirm", json={"code": "000000"})).json()["code"] == "code_needed"
    first = code()
    codes = (await browser.post("/session/totp/confirm", json={"code": first})).json()["recovery_codes"]
    assert len(set(codes)) == 10
    username = {"username": "ines", "password": PASSWORD}
    assert (await desk.browser().post("/session", json=username)).json()["code"] == "code_needed"
    used = await desk.browser().post("/session", json={**username, "code": first})
    assert used.json()["code"] == "code_needed", "a code counts once"
    desk.clock.advance(30)
    both = await asyncio.gather(*(desk.browser().post("/session", json={**username, "code": code()}) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [200, 401]
    shown = await desk.sign_in(desk.browser(), "ines", code=codes[0].upper().replace("-", " "))
    assert shown["user"]["recovery_codes_left"] == 9
    again = await desk.browser().post("/session", json={**username, "code": codes[0]})
    assert again.json()["code"] == "code_needed"
    assert (await browser.request("DELETE", "/session/totp", json={"password": PASSWORD})).status_code == 204
    await desk.sign_in(desk.browser(), "ines")


async def test_what_is_stored_lets_nobody_in(desk: Desk) -> None:
    browser = await desk.person("ines")
    begun = (await browser.post("/session/totp", json={"password": PASSWORD})).json()
    _, token = await desk.invited("max")
    secrets_of = [PASSWORD, browser.cookies[COOKIE].partition(".")[0], begun["secret"], token]
    with desk.services.db.write_engine.connect() as conn:
        dump = ""
        for table in ("hub_user", "sign_in", "user_link"):
            dump += repr(conn.exec_driver_sql(f"select * from {table}").fetchall())
    assert not [secret for secret in secrets_of if secret in dump]


async def test_another_process_hears_of_it(desk: Desk) -> None:
    """What changed elsewhere is noticed by the poll that watches credentials."""
    browser = await desk.person("ines")
    await desk.services.credentials.look()
    who = (await browser.get("/session")).json()["user"]["id"]
    from hub.accounts.sign_ins import end_all_sign_ins
    from hub.core.ids import parse

    desk.services.db.write_now(end_all_sign_ins, EndSignIns(account_id=ACCOUNT, user_id=parse("user", who)))
    assert (await browser.get("/session")).status_code == 200, "nobody told this process yet"
    await desk.services.credentials.look()
    assert (await browser.get("/session")).status_code == 401
