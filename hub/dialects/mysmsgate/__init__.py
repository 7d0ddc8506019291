"""MySMSGate's API and webhooks: `/api/v1/send`, `/api/v1/sms?id=`, `/api/v1/history`, `/api/v1/devices`, `/api/v1/balance`."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from hub.accounts.scopes import Scope
from hub.dialects.contract import Dialect
from hub.dialects.json_door import Operation, Path, PathRoute
from hub.dialects.mysmsgate.events import MySmsGate
from hub.dialects.mysmsgate.reading import get_balance, get_sms, list_devices, list_history
from hub.dialects.mysmsgate.sending import refuse, send
from hub.services import Services


def _routes(services: Services) -> Sequence[BaseRoute]:
    def path(method: str, operation: Operation) -> Path:
        return Path(services, {method: operation}, refuse)

    return [
        PathRoute("/api/v1/send", path("POST", Operation(send, Scope.MESSAGES_SEND, 202))),
        PathRoute("/api/v1/sms", path("GET", Operation(get_sms, Scope.MESSAGES_READ)), parameter="id"),
        PathRoute("/api/v1/history", path("GET", Operation(list_history, Scope.MESSAGES_READ))),
        PathRoute("/api/v1/devices", path("GET", Operation(list_devices, Scope.DEVICES_READ))),
        PathRoute("/api/v1/balance", path("GET", Operation(get_balance, Scope.ACCOUNT_READ))),
    ]


DIALECT = Dialect(name="mysmsgate", routes=_routes, webhook_formats=(MySmsGate(),))
