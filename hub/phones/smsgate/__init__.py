"""Phones with the app of sms-gate.app ("SMS Gateway for Android"), as it is published (docs/adapters/phone-smsgate.md).

Three addresses for one API, whichever the app's "API URL" holds: `/mobile/v1`, `/api/mobile/v1` as on a server of its own make, and
`/p/<word>`, short enough to type, whose word is the phone's private token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.core.errors import Code, HubError
from hub.phones.contract import PhoneTransport
from hub.phones.sessions import sessions_of
from hub.phones.smsgate.answers import Endpoint, answering
from hub.phones.smsgate.callers import TRANSPORT, Callers
from hub.phones.smsgate.events import Events
from hub.phones.smsgate.hooks import HOOK_PATH, Hooks
from hub.phones.smsgate.memory import PhoneMemory
from hub.phones.smsgate.pulling import Pulling
from hub.phones.smsgate.registering import Registering
from hub.phones.smsgate.secrets_of import PURPOSE, PhoneSecrets
from hub.phones.smsgate.settings import AppSettings
from hub.services import Services

BASES: Final = ("/mobile/v1", "/api/mobile/v1", "/p/{word}")


class Doors:
    """Finds the call: the app puts the typed address and the call's path together, so there may be slashes too many."""

    def __init__(self, services: Services) -> None:
        sessions = sessions_of(services)
        secrets = PhoneSecrets(services.secrets.derive_each(PURPOSE))
        callers = Callers(services, sessions)
        memory = PhoneMemory(services, sessions)
        registering = Registering(services, sessions, callers)
        pulling = Pulling(services, sessions, callers, memory)
        hooks = Hooks(services, sessions, callers, secrets, memory)
        settings = AppSettings(services, callers, secrets, memory)
        events = Events(services, sessions, callers, hooks, settings)
        memory.on_settings = events.tell_settings
        self._calls: dict[tuple[str, str], Endpoint] = {
            ("POST", "device"): registering.create,
            ("PATCH", "device"): registering.update,
            ("GET", "device"): registering.read,
            ("GET", "message"): pulling.list_texts,
            ("GET", "messages"): pulling.list_texts,
            ("PATCH", "message"): pulling.take_states,
            ("PATCH", "messages"): pulling.take_states,
            ("GET", "webhooks"): hooks.list_hooks,
            ("GET", "settings"): settings.read,
            ("GET", "events"): events.open,
            ("GET", "user/code"): registering.code,
            ("PATCH", "user/password"): registering.password,
        }
        self._paths = {path for _, path in self._calls}
        self.take_post = hooks.take

    async def call(self, request: Request) -> Response:
        """One call of the app."""
        path = "/".join(part for part in request.path_params["call"].split("/") if part)
        endpoint = self._calls.get((request.method, path))
        if endpoint is not None:
            return await endpoint(request)
        raise HubError(Code.METHOD_NOT_ALLOWED if path in self._paths else Code.NOT_FOUND)


def _routes(services: Services) -> Sequence[BaseRoute]:
    doors = Doors(services)
    call = answering(doors.call)
    return (
        Route(HOOK_PATH + "/{address}", answering(doors.take_post), methods=["POST"]),
        *(Route(base + "{call:path}", call, methods=["GET", "POST", "PATCH"]) for base in BASES),
    )


PHONE_TRANSPORT = PhoneTransport(name=TRANSPORT, routes=_routes)
