"""The session routes and the native API in one application, and a browser that keeps its cookies."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.applications import Starlette

from hub import dashboard
from hub.accounts.scopes import ALL_SCOPES
from hub.accounts.user_links import MakeSetupLink, make_setup_links, new_link
from hub.accounts.users import CreateUser, Role, create_users
from hub.core.ids import render
from hub.dialects.native_v1 import DIALECT
from tests.integration.api.hub_api import Api
from tests.integration.messages.world import ACCOUNT

OURS = {"X-Requested-With": "handset-hub", "Sec-Fetch-Site": "same-origin"}
"""What the dashboard's own requests carry; a browser adds the second by itself."""
PASSWORD = "four words are easy"
BASE = "http://hub.test"


class Desk:
    """Makes people and browsers."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.services = api.services
        self.clock = api.clock
        self.app = Starlette(routes=[*dashboard.routes(api.services), *DIALECT.routes(api.services)])

    def browser(self, address: str = "192.0.2.7", **headers: str) -> httpx.AsyncClient:
        """A browser without a cookie."""
        transport = httpx.ASGITransport(self.app, client=(address, 5000))
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers={**OURS, **headers})

    async def setup_token(self) -> str:
        """The token of a set-up link of `ACCOUNT`."""
        link = new_link()
        command = MakeSetupLink(account_id=ACCOUNT, sha256=link.sha256)
        await self.services.db.writer.submit(make_setup_links, command, *command.keys())
        return link.token

    async def invited(
        self, username: str, role: Role = Role.ADMIN, lines: frozenset[str] | None = None, account: str = ACCOUNT
    ) -> tuple[str, str]:
        """A person without a password: their id, and the token of their link."""
        link = new_link()
        command = CreateUser(
            id=self.api.ids.next(self.clock.now()),
            account_id=account,
            username=username,
            name=username.title(),
            role=role,
            line_ids=lines,
            own=ALL_SCOPES,
            link_sha256=link.sha256,
        )
        row = await self.services.db.writer.submit(create_users, command, *command.keys())
        return render("user", row.id), link.token

    async def person(
        self, username: str, role: Role = Role.ADMIN, lines: frozenset[str] | None = None, account: str = ACCOUNT
    ) -> httpx.AsyncClient:
        """A person with `PASSWORD`, signed in."""
        _, token = await self.invited(username, role, lines, account)
        browser = self.browser()
        done = await browser.post("/session/password", json={"token": token, "password": PASSWORD})
        assert done.status_code == 200, done.text
        await self.sign_in(browser, username)
        return browser

    async def sign_in(self, browser: httpx.AsyncClient, username: str, password: str = PASSWORD, **more: Any) -> Any:
        """Sign in; it has to succeed."""
        answer = await browser.post("/session", json={"username": username, "password": password, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()
