"""Who is asking: a login (Basic), a token (Bearer) of that API, or a key of the hub in either place."""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from dataclasses import dataclass

from starlette.types import Scope

from hub.accounts.credentials import Credential, Principal
from hub.accounts.keys import PREFIX
from hub.accounts.logins import LOGIN_SCOPES
from hub.accounts.rate import Bucket
from hub.core.errors import Code, HubError
from hub.dialects.auth import authenticate
from hub.dialects.smsgate import scopes
from hub.dialects.smsgate.tokens import Claims, Signer
from hub.services import Services
from hub.storage.logins import find_login
from hub.storage.smsgate_tokens import TokenRow, find_token

MOST_REMEMBERED = 20_000
_OLD_PYTHON = re.compile(rb"android-sms-gateway/1\.0\.0\b")
"""The Python client up to its third version: it knows no cancelling, and an unknown word ends a whole list for it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's caller."""

    principal: Principal
    scopes: frozenset[str]
    login_id: str | None = None
    """The login itself, or the one a token was made with; None for a key of the hub."""
    is_before_cancel: bool = False
    token: Claims | None = None

    @property
    def account_id(self) -> str:
        """What every look-up of this request is scoped by."""
        return self.principal.account_id

    def require(self, wanted: str) -> None:
        """Raise `scope_missing` unless the caller has this scope."""
        if not scopes.holds(self.scopes, wanted):
            raise HubError(Code.SCOPE_MISSING, f"scope required: {wanted}")


class _KnownToken:
    """A token that was found alive."""

    __slots__ = ("credential", "row")

    def __init__(self, row: TokenRow, credential: Credential) -> None:
        self.row = row
        self.credential = credential


class Callers:
    """Finds callers; remembers tokens until any credential changes, as keys and logins are remembered."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.signer = Signer(services.secrets)
        self._known: OrderedDict[str, _KnownToken] = OrderedDict()
        self._seen = services.credentials.changes

    async def identify(self, scope: Scope) -> Caller:
        """The caller of a request. Raises `unauthenticated`, `wrong_login`, `rate_limited`."""
        is_before_cancel = any(name == b"user-agent" and _OLD_PYTHON.match(value) for name, value in scope["headers"])
        scheme, rest = _authorization(scope)
        if scheme == b"bearer" and not rest.startswith(PREFIX.encode()):
            return await self._by_token(rest, is_before_cancel)
        if scheme == b"basic":
            username, password = _pair(rest)
            if not (password or username).startswith(PREFIX):
                credential = await self._services.logins.check(username, password)
                self._services.credentials.take(credential)
                principal = credential.principal
                return Caller(principal, frozenset({scopes.ALL}), principal.key_id, is_before_cancel)
        principal = await authenticate(scope, self._services.credentials)
        return Caller(principal, scopes.of_key(principal.scopes), None, is_before_cancel)

    async def _by_token(self, token: bytes, is_before_cancel: bool) -> Caller:
        claims = self.signer.read(token.decode("latin-1"))
        now = self._services.clock.now()
        if claims is None or claims.exp * 1000 <= now:
            raise HubError(Code.UNAUTHENTICATED)
        if claims.use == "refresh":
            return await self._by_refresh(claims, is_before_cancel)
        known = await self._token(claims.jti)
        self._services.credentials.take(known.credential)
        granted = frozenset(known.row.scopes.split())
        return Caller(known.credential.principal, granted, known.row.login_id, is_before_cancel, claims)

    async def _by_refresh(self, claims: Claims, is_before_cancel: bool) -> Caller:
        """A refresh token may do one thing; whether it is still good is decided in the transaction that uses it up."""
        principal = Principal("", claims.jti, "", frozenset())
        return Caller(principal, frozenset({scopes.REFRESH}), None, is_before_cancel, claims)

    async def _token(self, token_id: str) -> _KnownToken:
        if self._seen != self._services.credentials.changes:
            self._seen = self._services.credentials.changes
            self._known.clear()
        known = self._known.get(token_id)
        if known is not None:
            return known
        changes = -1
        while changes != self._services.credentials.changes:
            changes = self._services.credentials.changes
            row = await self._services.db.read(find_token, token_id)
            login = None if row is None else await self._services.db.read(find_login, row.account_id, row.login_id)
        if row is None or row.revoked_at is not None or login is None or login.password_at > row.created_at:
            raise HubError(Code.UNAUTHENTICATED)
        principal = Principal(row.account_id, row.login_id, login.username, LOGIN_SCOPES)
        per_second = self._services.config.requests_per_second
        credential = Credential(principal, row.expires_at, Bucket(per_second, self._services.clock.monotonic()))
        known = self._known[token_id] = _KnownToken(row, credential)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return known


def _authorization(scope: Scope) -> tuple[bytes, bytes]:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, rest = value.strip().partition(b" ")
            return scheme.lower(), rest.strip()
    return b"", b""


def _pair(encoded: bytes) -> tuple[str, str]:
    try:
        username, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        return username.decode(), password.decode()
    except (binascii.Error, UnicodeDecodeError):
        raise HubError(Code.UNAUTHENTICATED) from None
