"""What the hub serves to people's browsers: the built pages under `/ui/`, and `/session`, by which they sign in.

Everything the pages show and do goes through the native API; nothing of it is answered here.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from hub.dashboard.pages import page_routes
from hub.dashboard.session import session_routes
from hub.services import Services


def routes(services: Services) -> Sequence[BaseRoute]:
    """`/`, `/ui/*` and `/session/*`."""
    return [*page_routes(), *session_routes(services)]
