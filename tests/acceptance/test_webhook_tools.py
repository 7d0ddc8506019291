"""`hub webhooks listen` and `hub webhooks forward` as a developer runs them: processes of their own beside a real hub that is killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from hub.webhooks.signing import secret_text
from hub.workbench.feed import Feed, StreamRefused
from tests.acceptance.processes import PATIENCE_SECONDS, ROOT, HubProcess, eventually, free_port, running_hub
from tests.integration.webhooks.receiver import Post, Receiver, answer

pytestmark = pytest.mark.anyio

SECRET = secret_text(bytes(range(32)))


class Tool:
    """`hub webhooks …` with its output in a file."""

    def __init__(self, directory: Path, *words: str, **environ: str) -> None:
        directory.mkdir(exist_ok=True)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # tests that run in the background; children inherit it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.output = directory / f"{words[0]}-{len(list(directory.iterdir()))}.txt"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HUB") and name != "KEY"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hub", "webhooks", *words],
                cwd=ROOT, env={**clean, **environ}, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def text(self) -> str:
        return self.output.read_text()

    async def says(self, pattern: str) -> str:
        """Wait until it has said something; the first group of it."""

        async def said() -> re.Match[str] | None:
            assert self.process.poll() is None or re.search(pattern, self.text), self.text
            return re.search(pattern, self.text)

        found = await eventually(f"it says {pattern!r}", said)
        return found[found.lastindex or 0]

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@asynccontextmanager
async def tool(directory: Path, *words: str, **environ: str) -> AsyncIterator[Tool]:
    made = Tool(directory, *words, **environ)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()


async def send_texts(hub: HubProcess, count: int) -> None:
    """Each makes an event: `sms:queued`."""
    for number in range(count):
        taken = await hub.api.post("/v1/messages", json={"to": "+447700900142", "text": f"Grüße {number}"})
        assert taken.status_code == 202, taken.text


async def every_event(hub: HubProcess) -> list[str]:
    return [item["id"] for item in (await hub.api.get("/v1/events", params={"limit": 200})).json()["items"]]


class Laptop:
    """A receiver that refuses some events twice, takes each when it comes again, and can be told to leave requests open."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        """Webhook ids it has answered 200 to, in that order."""
        self.held: list[str] = []
        self.is_holding = False
        self._refused: Counter[str] = Counter()

    async def __call__(self, post: Post, writer: asyncio.StreamWriter) -> None:
        if post.path != "/laptop":
            writer.write(answer(200))
        elif self.is_holding:
            self.held.append(post.id)
        elif int(post.id[-1], 36) % 5 == 0 and self._refused[post.id] < 2:
            self._refused[post.id] += 1
            writer.write(answer(503, b"later"))
        else:
            self.taken.append(post.id)
            writer.write(answer(200))


async def test_forward_brings_each_event_once_and_as_the_hub_would_through_a_killed_hub(tmp_path: Path) -> None:
    laptop = Laptop()
    async with Receiver(script=laptop) as receiver, running_hub(tmp_path / "hub") as hub:
        made = await hub.api.post("/v1/webhooks", json={"url": receiver.url("/hub")})
        assert made.status_code == 201, made.text
        await tells_wrong_keys_and_a_wrong_place(hub, tmp_path / "tool")
        words = ("forward", receiver.url("/laptop"), "--hub", hub.url, "--state", str(tmp_path / "place"))
        async with tool(tmp_path / "tool", *words, KEY=hub.key, WEBHOOK_SECRET=SECRET) as forward:
            await forward.says("Beginning with what happens from now on")
            await forward.says("Connected")
            await send_texts(hub, 6)
            await receiver.until(lambda: len(laptop.taken) >= 3)
            # The tool sleeps while the hub dies and comes back and goes on: only a kept place brings what it slept through.
            forward.process.send_signal(signal.SIGSTOP)
            hub.kill()
            await hub.started()
            await send_texts(hub, 6)
            forward.process.send_signal(signal.SIGCONT)
            await forward.says("Connected again; nothing was missed.")
            await one_more_is_taken_after_all_before(hub, receiver, laptop)
            assert forward.interrupt() == 0
            place = await forward.says("To go on from here: --after (\\S+)")
            assert (tmp_path / "place").read_text().strip() == place
            for masked in (SECRET, hub.key):
                assert masked not in forward.text
        await send_texts(hub, 2)
        laptop.is_holding = True
        async with tool(tmp_path / "tool", *words, KEY=hub.key, WEBHOOK_SECRET=SECRET):
            await receiver.until(lambda: bool(laptop.held))  # and there it is killed, its request without an answer
        laptop.is_holding = False
        async with tool(tmp_path / "tool", *words, KEY=hub.key, WEBHOOK_SECRET=SECRET) as forward:
            await forward.says("Connected")
            await one_more_is_taken_after_all_before(hub, receiver, laptop)
            assert forward.interrupt() == 0
        assert laptop.held[0] in laptop.taken
        await receiver.until(lambda: {post.id for post in receiver.of("/hub")} >= set(laptop.taken))
        as_the_hub_sends = {post.id: post for post in receiver.of("/hub")}
        for post in receiver.of("/laptop"):
            Webhook(SECRET).verify(post.body, post.headers)
            other = as_the_hub_sends[post.id]
            assert (post.body, post.headers["user-agent"]) == (other.body, other.headers["user-agent"])
            assert post.headers.keys() == other.headers.keys()


async def one_more_is_taken_after_all_before(hub: HubProcess, receiver: Receiver, laptop: Laptop) -> None:
    """A new event comes last, each older one has come once before it, and none was left out."""
    await send_texts(hub, 1)
    events = await every_event(hub)
    await receiver.until(lambda: events[-1] in laptop.taken)
    assert laptop.taken == events


async def tells_wrong_keys_and_a_wrong_place(hub: HubProcess, directory: Path) -> None:
    """What `forward` says of each, in one sentence; each ends, and within a limit."""
    made = await hub.api.post("/v1/keys", json={"name": "deaf", "scopes": ["messages:read"]})
    for key, says in (("hub_wrong", "does not know this key (401)"), (made.json()["key"], "may not read events (403)")):
        events = Feed(hub.url, key, print, cursor=None, types=(), ca=None).events()
        with pytest.raises(StreamRefused, match=re.escape(says)):
            await asyncio.wait_for(anext(events), PATIENCE_SECONDS)
    words = ("forward", "http://127.0.0.1:1/", "--hub", hub.url, "--after", "nowhere")
    async with tool(directory, *words, KEY=hub.key) as forward:
        await forward.says("This is no cursor of the event feed")
        assert await asyncio.to_thread(forward.process.wait, PATIENCE_SECONDS) != 0
        assert "Traceback" not in forward.text


async def test_listen_shows_and_verifies_what_a_hub_sends(tmp_path: Path) -> None:
    async with running_hub(tmp_path / "hub") as hub:
        port = free_port()
        body = {"url": f"http://127.0.0.1:{port}/hook", "schedule": [1, 1, 1]}
        secret = (await hub.api.post("/v1/webhooks", json=body)).json()["secret"]
        words = ("listen", "--port", str(port), "--answers", "drop,500")
        async with tool(tmp_path / "tool", *words, WEBHOOK_SECRET=f"{SECRET} {secret}") as listen:
            await listen.says("Listening on http://127.0.0.1:")
            await send_texts(hub, 1)
            await listen.says(r"attempt   3 \(this id came 2 times before, with the same bytes\)")
            assert listen.text.count("genuine   yes: webhook-signature (v1) fits the secret …") == 3
            assert "Grüße 0" in listen.text
            assert secret not in listen.text
            assert listen.interrupt() == 0
