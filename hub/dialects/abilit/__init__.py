"""Abil'I.T.'s API and webhooks: `/api/v1/sms…`, `/api/v1/dlq…`, delivery reports to `callback_url`, key rotation."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from hub.accounts.scopes import Scope
from hub.dialects.abilit.dlq import list_dead, replay_dead
from hub.dialects.abilit.events import Abilit
from hub.dialects.abilit.keys import rotate_key
from hub.dialects.abilit.messages import cancel_message, get_message, list_messages
from hub.dialects.abilit.sending import refuse, send
from hub.dialects.contract import Dialect
from hub.dialects.json_door import Operation, Path, PathRoute
from hub.services import Services


def _routes(services: Services) -> Sequence[BaseRoute]:
    def path(method: str, operation: Operation) -> Path:
        return Path(services, {method: operation}, refuse)

    return [
        PathRoute("/api/v1/sms/send", path("POST", Operation(send, Scope.MESSAGES_SEND, 202))),
        PathRoute(
            "/api/v1/sms", path("GET", Operation(list_messages, Scope.MESSAGES_READ)), parameter="id", is_present=False
        ),
        PathRoute("/api/v1/sms/{message_id}", path("GET", Operation(get_message, Scope.MESSAGES_READ))),
        PathRoute("/api/v1/sms/{message_id}/cancel", path("POST", Operation(cancel_message, Scope.MESSAGES_SEND))),
        PathRoute("/api/v1/dlq", path("GET", Operation(list_dead, Scope.MESSAGES_READ))),
        PathRoute("/api/v1/dlq/replay", path("POST", Operation(replay_dead, Scope.MESSAGES_SEND))),
        PathRoute("/api/v1/keys/{key_id}/rotate", path("POST", Operation(rotate_key, Scope.KEYS_WRITE, 201))),
    ]


DIALECT = Dialect(name="abilit", routes=_routes, webhook_formats=(Abilit(),))
