"""What a phone transport is: the one name `PHONE_TRANSPORT` that its module exports.

A transport parses and authenticates, calls the use cases of `hub.devices` and `hub.messages`, and keeps its connected phones in
`hub.phones.sessions`. It decides nothing about a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from hub.core.ports import Worker
from hub.services import Services


def _no_routes(_services: Services) -> Sequence[BaseRoute]:
    return ()


def _no_sockets(_services: Services) -> Mapping[str, ASGIApp]:
    return {}


def _no_workers(_services: Services) -> Sequence[Worker]:
    return ()


@dataclass(frozen=True, slots=True)
class PhoneTransport:
    """One way for phones to be connected."""

    name: str
    """What stands in `device.transport`."""
    routes: Callable[[Services], Sequence[BaseRoute]] = _no_routes
    """Its HTTP routes."""
    sockets: Callable[[Services], Mapping[str, ASGIApp]] = _no_sockets
    """Its websocket paths: plain ASGI, called before Starlette's routing, whose objects would stay for each idle phone."""
    workers: Callable[[Services], Sequence[Worker]] = _no_workers
    """Its background loops."""
