"""Stream tickets: a browser's EventSource sends no headers, so that it opens `/v1/stream` with a ticket that lives a minute.

A ticket is a JWT signed with a key derived from the hub's key file: any process of the hub can check it, and it says no more than which
key, or which signed-in browser, asked for it. That is looked at again when the ticket is used, and while the stream is open.
"""

from __future__ import annotations

import jwt
import msgspec

from hub.accounts.credentials import Principal
from hub.core.clock import UtcMs
from hub.core.errors import Code, HubError
from hub.services import Services

PURPOSE = "stream-ticket"
LIFETIME_SECONDS = 60
_ALGORITHM = "HS256"


def new_ticket(services: Services, who: Principal) -> tuple[str, UtcMs]:
    """A ticket for the bearer of a key or a signed-in person, and when it ends."""
    expires_at = services.clock.now() + LIFETIME_SECONDS * 1000
    claims = {"sub": who.sign_in_id or who.key_id, "acc": who.account_id, "exp_ms": expires_at, "aud": PURPOSE}
    if who.sign_in_id is not None:
        claims["is_person"] = True
    return jwt.encode(claims, services.secrets.derive(PURPOSE), _ALGORITHM), expires_at


async def principal_of_ticket(services: Services, ticket: str | None) -> Principal:
    """Who a ticket was made for. Raises `unauthenticated` when it is none, is too old, or its key has ended since."""
    claims = _claims(services, ticket or "")
    if claims is None or claims.exp_ms <= services.clock.now():
        raise HubError(
            Code.UNAUTHENTICATED, "This stream ticket is not valid, or older than a minute. Ask for a new one."
        )
    if claims.is_person:
        return await services.signed_in.principal_of(claims.acc, claims.sub)
    return await services.credentials.principal_of(claims.acc, claims.sub)


class _Claims(msgspec.Struct, frozen=True):
    sub: str
    acc: str
    exp_ms: UtcMs
    is_person: bool = False


def _claims(services: Services, ticket: str) -> _Claims | None:
    """The claims of a ticket that one of our keys signed. Its time is checked by the hub's own clock, not by the library's."""
    for key in services.secrets.derive_each(PURPOSE):
        try:
            return msgspec.convert(jwt.decode(ticket, key, [_ALGORITHM], audience=PURPOSE), _Claims)
        except (jwt.PyJWTError, msgspec.ValidationError):
            continue
    return None
