"""Signing up with a mail address: nothing exists before the link was opened by whoever chose the password."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.accounts.user_links import link_hash
from hub.core.errors import Code
from hub.core.ids import IdSource
from hub.operations.commands import COMMANDS
from hub.storage.database import Database
from hub.storage.schema.accounts import Account
from hub.storage.schema.users import SignUp, User
from hub.storage.users import SignUpRow
from tests.fakes import FakeClock
from tests.integration.api.hub_api import Api, problem
from tests.integration.dashboard.desk import PASSWORD, Desk
from tests.mail_sink import MailSink

pytestmark = pytest.mark.anyio

EMAIL = "max@shop.example"
ASKED = {"email": EMAIL, "name": "Max", "password": PASSWORD}


class Town:
    """A hub that takes sign-ups."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource, folder: Path, **more: Any) -> None:
        self.api = Api(db, clock, ids, folder, sign_up="on", **more)
        self.desk = Desk(self.api)
        self.accounts = len(self.api.world.rows(Account))

    def nothing_was_made(self) -> None:
        assert self.api.world.rows(User) == []
        assert len(self.api.world.rows(Account)) == self.accounts

    async def tokens(self) -> list[str]:
        """Of the links that the operator is shown, newest first."""
        shown = (await COMMANDS["user.sign_ups"](self.api.services))["sign_ups"]
        return [one["link"].rpartition("/ui/confirm#")[2] for one in shown]


