"""Breadth-first search through every order of steps of a small world: a counterexample is as short as it can be."""

import gc
from collections import deque
from dataclasses import dataclass

from tests.unit.device_protocol.network import Network, World
from tests.unit.device_protocol.world import Broken


@dataclass(frozen=True)
class Found:
    """The result: how many worlds, and a broken promise (or a world nothing good can follow) with the way there."""

    worlds: int
    broken: str | None = None
    trace: tuple[str, ...] = ()
    is_complete: bool = True

    def __str__(self) -> str:
        return "\n  ".join([f"{self.broken} ({self.worlds} worlds)", *self.trace])


def explore(network: Network, limit: int = 200_000, *, is_liveness_checked: bool = True) -> Found:
    """Every world within the budget; stops at the first broken promise. Liveness: from every world a good one can be
    reached without another fault.
    """
    # Hundreds of thousands of live records and no cycles: the collector would only walk them again and again.
    gc.disable()
    try:
        return _explore(network, limit, is_liveness_checked=is_liveness_checked)
    finally:
        gc.enable()


def _explore(network: Network, limit: int, *, is_liveness_checked: bool) -> Found:
    first = network.begin()
    worlds: list[World] = [first]
    numbers = {network.key(first): 0}
    came: list[tuple[int, str]] = [(-1, "")]
    before: list[list[int]] = [[]]
    queue = deque([0])
    while queue:
        number = queue.popleft()
        for label, is_fault, after in network.successors(worlds[number]):
            key = network.key(after)
            seen = numbers.get(key)
            if seen is None:
                if len(worlds) >= limit:
                    return Found(len(worlds), is_complete=False)
                seen = len(worlds)
                numbers[key] = seen
                worlds.append(after)
                came.append((number, label))
                before.append([])
                try:
                    network.check(after)
                except Broken as broken:
                    return Found(len(worlds), str(broken), _trace(came, seen))
                queue.append(seen)
            if not is_fault:
                before[seen].append(number)
    if is_liveness_checked:
        stuck = _stuck(network, worlds, before)
        if stuck is not None:
            return Found(len(worlds), "stuck", _trace(came, stuck))
    return Found(len(worlds))


def _trace(came: list[tuple[int, str]], number: int) -> tuple[str, ...]:
    labels = []
    while number > 0:
        number, label = came[number]
        labels.append(label)
    return tuple(reversed(labels))


def _stuck(network: Network, worlds: list[World], before: list[list[int]]) -> int | None:
    """The first world from which no good one can be reached by ordinary steps."""
    is_fine = [network.is_good(world) for world in worlds]
    queue = deque(number for number, fine in enumerate(is_fine) if fine)
    while queue:
        for number in before[queue.popleft()]:
            if not is_fine[number]:
                is_fine[number] = True
                queue.append(number)
    return next((number for number, fine in enumerate(is_fine) if not fine), None)
