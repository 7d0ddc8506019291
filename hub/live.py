"""Bounded fan-out inside one process: who watches an account hears that something changed.

What is fanned out are hints. A stream that hears "events up to 812" reads them from the database by number, so a lost or merged
hint costs nothing; a watcher that stops reading is cut, and comes back with its cursor.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from hub.log import get_logger

log = get_logger("live")

MOST_WAITING = 512
"""Hints one watcher may leave unread before it is cut."""


@dataclass(frozen=True, slots=True)
class Hint:
    """`kind` names what changed (`event`, `message`, `conversation`, `device`, `line`, `delivery` …), `id` which one."""

    kind: str
    id: str


@dataclass(eq=False, slots=True)
class Watcher:
    """One open stream. Iterate it; it ends when the hub closes it or its queue overflowed (`was_cut`)."""

    account_id: str
    was_cut: bool = False
    _hints: list[Hint] = field(default_factory=list)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, hint: Hint) -> None:
        """Queue a hint; the same hint twice in a row is one."""
        if self.was_cut or (self._hints and self._hints[-1] == hint):
            return
        if len(self._hints) >= MOST_WAITING:
            self.was_cut = True
            log.warning("cut a stream that stopped reading", waiting=len(self._hints))
        else:
            self._hints.append(hint)
        self._woken.set()

    async def take(self, timeout_seconds: float) -> list[Hint]:
        """All hints waiting, after at most `timeout_seconds`; empty when nothing happened."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._woken.wait()
        except TimeoutError:
            return []
        self._woken.clear()
        hints, self._hints = self._hints, []
        return hints


class Live:
    """All watchers of this process, by account."""

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)

    def watch(self, account_id: str) -> Watcher:
        """Start watching an account; give the watcher back to `leave` when done."""
        watcher = Watcher(account_id)
        self._watchers[account_id].add(watcher)
        return watcher

    def watching(self, account_id: str) -> int:
        """How many watch an account."""
        return len(self._watchers.get(account_id, ()))

    def leave(self, watcher: Watcher) -> None:
        """Stop watching."""
        watchers = self._watchers.get(watcher.account_id)
        if watchers:
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[watcher.account_id]

    def publish(self, account_id: str, hint: Hint) -> None:
        """Tell everybody who watches the account; costs one look-up when nobody does."""
        for watcher in self._watchers.get(account_id, ()):
            watcher.offer(hint)

    def close(self) -> None:
        """The hub stops: every stream ends."""
        for watchers in list(self._watchers.values()):
            for watcher in watchers:
                watcher.was_cut = True
                watcher._woken.set()

    @property
    def count(self) -> int:
        """Streams open now."""
        return sum(len(watchers) for watchers in self._watchers.values())
