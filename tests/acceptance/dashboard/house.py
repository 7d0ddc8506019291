"""A hub with its dashboard, and people in front of it: what browser tests stand on.

    async def test_something(house: House) -> None:
        world = await house.world()                # phones, their radio, a customer's server (tests/acceptance/world.py)
        page = await house.signed_in("/phones")    # the admin, signed in, at /ui/phones
        await expect(page.get_by_text("Workshop")).to_be_visible()
        await house.axe(page)

Every page a test has opened is looked at when the test ends: an error in its console, an exception of its script, or a violation of the
Content-Security-Policy fails the test. What a test expects there it names by `house.expected(…)`.

Open pages with `house.page`, `house.signed_in` or `house.open`: they wait until the page listens to keys (`settled`, also to be called
after a reload). Wait with locators and `expect`, not with `page.wait_for_function`: that needs `unsafe-eval`, which the policy forbids,
and hangs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.acceptance.processes import ROOT, HubProcess
from tests.acceptance.world import World

Theme = Literal["light", "dark"]
Size = tuple[int, int]

WIDE: Size = (1280, 800)
NARROW: Size = (375, 812)
ADMIN, PASSWORD = "ines@northgate.example", "four words are easy"
OURS = {"X-Requested-With": "handset-hub", "Sec-Fetch-Site": "same-origin"}
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 20_000
"""How long the browser waits for what it expects; nothing takes that long when the product works."""
_SIGNED_OUT = re.compile(r"status of 401 \(Unauthorized\)")
"""What Chromium writes when a page asks who is signed in, and nobody is."""
_SETUP = re.compile(r"(http://\S+/ui/setup#([0-9a-f]+))")

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class House:
    """One hub process, one browser, any number of people."""

    hub: HubProcess
    browser: Browser
    directory: Path
    _world: World | None = None
    _contexts: list[BrowserContext] = field(default_factory=list)
    _problems: list[str] = field(default_factory=list)
    _expected: list[re.Pattern[str]] = field(default_factory=lambda: [_SIGNED_OUT])
    _cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def setup_link(self) -> str:
        """The one-time link that `hub serve` printed last."""
        return self._setup()[0]

    def _setup(self) -> tuple[str, str]:
        printed = _SETUP.findall(self.hub.log_path.read_text(encoding="utf-8"))
        assert printed, "hub serve printed no set-up link"
        link, token = printed[-1]
        return str(link), str(token)

    async def world(self) -> World:
        """Phones, their radio log and a customer's server with a webhook; opened when first asked for."""
        if self._world is None:
            world = World(self.hub, self.directory)
            await world.open()
            self._world = world
        return self._world

    # --- people ---

    async def set_up(self) -> None:
        """Make the admin by the printed link, as the page does; does nothing the second time."""
        if ADMIN in self._cookies:
            return
        body = {
            "token": self._setup()[1],
            "username": ADMIN,
            "name": "Ines Calder",
            "password": PASSWORD,
            "account_name": "Northgate Cycles",
            "time_zone": "Europe/London",
            "default_region": "GB",
        }
        await self._remember(ADMIN, "/session/setup", body)

    async def invite(
        self, username: str, name: str, role: str = "member", line_ids: Sequence[str] | None = None
    ) -> None:
        """A person with `PASSWORD`."""
        await self.set_up()
        lines = None if line_ids is None else list(line_ids)
        body = {"username": username, "name": name, "role": role, "line_ids": lines}
        made = await self.hub.api.post("/v1/users", json=body)
        assert made.status_code == 201, made.text
        token = made.json()["link"].partition("#")[2]
        await self._post("/session/password", {"token": token, "password": PASSWORD})

    async def _post(self, path: str, body: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.hub.url, headers=OURS, timeout=20) as http:
            answer = await http.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer

    async def _remember(self, username: str, path: str, body: dict[str, str]) -> None:
        answer = await self._post(path, body)
        self._cookies[username] = dict(answer.cookies)

    # --- pages ---

    async def page(
        self,
        path: str | None = None,
        *,
        size: Size = WIDE,
        theme: Theme = "light",
        cookies: dict[str, str] | None = None,
        has_worker: bool = True,
    ) -> Page:
        """A page of a browser of its own, without a session; opened at a path below /ui when one is given.

        Without a service worker (`has_worker`) every request can be seen and held by the test.
        """
        context = await self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            locale="en-GB",
            timezone_id="Europe/London",
            reduced_motion="reduce",
            device_scale_factor=1,
            service_workers="allow" if has_worker else "block",
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        if cookies:
            await context.add_cookies(
                [
                    {"name": name, "value": value, "url": self.hub.url, "httpOnly": True, "sameSite": "Lax"}
                    for name, value in cookies.items()
                ]
            )
        page = await context.new_page()
        self._watch(page)
        if path is not None:
            await self.open(page, path)
        return page

    async def open(self, page: Page, path: str) -> None:
        """Go to a path below /ui and wait until the page is there and listens: a key pressed before that is early."""
        await page.goto(f"{self.hub.url}/ui{path}")
        await settled(page)

    async def signed_in(
        self,
        path: str = "/",
        *,
        username: str = ADMIN,
        size: Size = WIDE,
        theme: Theme = "light",
        has_worker: bool = True,
    ) -> Page:
        """A page of somebody who is signed in (a new session, made without the form), at a path below /ui."""
        await self.set_up()
        if username not in self._cookies:
            await self._remember(username, "/session", {"username": username, "password": PASSWORD})
        return await self.page(path, size=size, theme=theme, cookies=self._cookies[username], has_worker=has_worker)

    async def log_in(self, page: Page, username: str = ADMIN, password: str = PASSWORD) -> None:
        """Sign in by the form that the page shows."""
        await page.get_by_label("Username").fill(username)
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Sign in").click()

    def _watch(self, page: Page) -> None:
        def on_console(message: ConsoleMessage) -> None:
            if message.type == "error":
                self._problems.append(f"{page.url}: {message.text}")

        page.on("console", on_console)
        page.on("pageerror", lambda error: self._problems.append(f"{page.url}: {error}"))

    def expected(self, pattern: str) -> None:
        """Lines of the console that match belong to this test (a refused sign-in is a `401` there)."""
        self._expected.append(re.compile(pattern))

    def assert_quiet(self) -> None:
        """No page complained."""
        left = [line for line in self._problems if not any(known.search(line) for known in self._expected)]
        assert not left, "the browser's console:\n" + "\n".join(left)

    # --- looking at pages ---

    async def axe(self, page: Page, *, within: str | None = None) -> None:
        """No serious or critical finding of axe-core on what the page shows now; `within` is a selector."""
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        options = {"resultTypes": ["violations"]}
        found: dict[str, Any] = await page.evaluate(
            "([within, options]) => axe.run(within ?? document, options)", [within, options]
        )
        bad = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        told = [
            f"{one['id']} ({one['impact']}): {one['help']}\n    " + "\n    ".join(_places(one["nodes"])) for one in bad
        ]
        assert not told, f"axe on {page.url}:\n" + "\n".join(told)

    async def screenshot(self, page: Page, name: str) -> Path:
        """A picture of what the page shows, among the files of this test."""
        path = self.directory / f"{name}.png"
        await page.screenshot(path=path)
        return path

    async def close(self) -> None:
        """Everything down."""
        for context in self._contexts:
            await context.close()
        if self._world is not None:
            await self._world.close()
        await self.hub.close()


def _places(nodes: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{json.dumps(node['target'])}: {node['html'][:160]}" for node in nodes[:5]]


async def settled(page: Page) -> None:
    """The page is there and listens to keys, and what it wanted to load is there too.

    A page that is being loaded is `aria-busy`, and so is every skeleton in it: what a person sees and a screen reader says.
    """
    await expect(page.locator("#main")).to_be_visible()
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
