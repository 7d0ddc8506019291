"""One request of a gateway: who asks, and the fields it sent."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from hub.accounts.keys import PREFIX
from hub.core.errors import Code, HubError
from hub.core.text import is_storable
from hub.dialects.twilio.errors import INVALID, ApiError
from hub.gateways.desk import GATEWAY_SCOPES, WRONG_TOKEN, Gateway
from hub.http import read_body
from hub.services import Services

FORM = b"application/x-www-form-urlencoded"
MOST_FIELDS = 200


class Form:
    """A form's fields; a name may stand in it several times. Names are found whatever their first letter's case."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._first: dict[str, str] = {}
        for name, value in pairs:
            self._first.setdefault(name[:1].upper() + name[1:], value)

    def get(self, name: str) -> str | None:
        """The first value of a field, None when it is absent or empty."""
        return self._first.get(name) or None

    def has(self, name: str) -> bool:
        """Whether the field is there, be it empty."""
        return name in self._first

    def every(self, name: str) -> list[str]:
        """All values of a field, also as `name0`, `name1` …, without the empty ones."""
        return [value for _, value in self.numbered(name)]

    def numbered(self, name: str) -> list[tuple[str, str]]:
        """The same, each with its number as it was written, empty without one."""
        keyed = ((key[:1].upper() + key[1:], value) for key, value in self.pairs if value)
        return [(key[len(name) :], value) for key, value in keyed if key.rstrip("0123456789") == name]


class Call(msgspec.Struct, frozen=True):
    """A request whose gateway is known."""

    services: Services
    gateway: Gateway
    form: Form
    request: Request

    @property
    def account_id(self) -> str:
        """Whose rows it may see."""
        return self.gateway.account_id

    @property
    def now(self) -> int:
        """The hub's clock."""
        return self.services.clock.now()

    def new_id(self) -> str:
        """A fresh id."""
        return self.services.ids.next(self.now)


async def read_form(services: Services, request: Request) -> Form:
    """The fields of a body. Raises `ApiError` for what is no form, `body_too_large`."""
    raw = await read_body(request.scope, request.receive, services.config.max_body_bytes)
    return parse_form(raw, request.headers.get("content-type", ""))


def parse_form(raw: bytes, content_type: str) -> Form:
    """The fields of a body's bytes."""
    if not raw:
        return Form([])
    if content_type.encode("latin-1").partition(b";")[0].strip().lower() != FORM:
        raise ApiError(INVALID, 415, "Send the fields as application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS, encoding="utf-8"
        )
    except UnicodeDecodeError:
        raise ApiError(INVALID, 400, "The form is not percent-encoded UTF-8.") from None
    except ValueError:
        raise ApiError(INVALID, 400, f"The form has more than {MOST_FIELDS} fields.") from None
    for name, value in pairs:
        if not is_storable(name) or not is_storable(value):
            raise ApiError(INVALID, 400, f"The field {name[:40]!r} holds a character that no text can have.")
    return Form(pairs)


async def asking_gateway(services: Services, request: Request, form: Form, named: Gateway | None) -> Gateway:
    """The gateway that a request acts for: SID and token by HTTP Basic or as form fields, or one of the account's own keys.

    `named` is the gateway the path names; another one's credentials do not open it. Raises `wrong_login`, `unauthenticated`,
    `rate_limited`, and `scope_missing` for a key.
    """
    name, secret = _credentials(request, form)
    if secret.startswith(PREFIX):
        return await _by_key(services, secret, named, name)
    gateway = await services.gateways.check(name, secret)
    if named is not None and gateway.id != named.id:
        raise HubError(Code.WRONG_LOGIN, WRONG_TOKEN)
    return gateway


async def _by_key(services: Services, key: str, named: Gateway | None, name: str) -> Gateway:
    credential = await services.credentials.find(key)
    services.credentials.take(credential)
    gateway = named or await services.gateways.by_sid(name)
    if gateway is None or gateway.account_id != credential.principal.account_id:
        raise HubError(Code.WRONG_LOGIN, WRONG_TOKEN)
    for scope in GATEWAY_SCOPES:
        credential.principal.require(scope)
    return gateway


def _credentials(request: Request, form: Form) -> tuple[str, str]:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            raise HubError(Code.UNAUTHENTICATED, "Send the account SID and the auth token as HTTP Basic.")
        try:
            name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise HubError(Code.UNAUTHENTICATED, "Authorization: Basic is not followed by base64.") from None
        return name, secret
    sid, token = form.get("AccountSid"), form.get("AuthToken")
    if sid is None or token is None:
        raise HubError(Code.UNAUTHENTICATED, "Send the account SID and the auth token as HTTP Basic.")
    return sid, token
