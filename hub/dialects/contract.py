"""What a dialect is: an API that customers already use, translated into our use cases.

A dialect is found by scanning this folder for a module that exports `DIALECT`; there is no list to add it to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from hub.core.ports import WebhookFormat, Worker
from hub.services import Services


def no_loops(_services: Services) -> Sequence[Worker]:
    """For a dialect that only answers."""
    return ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One door."""

    name: str
    """Unique; stored with each message that came in by it, and the scope of its idempotency keys."""
    routes: Callable[[Services], Sequence[BaseRoute]]
    workers: Callable[[Services], Sequence[Worker]] = no_loops
    webhook_formats: tuple[WebhookFormat, ...] = ()
    """Its vendor's way of telling events, where it has one."""