@pytest.fixture
def town(sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[Town]:
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    made = Town(database, clock, ids, tmp_path)
    yield made
    made.api.world.conn.close()
    database.close()


async def test_M12_sign_up_confirm_sign_in_and_keys_that_are_shown_once(
    db: Database, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    town = Town(db, clock, ids, tmp_path)
    try:
        await sign_up_and_use_a_key(town)
    finally:
        town.api.world.conn.close()


async def sign_up_and_use_a_key(town: Town) -> None:
    browser = town.desk.browser()
    assert (await browser.get("/session/setup")).json()["can_sign_up"] is True
    asked = await browser.post("/session/sign-up", json=ASKED)
    assert (asked.status_code, asked.json()) == (202, {"is_mailed": False})
    town.nothing_was_made()
    problem(await browser.post("/session", json={"username": EMAIL, "password": PASSWORD}), Code.WRONG_LOGIN)
    (token,) = await town.tokens()
    problem(
        await browser.post("/session/confirm", json={"token": token, "password": "not it at all"}), Code.WRONG_LOGIN
    )
    town.nothing_was_made()
    confirmed = await browser.post("/session/confirm", json={"token": token, "password": PASSWORD})
    assert confirmed.status_code == 201, confirmed.text
    session = confirmed.json()
    assert (session["user"]["username"], session["user"]["role"]) == (EMAIL, "admin")
    assert (await browser.get("/session")).json() == session
    assert await town.tokens() == []
    problem(await browser.post("/session/confirm", json={"token": token, "password": PASSWORD}), Code.LINK_ENDED)
    await town.desk.sign_in(town.desk.browser(), EMAIL.upper())
    made = (await browser.post("/v1/keys", json={"name": "Till", "scopes": ["messages:read"]})).json()
    assert made["key"] not in (await browser.get("/v1/keys")).text
    by_key = town.api.client(made["key"])
    assert (await by_key.get("/v1/account")).json()["name"] == EMAIL
    assert (await by_key.get("/v1/messages")).json()["items"] == []
    assert (await browser.delete(f"/v1/keys/{made['info']['id']}")).status_code == 200
    problem(await by_key.get("/v1/account"), Code.KEY_REVOKED)


async def test_M12_with_a_mail_server_the_link_goes_to_the_mailbox(
    sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    try:
        async with MailSink() as sink:
            mail = {"smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_tls": "off"}
            town = Town(database, clock, ids, tmp_path, **mail)
            browser = town.desk.browser()
            asked = await browser.post("/session/sign-up", json={**ASKED, "name": "Max\r\nBcc: all@example.org"})
            assert asked.json() == {"is_mailed": True}
            (letter,) = sink.taken
            assert (letter.recipients, letter.message["Bcc"]) == ([EMAIL], None)
            link = re.search(r"https://hub\.example/ui/confirm#(\S+)", letter.text)
            assert link is not None
            assert PASSWORD not in letter.text
            body = {"token": link[1], "password": PASSWORD}
            assert (await browser.post("/session/confirm", json=body)).status_code == 201
            known = await town.desk.browser().post("/session/sign-up", json={**ASKED, "password": "another of mine"})
            assert known.json() == asked.json(), "whether an address is known is told to its mailbox alone"
            assert "account here already" in sink.taken[1].text
            assert await town.tokens() == []
            sink.answer = lambda _sink, _taken: "451 later"
            other = {**ASKED, "email": "eve@shop.example"}
            assert (await browser.post("/session/sign-up", json=other)).json() == {"is_mailed": False}
            town.api.world.conn.close()
    finally:
        database.close()


async def test_it_is_off_unless_it_is_switched_on(desk: Desk) -> None:
    browser = desk.browser()
    assert (await browser.get("/session/setup")).json()["can_sign_up"] is False
    problem(await browser.post("/session/sign-up", json=ASKED), Code.NOT_FOUND)
    problem(await browser.post("/session/confirm", json={"token": "x", "password": "x"}), Code.NOT_FOUND)
    assert desk.api.world.rows(SignUp) == []


async def test_two_requests_for_one_address_are_two_people_until_one_confirms(town: Town) -> None:
    """A stranger who asks for my address first cannot choose my password: each link goes with its own."""
    await town.desk.browser("198.51.100.9").post("/session/sign-up", json={**ASKED, "password": "chosen by a stranger"})
    browser = town.desk.browser()
    town.desk.clock.advance(1)
    await browser.post("/session/sign-up", json=ASKED)
    mine, strangers = await town.tokens()
    problem(await browser.post("/session/confirm", json={"token": strangers, "password": PASSWORD}), Code.WRONG_LOGIN)
    assert (await browser.post("/session/confirm", json={"token": mine, "password": PASSWORD})).status_code == 201
    late = {"token": strangers, "password": "chosen by a stranger"}
    problem(await browser.post("/session/confirm", json=late), Code.LINK_ENDED)
    assert len(town.api.world.rows(User)) == 1


async def test_a_link_ends_after_a_day_and_another_site_cannot_ask(town: Town) -> None:
    browser = town.desk.browser()
    await browser.post("/session/sign-up", json=ASKED)
    (token,) = await town.tokens()
    town.desk.clock.advance(86_400)
    problem(await browser.post("/session/confirm", json={"token": token, "password": PASSWORD}), Code.LINK_ENDED)
    stranger = town.desk.browser(**{"Sec-Fetch-Site": "cross-site"})
    problem(await stranger.post("/session/sign-up", json=ASKED), Code.CROSS_SITE)
    town.nothing_was_made()


async def test_tries_are_counted_by_mailbox_and_by_address(town: Town) -> None:
    answers = [await town.desk.browser(f"192.0.2.{n}").post("/session/sign-up", json=ASKED) for n in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    one = town.desk.browser("198.51.100.1")
    many = [await one.post("/session/sign-up", json={**ASKED, "email": f"{n}@x.example"}) for n in range(11)]
    assert [answer.status_code for answer in many] == [202] * 10 + [429]
    tokens = await town.tokens()
    guesses = [await one.post("/session/confirm", json={"token": tokens[0], "password": "guess"}) for _ in range(11)]
    assert [answer.status_code for answer in guesses] == [401] * 10 + [429]


async def test_the_hub_keeps_only_so_many_that_wait(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.accounts.sign_ups.MOST_WAITING", 3)
    now = town.api.clock.now()
    for n in range(3):
        row = SignUpRow(link_hash(str(n)), f"{n}@x.example", "x", "x", b"", now, now + 1000)
        town.api.world.insert(SignUp, **{name: getattr(row, name) for name in row.__struct_fields__})
    problem(await town.desk.browser().post("/session/sign-up", json=ASKED), Code.RATE_LIMITED)
    town.desk.clock.advance(2)
    assert (await town.desk.browser().post("/session/sign-up", json=ASKED)).status_code == 202


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "max@shop.example\r\nBcc: all@example.org"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": EMAIL}, "password"),
    ],
)
async def test_what_cannot_be_is_named(town: Town, wrong: dict[str, str], field: str) -> None:
    answer = await town.desk.browser().post("/session/sign-up", json={**ASKED, **wrong})
    assert problem(answer, Code.VALIDATION)["errors"][0]["field"] == field
    assert town.api.world.rows(SignUp) == []


_bodies = st.dictionaries(
    st.sampled_from(["email", "name", "password", "token", "x"]), st.none() | st.text(max_size=12) | st.integers()
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_bodies | st.text(max_size=5), path=st.sampled_from(["sign-up", "confirm"]))
async def test_no_body_is_answered_with_5xx(town: Town, body: Any, path: str) -> None:
    answer: httpx.Response = await town.desk.browser().post(f"/session/{path}", json=body)
    assert 400 <= answer.status_code < 500
    town.nothing_was_made()
