"""Every path of the hub finds the route that Starlette's own router finds: the index leaves out only routes that cannot match."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Match, Mount, Route

from hub.app import Hub, open_services
from hub.clock import SystemClock
from hub.config import Config
from hub.route_index import RouteIndex


def scope_of(method: str, path: str, query: bytes = b"") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": "", "query_string": query, "headers": []}


def first_of(routes: list[BaseRoute], scope: dict[str, Any]) -> tuple[Match, BaseRoute | None]:
    """As Starlette's router looks: the first that matches, else the first that would with another method."""
    partial: BaseRoute | None = None
    for route in routes:
        match, _ = route.matches(dict(scope))
        if match is Match.FULL:
            return match, route
        if match is Match.PARTIAL and partial is None:
            partial = route
    return (Match.NONE if partial is None else Match.PARTIAL), partial


def found_by(index: RouteIndex, scope: dict[str, Any]) -> tuple[Match, Any]:
    match, found = index.matches(dict(scope))
    return match, found.get("handset_hub.route")


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[BaseRoute]:
    """Those of a whole hub."""
    services = open_services(Config(data_dir=Path(tmp_path_factory.mktemp("hub"))), SystemClock())
    try:
        return Hub(services)._routes()
    finally:
        services.db.close()


def test_every_path_finds_its_route(routes: list[BaseRoute]) -> None:
    index = RouteIndex(routes)
    paths = [re.sub(r"\{[^}]*\}", "abc", route.path) for route in routes if isinstance(route, Route | Mount)]
    paths += [f"{path}/" for path in paths] + [f"{path}/more" for path in paths]
    paths += ["", "/", "//", "/v1", "/v1/", "/nothing", "/nothing/here", "/V1/messages", "/{gateway}/x", "/ui/a/b/c"]
    for path in paths:
        for method in ("GET", "POST", "DELETE", "PROPFIND"):
            for query in (b"", b"id=1"):
                scope = scope_of(method, path, query)
                assert found_by(index, scope) == first_of(routes, scope), (method, path)


def test_a_route_for_any_first_word_keeps_its_place() -> None:
    async def answer(_request: Any) -> Any:
        """Not called."""

    own, anybodys, late = Route("/a/x", answer), Route("/{word}/b", answer), Route("/a/{rest}", answer)
    routes: list[BaseRoute] = [own, anybodys, late]
    index = RouteIndex(routes)
    for path, expected in (("/a/x", own), ("/a/b", anybodys), ("/c/b", anybodys), ("/a/c", late)):
        assert found_by(index, scope_of("GET", path)) == (Match.FULL, expected)
    assert found_by(index, scope_of("GET", "/c/d")) == (Match.NONE, None)
    assert found_by(index, scope_of("POST", "/a/x")) == (Match.PARTIAL, own)


def test_only_a_whole_application_is_called_past_starlette() -> None:
    async def function(_request: Any) -> Any:
        """Not called."""

    class Application:
        async def __call__(self, _scope: Any, _receive: Any, _send: Any) -> None:
            """Not called."""

    application = Application()
    index = RouteIndex([Route("/a/{x}", function), Route("/b/{x}", application, methods=["POST"])])
    scope = scope_of("POST", "/b/1")
    assert index.application_for(scope) is application
    assert scope["path_params"] == {"x": "1"}
    assert index.application_for(scope_of("GET", "/a/1")) is None, "Starlette turns its faults into answers"
    assert index.application_for(scope_of("GET", "/b/1")) is None, "Starlette answers 405"
    assert index.application_for(scope_of("POST", "/c/1")) is None


def test_other_kinds_of_requests_are_nobodys(routes: list[BaseRoute]) -> None:
    assert RouteIndex(routes).matches({"type": "lifespan"}) == (Match.NONE, {})
