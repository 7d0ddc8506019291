"""Agile Telecom: inbound texts told in its form, and taken in as its customer."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from hub.dialects.agile.events import Agile
from hub.dialects.agile.inbound import PATH, Inbound
from hub.dialects.contract import Dialect
from hub.dialects.json_door import ANY_METHOD
from hub.services import Services


def _routes(services: Services) -> Sequence[BaseRoute]:
    return [Route(PATH, Inbound(services), methods=ANY_METHOD)]


DIALECT = Dialect(name="agile", routes=_routes, webhook_formats=(Agile(),))
