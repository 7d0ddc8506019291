"""The app's webhooks: a queue on disk, one post at a time, tried again with doubling waits, signed anew on each try."""

import asyncio
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

from android_emulator.clock import Clock
from android_emulator.smsgate.calls import CallFailed, Calls
from android_emulator.smsgate.memory import Memory, Post

RETRIES = 15
"""The app's own number, when it was given none."""


class Posting:
    """The queue's worker."""

    def __init__(self, memory: Memory, calls: Calls, clock: Clock, first_wait_seconds: float) -> None:
        self._memory, self._calls, self._clock = memory, calls, clock
        self._first_wait = first_wait_seconds
        self._woken = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None

    def tell(self, event: str, payload: dict[str, Any], *, is_doubled: bool = False) -> int:
        """Queue a post for each webhook of this event; returns how many. `is_doubled`: once more under another id, as happens."""
        hooks = [hook for hook in self._memory.hooks if hook["event"] == event]
        for hook in hooks * (2 if is_doubled else 1):
            body = {
                "id": secrets.token_urlsafe(16)[:21],
                "webhookId": hook["id"],
                "event": event,
                "deviceId": self._memory.id,
                "payload": payload,
            }
            self._memory.posts.append(Post(hook["url"], _gson(body)))
        self._woken.set()
        return len(hooks)

    async def run(self) -> None:
        """Post what is due, the longest due first, one after the other."""
        while True:
            now = self._clock.elapsed_seconds()
            post = min(self._memory.posts, key=lambda post: post.next_at, default=None)
            if post is not None and post.next_at <= now:
                await self._try(post)
                continue
            wait = 60.0 if post is None else post.next_at - now
            self._woken.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _try(self, post: Post) -> None:
        stamp = str(self._clock.wall_ms() // 1000)
        signature = hmac.new(self._memory.signing_key.encode(), post.body + stamp.encode(), "sha256").hexdigest()
        post.tries += 1
        try:
            await self._calls.post(post.url, post.body, {"X-Timestamp": stamp, "X-Signature": signature})
        except CallFailed:
            if post.tries > self._memory.setting("webhooks", "retry_count", RETRIES):
                self._memory.posts.remove(post)
                self._memory.dropped_posts += 1
            else:
                post.next_at = self._clock.elapsed_seconds() + self._first_wait * 2 ** (post.tries - 1)
        else:
            self._memory.posts.remove(post)
        self.on_change()


def _gson(body: dict[str, Any]) -> bytes:
    """Gson escapes what could be HTML."""
    text = json.dumps(body, ensure_ascii=False)
    for sign in "<>&='":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode("utf-8", "surrogatepass")
