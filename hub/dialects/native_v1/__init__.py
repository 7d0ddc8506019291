"""Our own REST API, `/v1`, with its description at `/openapi.json` and its reference at `/docs`."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from hub.dialects.contract import Dialect
from hub.dialects.native_v1.reference import reference_routes
from hub.dialects.native_v1.serving import routes
from hub.dialects.native_v1.table import OPERATIONS
from hub.services import Services


def _routes(services: Services) -> Sequence[BaseRoute]:
    return [*routes(services, OPERATIONS), *reference_routes()]


DIALECT = Dialect(name="v1", routes=_routes)
