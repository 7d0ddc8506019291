"""`/session`: how a person's browser is let in, who it is, and how it leaves. JSON in and out; docs/users.md lists the routes.

Every request that changes something has to come from the dashboard itself, with or without a cookie: signing somebody in to another
person's account from a foreign site is an attack too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.accounts.credentials import Principal
from hub.accounts.front_desk import LetIn
from hub.accounts.roles import scopes_of
from hub.accounts.settings import Region, ZoneName, read_settings
from hub.accounts.sign_ups import SignUpDesk
from hub.accounts.signed_in import signed_out
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.core.text import is_storable
from hub.devices.qr import qr_svg
from hub.dialects.auth import address_of, cookie_of, refuse_other_sites, set_cookie
from hub.http import answering, decode, json_response, read_body
from hub.services import Services
from hub.storage.accounts import find_account
from hub.storage.users import UserRow
from hub.webhooks.letters import Letters
from hub.webhooks.loops import mail_identity, mailer_of

BodyT = TypeVar("BodyT", bound=msgspec.Struct)

LARGEST_BODY = 16 * 1024
NO_STORE = {"Cache-Control": "no-store"}

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Password = Annotated[str, Meta(min_length=1, max_length=1024)]
Token = Annotated[str, Meta(min_length=1, max_length=128)]
OneCode = Annotated[str, Meta(min_length=1, max_length=32)]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    pass


class SignInBody(_Body):
    """Name and password, and a code when the person has a second factor."""

    username: Text
    password: Password
    code: OneCode | None = None


class SetupBody(_Body):
    """The first person."""

    token: Token
    username: Text
    name: Text
    password: Password
    account_name: Text | None = None
    time_zone: ZoneName | None = None
    default_region: Region | None = None


class ChoosePasswordBody(_Body):
    """A password, by a link."""

    token: Token
    password: Password


class SignUpBody(_Body):
    """Who wants an account."""

    email: Text
    name: Text
    password: Password


class ChangePasswordBody(_Body):
    """A new password, by the old one."""

    password: Password
    new_password: Password


class PasswordBody(_Body):
    """The password once more."""

    password: Password


class CodeBody(_Body):
    """A code of the authenticator app."""

    code: OneCode


class SessionUser(msgspec.Struct):
    """Who is signed in."""

    id: str
    username: str
    name: str
    role: str
    line_ids: list[str] | None
    """null = all."""
    has_totp: bool
    recovery_codes_left: int


class SessionAccount(msgspec.Struct):
    """Whose data it is."""

    id: str
    name: str
    time_zone: str
    default_region: str


class Session(msgspec.Struct):
    """What `GET /session` answers, and what signing in answers."""

    user: SessionUser
    account: SessionAccount
    scopes: list[str]


class SetupState(msgspec.Struct):
    """Whether the hub waits for its first person, and whether anybody may sign up."""

    is_needed: bool
    can_sign_up: bool


class TotpBegun(msgspec.Struct):
    """What an authenticator app reads, as picture and as text."""

    secret: str
    address: str
    qr_svg: str


class RecoveryCodes(msgspec.Struct):
    """Shown once."""

    recovery_codes: list[str]


class SessionRoutes:
    """The handlers, with the services they use."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._desk = services.front_desk
        self._base_url = services.config.base_url
        self._sign_ups = _sign_up_desk(services)

    def routes(self) -> Sequence[BaseRoute]:
        """Every path of `/session`."""
        table: Mapping[str, Mapping[str, Callable[[Request], Awaitable[Response]]]] = {
            "/session": {"GET": self._who, "POST": self._sign_in, "DELETE": self._sign_out},
            "/session/all": {"DELETE": self._sign_out_everywhere},
            "/session/setup": {"GET": self._setup_state, "POST": self._set_up},
            "/session/sign-up": {"POST": self._sign_up},
            "/session/confirm": {"POST": self._confirm_sign_up},
            "/session/password": {"POST": self._choose_password, "PUT": self._change_password},
            "/session/totp": {"POST": self._begin_totp, "DELETE": self._drop_totp},
            "/session/totp/confirm": {"POST": self._confirm_totp},
        }
        return [
            Route(path, answering(self._guarded(run)), methods=[method])
            for path, methods in table.items()
            for method, run in methods.items()
        ]

    def _guarded(self, run: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.method not in ("GET", "HEAD"):
                refuse_other_sites(request.scope, self._base_url)
            return await run(request)

        return guarded

    async def _who(self, request: Request) -> Response:
        who = await self._principal(request)
        return await self._shown(await self._desk.person(who))

    async def _sign_in(self, request: Request) -> Response:
        body = await _read(request, SignInBody)
        let_in = await self._desk.sign_in(
            body.username,
            body.password,
            body.code,
            address=address_of(request.scope),
            old=await self._principal_or_none(request),
        )
        return await self._let_in(request, let_in)

    async def _sign_out(self, request: Request) -> Response:
        who = await self._principal_or_none(request)
        if who is not None:
            await self._desk.sign_out(who)
        return self._forgotten(request)

    async def _sign_out_everywhere(self, request: Request) -> Response:
        await self._desk.sign_out_everywhere(await self._principal(request))
        return self._forgotten(request)

    async def _setup_state(self, _request: Request) -> Response:
        return json_response(
            SetupState(await self._desk.is_setup_needed(), self._sign_ups is not None), headers=NO_STORE
        )

    async def _set_up(self, request: Request) -> Response:
        body = await _read(request, SetupBody)
        given = {"time_zone": body.time_zone, "default_region": body.default_region}
        let_in = await self._desk.set_up(
            body.token,
            body.username,
            body.name,
            body.password,
            address=address_of(request.scope),
            account_name=body.account_name,
            settings={name: value for name, value in given.items() if value is not None},
        )
        return await self._let_in(request, let_in, 201)

    async def _sign_up(self, request: Request) -> Response:
        body = await _read(request, SignUpBody)
        address = address_of(request.scope)
        is_mailed = await self._open_desk().request(body.email, body.name, body.password, address=address)
        return json_response({"is_mailed": is_mailed}, 202, NO_STORE)

    async def _confirm_sign_up(self, request: Request) -> Response:
        body = await _read(request, ChoosePasswordBody)
        address = address_of(request.scope)
        made = await self._open_desk().confirm(body.token, body.password, address=address)
        let_in = await self._desk.sign_in(made.username, body.password, None, address=address)
        return await self._let_in(request, let_in, 201)

    def _open_desk(self) -> SignUpDesk:
        if self._sign_ups is None:
            raise HubError(Code.NOT_FOUND, "This hub takes no sign-ups. Ask its administrator for an invitation.")
        return self._sign_ups

    async def _choose_password(self, request: Request) -> Response:
        body = await _read(request, ChoosePasswordBody)
        user = await self._desk.choose_password(body.token, body.password, address=address_of(request.scope))
        return json_response({"username": user.username}, headers=NO_STORE)

    async def _change_password(self, request: Request) -> Response:
        who = await self._principal(request)
        body = await _read(request, ChangePasswordBody)
        await self._desk.change_password(who, body.password, body.new_password, address=address_of(request.scope))
        return Response(status_code=204)

    async def _begin_totp(self, request: Request) -> Response:
        who = await self._principal(request)
        body = await _read(request, PasswordBody)
        begun = await self._desk.begin_second_factor(who, body.password, address=address_of(request.scope))
        picture = qr_svg(begun.address).decode()
        return json_response(TotpBegun(begun.secret, begun.address, picture), 201, NO_STORE)

    async def _confirm_totp(self, request: Request) -> Response:
        who = await self._principal(request)
        body = await _read(request, CodeBody)
        codes = await self._desk.confirm_second_factor(who, body.code, address=address_of(request.scope))
        return json_response(RecoveryCodes(codes), headers=NO_STORE)

    async def _drop_totp(self, request: Request) -> Response:
        who = await self._principal(request)
        body = await _read(request, PasswordBody)
        await self._desk.drop_second_factor(who, body.password, address=address_of(request.scope))
        return Response(status_code=204)

    async def _principal(self, request: Request) -> Principal:
        cookie = cookie_of(request.scope, self._base_url)
        if cookie is None:
            raise signed_out()
        return await self._services.signed_in.find(cookie)

    async def _principal_or_none(self, request: Request) -> Principal | None:
        try:
            return await self._principal(request)
        except HubError as error:
            if error.code is Code.UNAUTHENTICATED:
                return None
            raise

    async def _let_in(self, request: Request, let_in: LetIn, status: int = 200) -> Response:
        response = await self._shown(let_in.user, status)
        response.headers["Set-Cookie"] = set_cookie(request.scope, self._base_url, let_in.cookie, let_in.lives_seconds)
        return response

    def _forgotten(self, request: Request) -> Response:
        cookie = set_cookie(request.scope, self._base_url, "", 0)

        return Response(status_code=204, headers={"Set-Cookie": cookie})

    async def _shown(self, user: UserRow, status: int = 200) -> Response:
        account = await self._services.db.read(find_account, user.account_id)
        if account is None:
            raise signed_out()
        settings = read_settings(account.settings)
        session = Session(
            user=_user(user),
            account=SessionAccount(
                id=render("account", account.id),
                name=account.name,
                time_zone=settings.time_zone,
                default_region=settings.default_region or self._services.config.default_region,
            ),
            scopes=sorted(scopes_of(user.role)),
        )
        return json_response(session, status, NO_STORE)


def _sign_up_desk(services: Services) -> SignUpDesk | None:
    """Where people sign up; None on a hub that takes none."""
    config = services.config
    if config.sign_up != "on":
        return None
    mailer = mailer_of(config)
    letters = None if mailer is None else Letters(mailer, mail_identity(config, services.secrets))
    return SignUpDesk(services.db, services.clock, services.ids, services.secrets, config.base_url, letters)


def _user(user: UserRow) -> SessionUser:
    return SessionUser(
        id=render("user", user.id),
        username=user.username,
        name=user.name,
        role=user.role,
        line_ids=None if user.lines is None else [render("line", line) for line in sorted(user.lines)],
        has_totp=user.totp_secret is not None,
        recovery_codes_left=len(user.recovery_hashes.split()),
    )


async def _read(request: Request, kind: type[BodyT]) -> BodyT:
    """The body of a request. Raises `unsupported_media_type`, `bad_request` and `validation`."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise HubError(Code.UNSUPPORTED_MEDIA_TYPE, "Send the body with Content-Type: application/json.")
    raw = await read_body(request.scope, request.receive, LARGEST_BODY)
    body = decode(msgspec.json.Decoder(kind), raw)
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if isinstance(value, str) and not is_storable(value):
            raise HubError(Code.VALIDATION, f"{name} holds a NUL character; leave it out.")
    return body


def session_routes(services: Services) -> Sequence[BaseRoute]:
    """Every path of `/session`."""
    return SessionRoutes(services).routes()
