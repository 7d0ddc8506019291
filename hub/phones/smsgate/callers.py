"""Who calls: a phone by its token; and that it was heard.

A token that is not known, or was made void, is answered 401 and nothing else: on `PATCH /device` that alone makes the app register again.
A suspended phone is answered 403: it keeps its token and tries again until it is let back in.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import OrderedDict
from typing import Any, Final, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.types import Scope

from hub.core.errors import Code, HubError
from hub.devices.arrival import Arrive, arrive
from hub.devices.enrol import code_hash
from hub.devices.presence import NoteSightings, note_sightings
from hub.log import get_logger
from hub.phones.sessions import Sessions
from hub.phones.smsgate.versions import Version, of_agent, of_stored
from hub.services import Services
from hub.storage.devices import DeviceRow, Sighting
from hub.storage.devices_app import find_device_by_token

log = get_logger("phones.smsgate")

TRANSPORT: Final = "smsgate"
QUIET_SECONDS: Final = 20 * 60
"""A phone without a stream asks every 15 minutes; some time beyond that it counts as gone."""
NOTE_SECONDS: Final = 30.0
SHOWN_SECONDS: Final = 600.0
"""How long a void token that was shown is remembered: the app registers again right after its 401."""
MOST_REMEMBERED: Final = 10_000


class Caller(NamedTuple):
    """A phone that proved itself."""

    device: DeviceRow
    """As it was read: not locked."""
    version: Version

    @property
    def device_id(self) -> str:
        return self.device.id

    @property
    def account_id(self) -> str:
        return self.device.account_id

    def command(self) -> dict[str, Any]:
        """What every command on its behalf carries (`hub.devices.arrival.OfPhone`)."""
        return {
            "account_id": self.device.account_id,
            "device_id": self.device.id,
            "credential_no": self.device.credential_no,
        }


def authorization_of(scope: Scope) -> tuple[str, str]:
    """(scheme in lower case, what follows it); two empty texts when there is none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, rest = value.decode("latin-1").strip().partition(" ")
            return scheme.lower(), rest.strip()
    return "", ""


def basic_of(encoded: str) -> tuple[str, str]:
    """Name and password of HTTP Basic. `unauthenticated` when it is none."""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise HubError(Code.UNAUTHENTICATED, "Authorization: Basic is not followed by base64.") from None
    return name, password


class Callers:
    """Finds out who calls, and writes down when phones were heard."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self._services = services
        self._sessions = sessions
        self._noted: dict[str, float] = {}
        self._shown: OrderedDict[str, float] = OrderedDict()

    async def identify(self, request: Request) -> Caller:
        """The phone behind `Authorization: Bearer <device token>`. `unauthenticated`, or `device_suspended`."""
        scheme, token = authorization_of(request.scope)
        found = await self.find(token) if scheme == "bearer" else None
        if found is None or found.revoked_at is not None:
            self._remember_shown(code_hash(token))
            raise HubError(
                Code.UNAUTHENTICATED, "This device token is not known here: the phone has to register again."
            )
        if found.suspended_at is not None:
            raise HubError(Code.DEVICE_SUSPENDED)
        told = of_agent(request.headers.get("user-agent", ""))
        caller = Caller(found, told or of_stored(found.app_version))
        await self._heard(caller, told)
        return caller

    async def find(self, token: str) -> DeviceRow | None:
        """The phone with this token."""
        if not token:
            return None
        return await self._services.db.read(find_device_by_token, TRANSPORT, code_hash(token))

    def shown(self) -> frozenset[str]:
        """Hashes of the void tokens that were shown a moment ago."""
        since = self._services.clock.monotonic() - SHOWN_SECONDS
        while self._shown and next(iter(self._shown.values())) < since:
            self._shown.popitem(last=False)
        return frozenset(self._shown)

    def _remember_shown(self, secret_sha256: str) -> None:
        self._shown[secret_sha256] = self._services.clock.monotonic()
        self._shown.move_to_end(secret_sha256)
        if len(self._shown) > MOST_REMEMBERED:
            self._shown.popitem(last=False)

    async def _heard(self, caller: Caller, told: Version | None) -> None:
        """Note that the phone is there: at once when it was away, else now and then."""
        device = caller.device
        now = self._services.clock.monotonic()
        session = self._sessions.live(device.id)
        if session is not None:
            session.last_heard = now
        is_updated = told is not None and str(told) != device.app_version
        if not device.is_online or is_updated:
            command = Arrive(
                **caller.command(),
                node=self._services.config.node_name,
                app_version=str(told) if told is not None else None,
                quiet_seconds=QUIET_SECONDS if session is None else None,
            )
            await self.arrived(command)
        elif session is None and now - self._noted.get(device.id, -NOTE_SECONDS) >= NOTE_SECONDS:
            self._note(device)
        else:
            return
        self._noted[device.id] = now
        if len(self._noted) > MOST_REMEMBERED:
            self._noted.clear()

    async def arrived(self, command: Arrive) -> None:
        """Mark a phone as there; its streams count under the number this gave it."""
        session_no = await self._services.db.writer.submit(arrive, command, *command.keys())
        session = self._sessions.live(command.device_id)
        if session is not None:
            session.session_no = max(session.session_no, session_no)

    def _note(self, device: DeviceRow) -> None:
        seen = Sighting(device.id, device.session_no, self._services.clock.now())
        try:
            future = self._services.db.writer.submit_soon(note_sightings, NoteSightings(sightings=(seen,)))
        except HubError as error:
            log.info("when a phone was heard could not be noted", device=device.id, why=error.code)
        else:
            future.add_done_callback(_look_at_error)


def _look_at_error(future: asyncio.Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.info("when a phone was heard could not be noted", why=str(error))


def decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """A body of the app; `bad_request` when it is none."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HubError(Code.BAD_REQUEST, f"The body is not what the app sends: {error}.") from None
