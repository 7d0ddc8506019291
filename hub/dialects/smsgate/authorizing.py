"""`/auth/token`: tokens made, refreshed and revoked."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hub.core.clock import rfc3339
from hub.core.errors import Code, HubError
from hub.core.ids import BadId, from_smsgate21
from hub.dialects.smsgate import scopes
from hub.dialects.smsgate.answers import answer, nothing, wrong
from hub.dialects.smsgate.callers import Caller
from hub.dialects.smsgate.reading import as_object, number
from hub.dialects.smsgate.serving import Ask, Operation
from hub.dialects.smsgate.tokens import (
    ACCESS_SECONDS,
    REFRESH_SECONDS,
    MakeToken,
    Pair,
    Refreshed,
    RefreshToken,
    RevokeToken,
    make_tokens,
    refresh_tokens,
    revoke_tokens,
)
from hub.storage.smsgate_tokens import TokenRow

MOST_SCOPES = 50
LONGEST_TTL = 10 * 365 * 86_400


class Authorizing:
    """The operations."""

    def operations(self) -> list[Operation]:
        """The table."""
        return [
            Operation("POST", "/auth/token", scopes.MANAGE, self.make),
            Operation("POST", "/auth/token/refresh", scopes.REFRESH, self.refresh),
            Operation("DELETE", "/auth/token/", scopes.MANAGE, self.revoke),
        ]

    async def make(self, ask: Ask) -> Response:
        """201 with an access token and a refresh token. A token hands out no more than it holds."""
        body = as_object(ask.body)
        wanted = _scopes(ask.caller, body.get("scopes"))
        seconds = min(number(body, "ttl", least=0, most=LONGEST_TTL) or ACCESS_SECONDS, ACCESS_SECONDS)
        if ask.caller.login_id is None:
            raise HubError(Code.SCOPE_MISSING, "A key of the hub makes no tokens: it can be used as one.")
        token_id, now = ask.new_id(), ask.now
        row = TokenRow(
            id=token_id,
            account_id=ask.account_id,
            login_id=ask.caller.login_id,
            scopes=" ".join(wanted),
            refresh_id=ask.new_id(),
            family_id=token_id,
            created_at=now,
            expires_at=now + seconds * 1000,
            refresh_expires_at=now + REFRESH_SECONDS * 1000,
        )
        await ask.write(make_tokens, MakeToken(row=row))
        return _answer(ask.callers.signer.pair(row, ask.caller.principal.key_name))

    async def refresh(self, ask: Ask) -> Response:
        """201 with the next pair; the refresh token that was sent is used up."""
        claims = ask.caller.token
        if claims is None:
            raise HubError(Code.SCOPE_MISSING, f"scope required: {scopes.REFRESH}")
        command = RefreshToken(
            refresh_id=claims.jti,
            new_id=ask.new_id(),
            new_refresh_id=ask.new_id(),
            access_seconds=ACCESS_SECONDS,
        )
        done: Refreshed = await ask.write(refresh_tokens, command)
        if done.row is None:
            raise HubError(Code.UNAUTHENTICATED)
        return _answer(ask.callers.signer.pair(done.row, done.username))

    async def revoke(self, ask: Ask) -> Response:
        """204, also when there is none."""
        try:
            token_id = from_smsgate21(ask.tail)
        except BadId:
            return nothing()
        await ask.write(revoke_tokens, RevokeToken(account_id=ask.account_id, token_id=token_id))
        return nothing()


def _scopes(caller: Caller, value: Any) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_SCOPES:
        raise wrong("scopes must be a list of at least one scope.")
    for one in value:
        if not isinstance(one, str) or one not in scopes.KNOWN:
            raise wrong(f"scopes: {str(one)[:40]!r} is none of {', '.join(sorted(scopes.KNOWN))}.")
        caller.require(one)
    return list(dict.fromkeys(value))


def _answer(pair: Pair) -> Response:
    """In both spellings: the Python client reads the second, all others the first."""
    expires = rfc3339(pair.expires_at)
    return answer(
        {
            "id": pair.id,
            "token_type": "Bearer",
            "access_token": pair.access,
            "refresh_token": pair.refresh,
            "expires_at": expires,
            "tokenType": "Bearer",
            "accessToken": pair.access,
            "refreshToken": pair.refresh,
            "expiresAt": expires,
        },
        201,
    )
