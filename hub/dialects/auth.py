"""Who is asking: a key in one of the ways customers' programs send one.

- `Authorization: Bearer hub_…` (RFC 6750)
- `Authorization: Basic` with the key as password, or as user name with an empty password (RFC 7617): what programs can do that only
  know a name and a password
- `X-API-Key: hub_…`

A key never comes in a URL: URLs end in logs.
"""

from __future__ import annotations

import base64
import binascii

from starlette.types import Scope

from hub.accounts.credentials import Credentials, Principal
from hub.accounts.keys import PREFIX
from hub.core.errors import Code, HubError

LONGEST_TOKEN = 128


async def authenticate(scope: Scope, credentials: Credentials) -> Principal:
    """The principal of a request.

    Raises `unauthenticated`, `key_expired`, `key_revoked`, or `rate_limited` when the key has used up its requests.
    """
    credential = await credentials.find(token_of(scope))
    credentials.take(credential)
    return credential.principal


def token_of(scope: Scope) -> str:
    """The key a request carries. Raises `unauthenticated` that says how to send one."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return _checked(_from_authorization(value))
        if name == b"x-api-key":
            return _checked(value.strip())
    raise HubError(Code.UNAUTHENTICATED, "Send a key as Authorization: Bearer hub_….")


def _from_authorization(value: bytes) -> bytes:
    scheme, _, rest = value.strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return rest.strip()
        case b"basic":
            return _from_basic(rest.strip())
        case _:
            raise HubError(Code.UNAUTHENTICATED, "Authorization is neither Bearer nor Basic.")


def _from_basic(encoded: bytes) -> bytes:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        raise HubError(Code.UNAUTHENTICATED, "Authorization: Basic is not followed by base64.") from None
    return password or user


def _checked(token: bytes) -> str:
    """Refuse what cannot be a key before a hash or a database is asked."""
    if not token.startswith(PREFIX.encode()) or len(token) > LONGEST_TOKEN:
        raise HubError(Code.UNAUTHENTICATED, "What was sent is no key of this hub: one begins with hub_.")
    return token.decode("latin-1")
