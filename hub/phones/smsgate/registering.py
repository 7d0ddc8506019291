"""`/device` and `/user`: how the app comes in, and what it says of itself.

    Sign Up     Authorization: Bearer <private token>, or none at all: then the word stands in the address, /p/<word>/device
    Sign In     Authorization: Basic <login:password> of the account
    By Code     Authorization: Code <word>

Every automatic return is a Sign Up. What wins when several are there: Basic, Code, the word in the address, the private token. So a
phone that comes from another server with that server's token still in its settings needs nothing but a new address.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from device_protocol.enrolment import DeviceDescription
from hub.accounts.logins import SHORTEST_PASSWORD
from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError
from hub.core.ids import to_smsgate21
from hub.devices.arrival import Arrive, RememberAboutPhone, read_remembered, remember_about_phone
from hub.devices.enrol import code_hash, create_enrolment
from hub.devices.registration import Register, Registered, new_word, register, word_hash
from hub.http import read_body
from hub.log import get_logger
from hub.phones.requests import source_of
from hub.phones.sessions import Sessions
from hub.phones.smsgate.answers import answer, no_content
from hub.phones.smsgate.callers import (
    QUIET_SECONDS,
    TRANSPORT,
    Caller,
    Callers,
    authorization_of,
    basic_of,
    decoded,
)
from hub.phones.smsgate.times import write_time
from hub.phones.smsgate.versions import of_agent
from hub.phones.smsgate.wire import DEFAULT_SIM, RegisterBody, UpdateBody, sims_of
from hub.phones.throttle import Brake
from hub.services import Services
from hub.storage.accounts import find_account
from hub.storage.devices import DeviceRow

log = get_logger("phones.smsgate")

BODY_MAX_BYTES: Final = 64 * 1024
TOKEN_LENGTH: Final = 21
SHORTEST_NEW_PASSWORD: Final = max(14, SHORTEST_PASSWORD)

_GUESSES = frozenset({Code.TOKEN_UNKNOWN, Code.UNAUTHENTICATED, Code.WRONG_LOGIN})

_register_decoder = msgspec.json.Decoder(RegisterBody)
_update_decoder = msgspec.json.Decoder(UpdateBody)
_password_decoder = msgspec.json.Decoder(dict[str, str])


class Registering:
    """The routes."""

    def __init__(self, services: Services, sessions: Sessions, callers: Callers) -> None:
        self._services = services
        self._sessions = sessions
        self._callers = callers
        self._failures = Brake(services.clock, burst=30, seconds=2.0)
        self._words = Brake(services.clock, burst=10, seconds=6.0)

    async def create(self, request: Request) -> Response:
        """`POST /device`: 201 with the phone's id and token."""
        source = source_of(request.scope)
        self._failures.check(source)
        try:
            return await self._create(request)
        except HubError as error:
            if error.code in _GUESSES:
                self._failures.count(source)
            raise

    async def _create(self, request: Request) -> Response:
        services = self._services
        body: RegisterBody = decoded(
            _register_decoder, await read_body(request.scope, request.receive, BODY_MAX_BYTES) or b"{}"
        )
        account_id, word, login = await self._way_in(request)
        token = secrets.token_urlsafe(TOKEN_LENGTH)[:TOKEN_LENGTH]
        command = Register(
            transport=TRANSPORT,
            secret_sha256=code_hash(token),
            device=_description(body, request.headers.get("user-agent", "")),
            new_device_id=services.ids.next(services.clock.now()),
            hub_epoch=services.hub_epoch,
            word_sha256=word,
            account_id=account_id,
            sim_unless_told=DEFAULT_SIM,
            shown_secrets=self._callers.shown(),
        )
        registered = await services.db.writer.submit(register, command, *command.keys())
        log.info("a phone registered", device=registered.device_id, is_new=registered.is_new)
        told: dict[str, Any] = {"id": to_smsgate21(registered.device_id), "token": token}
        is_sign_up = login is None and authorization_of(request.scope)[0] != "code"
        told |= {"login": login} if login is not None else await self._login_of(registered, token, is_sign_up)
        return answer(told, 201)

    async def _way_in(self, request: Request) -> tuple[str | None, str | None, str | None]:
        """(account somebody signed in to, hash of the word that was brought, login that signed in)."""
        scheme, rest = authorization_of(request.scope)
        if scheme == "basic":
            name, password = basic_of(rest)
            credential = await self._services.logins.check(name, password)
            return credential.principal.account_id, None, name
        in_address = request.path_params.get("word", "")
        word = rest if scheme == "code" else in_address or rest
        if not word or (scheme not in ("", "bearer", "code")):
            raise HubError(Code.TOKEN_UNKNOWN, "Give the private token or code that the hub made for this phone.")
        word_sha256 = word_hash(word)
        self._words.take(word_sha256)
        return None, word_sha256, None

    async def _login_of(self, registered: Registered, token: str, is_sign_up: bool) -> dict[str, str]:
        """What the app shows under its switch: the phone's own login, with its password when it was made just now."""
        services = self._services
        known = read_remembered(registered.settings).get("login")
        if known is not None:
            return {"login": known}
        if not is_sign_up:
            account = await services.db.read(find_account, registered.account_id)
            return {"login": _plain(account.name if account is not None else "")}
        made = await services.logins.create(registered.account_id)
        values = {"login": made.row.username, "login_id": made.row.id}
        device = await self._read(token)
        command = RememberAboutPhone(
            account_id=device.account_id, device_id=device.id, credential_no=device.credential_no, values=values
        )
        await services.db.writer.submit(remember_about_phone, command, *command.keys())
        return {"login": made.row.username, "password": made.password}

    async def _read(self, token: str) -> DeviceRow:
        found = await self._callers.find(token)
        if found is None:
            raise HubError(Code.UNAUTHENTICATED)
        return found

    async def update(self, request: Request) -> Response:
        """`PATCH /device`: 204. The id in the body is not looked at: the token says which phone it is, also one that was moved in."""
        caller = await self._callers.identify(request)
        body: UpdateBody = decoded(
            _update_decoder, await read_body(request.scope, request.receive, BODY_MAX_BYTES) or b"{}"
        )
        has_stream = self._sessions.is_online(caller.device_id)
        command = Arrive(
            **caller.command(),
            node=self._services.config.node_name,
            app_version=str(caller.version),
            quiet_seconds=None if has_stream else QUIET_SECONDS,
            sims=sims_of(body.sim_cards) if body.sim_cards else (),
        )
        await self._callers.arrived(command)
        return no_content()

    async def read(self, request: Request) -> Response:
        """`GET /device`: the caller's address, and the phone when it says which it is."""
        told: dict[str, Any] = {"externalIp": source_of(request.scope)}
        if authorization_of(request.scope)[0] == "bearer":
            caller = await self._callers.identify(request)
            told["device"] = _shown(caller, self._services.clock.now())
        return answer(told)

    async def code(self, request: Request) -> Response:
        """`GET /user/code`: a word for another phone, for somebody who signed in."""
        scheme, rest = authorization_of(request.scope)
        if scheme != "basic":
            raise HubError(Code.UNAUTHENTICATED, "Sign in with login and password.")
        self._failures.check(source_of(request.scope))
        services = self._services
        credential = await services.logins.check(*basic_of(rest))
        new = new_word(
            credential.principal.account_id,
            None,
            transport=TRANSPORT,
            new_id=lambda: services.ids.next(services.clock.now()),
            random=secrets.token_bytes,
        )
        view = await services.db.writer.submit(create_enrolment, new.command, *new.command.keys())
        return answer({"code": new.token, "validUntil": write_time(view.expires_at)})

    async def password(self, request: Request) -> Response:
        """`PATCH /user/password`: the password of the login this phone was given."""
        caller = await self._callers.identify(request)
        body: dict[str, str] = decoded(
            _password_decoder, await read_body(request.scope, request.receive, BODY_MAX_BYTES)
        )
        login_id = read_remembered(caller.device.settings).get("login_id")
        if login_id is None:
            raise HubError(
                Code.BAD_REQUEST, "This phone was given no login of its own: change the password at the hub."
            )
        new = body.get("newPassword", "")
        if len(new) < SHORTEST_NEW_PASSWORD:
            raise HubError(Code.BAD_REQUEST, f"Give a password of {SHORTEST_NEW_PASSWORD} characters or more.")
        logins = self._services.logins
        if not await logins.is_password_of(caller.account_id, login_id, body.get("currentPassword", "")):
            raise HubError(Code.WRONG_LOGIN, "The current password is wrong.")
        await logins.set_password(caller.account_id, login_id, new)
        return no_content()


def _plain(text: str) -> str:
    """The app draws it as HTML."""
    return text.replace("<", "").replace("&", "")


def _description(body: RegisterBody, user_agent: str) -> DeviceDescription:
    maker, _, model = body.name.partition("/")
    version = of_agent(user_agent)
    sees_sims = {} if body.sim_cards is None else {"read_phone_state": bool(body.sim_cards)}
    return DeviceDescription(
        app_version=str(version) if version is not None else "",
        manufacturer=maker.strip()[:200],
        model=model.strip()[:200],
        sims=sims_of(body.sim_cards),
        permissions=sees_sims,
    )


def _shown(caller: Caller, now: UtcMs) -> dict[str, str]:
    device = caller.device
    return {
        "id": to_smsgate21(device.id),
        "name": device.name,
        "createdAt": write_time(device.created_at),
        "updatedAt": write_time(device.enrolled_at),
        "lastSeen": write_time(device.last_seen_at or now),
    }
