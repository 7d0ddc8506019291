"""The hub's own phone app: a websocket, an HTTP stand-in for it, and the doors to come in by (docs/phones.md)."""

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from hub.core.ports import Worker
from hub.devices.tokens import PURPOSE, DeviceTokens
from hub.http import answering
from hub.phones.contract import PhoneTransport
from hub.phones.native.doors import Doors, help_page
from hub.phones.native.fallback import Fallback
from hub.phones.native.loops import PresenceLoop
from hub.phones.native.media import MediaDoor
from hub.phones.native.socket import PhoneSocket
from hub.phones.sessions import sessions_of
from hub.services import Services


def _tokens(services: Services) -> DeviceTokens:
    return DeviceTokens(services.secrets.derive_each(PURPOSE))


def _routes(services: Services) -> Sequence[BaseRoute]:
    tokens = _tokens(services)
    doors, media = Doors(services, tokens), MediaDoor(services, tokens)
    fallback = Fallback(services, sessions_of(services), tokens)
    return (
        Route("/device/v1/enroll", answering(doors.enroll), methods=["POST"]),
        Route("/device/v1/token", answering(doors.token), methods=["POST"]),
        Route("/device/v1/events", answering(fallback.events), methods=["POST"]),
        Route("/device/v1/jobs", answering(fallback.jobs), methods=["GET"]),
        Route("/device/v1/media/{sha256}", answering(media.put), methods=["PUT"]),
        Route("/device/v1/media/{sha256}", answering(media.get), methods=["GET"]),
        Route("/enroll", help_page, methods=["GET"]),
    )


def _sockets(services: Services) -> Mapping[str, ASGIApp]:
    return {"/device/v1/socket": PhoneSocket(services, sessions_of(services), _tokens(services))}


def _workers(services: Services) -> Sequence[Worker]:
    return (PresenceLoop(services, sessions_of(services)),)


PHONE_TRANSPORT = PhoneTransport(name="native", routes=_routes, sockets=_sockets, workers=_workers)
