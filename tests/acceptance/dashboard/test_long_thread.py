"""A thread of 100,000 texts is scrolled as lightly as one of ten, and the pages open without the hub."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from hub.core.ids import new_id
from tests.acceptance.dashboard.house import House, settled
from tests.acceptance.dashboard.test_conversations import DOWN, MAYA, bubble, texts, thread_with

pytestmark = pytest.mark.anyio
MANY = 100_000
MOST_SHOWN = 480
"""What the page holds of a thread at once, and a page more."""


def fill(database: Path, many: int) -> list[str]:
    """Put texts before the one that is there, a minute apart; their ids, oldest first."""
    with sqlite3.connect(database) as conn:
        conn.row_factory = sqlite3.Row
        one = dict(conn.execute("select * from message where direction = 'mo'").fetchone())
        names = list(one)
        begin = one["created_at"] - (many + 1) * 60_000
        ids = [new_id(begin + number * 60_000, number.to_bytes(9, "big")) for number in range(many)]

        def row(number: int) -> list[object]:
            at = begin + number * 60_000
            changed = {"id": ids[number], "text": f"text {number}", "created_at": at, "received_at": at, "due_at": at}
            return [{**one, **changed, "device_event_uuid": ids[number]}[name] for name in names]

        marks = ", ".join("?" * len(names))
        conn.executemany(f"insert into message ({', '.join(names)}) values ({marks})", map(row, range(many)))
    conn.close()
    return ids


async def shown(page: Page) -> int:
    return await texts(page).get_by_role("article").count()


@pytest.mark.slow
async def test_a_hundred_thousand_texts_scroll_back_without_a_jump(house: House) -> None:
    world = await house.world()
    await world.customer_texts(MAYA, "the newest")
    thread = await thread_with(house, MAYA)
    await house.set_up()
    house.hub.stop()
    ids = fill(house.hub.data_dir / "hub.db", MANY)
    await house.hub.started()
    page = await house.signed_in(f"/conversations/{thread['id']}")
    await expect(bubble(page, "the newest")).to_be_visible()
    pane = texts(page)
    for _ in range(8):
        first = await pane.get_by_role("article").first.get_attribute("data-message")
        watched = pane.locator(f'[data-message="{first}"]')
        # Scroll to the top: the page before comes in above, and the text that is watched stays where it is.
        await pane.evaluate("pane => { pane.scrollTop = 120; }")
        before = await watched.evaluate("one => one.getBoundingClientRect().top")
        await expect(pane.get_by_role("article").first).not_to_have_attribute("data-message", first or "")
        after = await watched.evaluate("one => one.getBoundingClientRect().top")
        assert abs(after - before) <= 1, "nothing that is read moves"
        assert await shown(page) <= MOST_SHOWN
    middle = f"msg_{ids[MANY // 2]}"
    await house.open(page, f"/conversations/{thread['id']}?m={middle}")
    await expect(pane.locator(f'[data-message="{middle}"]')).to_be_in_viewport()
    assert await shown(page) <= MOST_SHOWN
    await page.get_by_role("button", name="To the newest text").click()
    await expect(bubble(page, "the newest")).to_be_in_viewport()
    for number in range(3):
        await world.customer_texts(MAYA, f"after {number}")
        await expect(bubble(page, f"after {number}")).to_be_in_viewport()


async def test_the_pages_open_while_the_hub_is_away_and_keep_nothing_that_was_written(house: House) -> None:
    house.expected(DOWN)
    world = await house.world()
    await world.customer_texts(MAYA, "private words")
    page = await house.signed_in("/conversations")
    await expect(page.get_by_role("list", name="Threads")).to_contain_text("private words")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await settled(page)
    await expect(page.get_by_role("list", name="Threads")).to_contain_text("private words")
    house.hub.kill()
    await page.reload()
    await settled(page)
    await expect(page.get_by_text("The hub is out of reach")).to_be_visible()
    kept = await page.evaluate(
        "(async () => { const cache = await caches.open('shell-1'); const all = await cache.keys();"
        " return Promise.all(all.map(async (one) => [new URL(one.url).pathname, await (await cache.match(one)).text()])); })()"
    )
    assert kept
    assert all(path.startswith("/ui/") and "private words" not in body for path, body in kept)
    await house.hub.started()
    await expect(page.get_by_role("list", name="Threads")).to_contain_text("private words", timeout=60_000)
