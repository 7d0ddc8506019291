"""Finds the adapters: every module of `dialects/`, `phones/` and `carriers/` that exports its one name.

There is no list to edit: a new adapter is one new file. Two adapters that claim one name, or one path, stop the start with a sentence
that names both (Starlette would silently give the path to the first).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Protocol, TypeVar

from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

import hub.dialects
import hub.phones
from hub.dialects.contract import Dialect
from hub.phones.contract import PhoneTransport


class Adapter(Protocol):
    """What every adapter has: a name, unique in its folder."""

    @property
    def name(self) -> str: ...


AdapterT = TypeVar("AdapterT", bound=Adapter)


def dialects() -> list[Dialect]:
    """Every customer-facing API, by name."""
    return _exported(hub.dialects, "DIALECT", Dialect)


def phone_transports() -> list[PhoneTransport]:
    """Every way a phone can speak to the hub, by name."""
    return _exported(hub.phones, "PHONE_TRANSPORT", PhoneTransport)


def _exported(package: ModuleType, name: str, kind: type[AdapterT]) -> list[AdapterT]:
    found: dict[str, AdapterT] = {}
    for item in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{item.name}")
        adapter = getattr(module, name, None)
        if adapter is None:
            continue
        if not isinstance(adapter, kind):
            raise TypeError(f"{module.__name__}.{name} is not a {kind.__name__}")
        if adapter.name in found:
            raise ValueError(f"two adapters in {package.__name__} are called {adapter.name!r}")
        found[adapter.name] = adapter
    return [found[key] for key in sorted(found)]


def refuse_double_claims(claims: Iterable[tuple[str, Sequence[BaseRoute]]]) -> None:
    """Raise `ValueError` when two adapters claim the same method and path."""
    owners: dict[tuple[str, str], str] = {}
    for owner, routes in claims:
        for method, path in _claims(routes):
            other = owners.setdefault((method, path), owner)
            if other != owner:
                raise ValueError(f"{method} {path} is claimed by both {other} and {owner}")


def _claims(routes: Sequence[BaseRoute]) -> Iterable[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Route):
            for method in route.methods or {"GET"}:
                yield method, getattr(route, "claim", route.path)
        elif isinstance(route, WebSocketRoute):
            yield "WEBSOCKET", route.path
        elif isinstance(route, Mount):
            yield "MOUNT", route.path
