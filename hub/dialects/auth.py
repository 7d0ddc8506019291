"""Who is asking: a key in one of the ways customers' programs send one, or a person's browser by its cookie.

- `Authorization: Bearer hub_…` (RFC 6750)
- `Authorization: Basic` with the key as password, or as user name with an empty password (RFC 7617): what programs can do that only
  know a name and a password
- `X-API-Key: hub_…`
- the dashboard's cookie, for the native API alone

A key never comes in a URL, because URLs end in logs; but a carrier that can be told nothing else than a URL is given one with a key that
opens its door alone. A browser sends its cookie whichever site made it ask; so a request that changes something
by the cookie must show that the dashboard made it: a header no form or link can send, and `Sec-Fetch-Site: same-origin`
(https://www.w3.org/TR/fetch-metadata/) or, from browsers without it, an `Origin` that is the hub's.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.types import Scope

from hub.accounts.credentials import Credentials, Principal
from hub.accounts.keys import PREFIX
from hub.accounts.signed_in import SignedIn
from hub.core.errors import Code, HubError

LONGEST_TOKEN = 128
_PREFIX = PREFIX.encode()
LONGEST_COOKIE = 512
COOKIE = "hub_session"
SECURE_COOKIE = "__Host-hub_session"
"""Over https. Browsers refuse this name without Secure or with a Domain, so that neither a plain-http page nor a neighbour
subdomain can plant one (RFC 6265bis §4.1.3.2)."""
OWN_HEADER = b"x-requested-with"
OWN_VALUE = b"handset-hub"
READING = frozenset({"GET", "HEAD", "OPTIONS"})


async def authenticate(scope: Scope, credentials: Credentials) -> Principal:
    """The principal of a request with a key.

    Raises `unauthenticated`, `key_expired`, `key_revoked`, or `rate_limited` when the key has used up its requests.
    """
    return await _by_key(token_of(scope), credentials)


async def authenticate_anybody(scope: Scope, credentials: Credentials, signed_in: SignedIn, base_url: str) -> Principal:
    """The principal of a request with a key or, without one, with the dashboard's cookie.

    Raises as `authenticate` does, and `cross_site` for a request by cookie that another site may have made.
    """
    token = token_or_none(scope)
    if token is not None:
        return await _by_key(token, credentials)
    cookie = cookie_of(scope, base_url)
    if cookie is None:
        raise _nothing_sent()
    who = await signed_in.find(cookie)
    if scope["method"] not in READING:
        refuse_other_sites(scope, base_url)
    return who


def known_caller(scope: Scope, credentials: Credentials) -> Principal | None:
    """The principal of a request whose key was verified before, without waiting for anything; None = ask `authenticate_anybody`.

    Raises as `authenticate` does.
    """
    token = token_or_none(scope)
    credential = None if token is None else credentials.find_known(token)
    if credential is None:
        return None
    credentials.take(credential)
    return credential.principal


async def authenticate_login(user: bytes, password: bytes, credentials: Credentials) -> Principal:
    """The same outside HTTP, of a user name and a password: the key is the password, or the name where that is empty."""
    return await _by_key(_checked(password or user), credentials)


async def _by_key(token: str, credentials: Credentials) -> Principal:
    credential = await credentials.find(token)
    credentials.take(credential)
    return credential.principal


def token_of(scope: Scope) -> str:
    """The key a request carries. Raises `unauthenticated` that says how to send one."""
    token = token_or_none(scope)
    if token is None:
        raise _nothing_sent()
    return token


def token_or_none(scope: Scope) -> str | None:
    """The key a request carries; None without one. Raises `unauthenticated` for what cannot be a key."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return _checked(_from_authorization(value))
        if name == b"x-api-key":
            return _checked(value.strip())
    return None


def _nothing_sent() -> HubError:
    return HubError(Code.UNAUTHENTICATED, "Send a key as Authorization: Bearer hub_….")


def _from_authorization(value: bytes) -> bytes:
    scheme, _, rest = value.strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return rest.lstrip()
        case b"basic":
            return _from_basic(rest.lstrip())
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
    if not token.startswith(_PREFIX) or len(token) > LONGEST_TOKEN:
        raise HubError(Code.UNAUTHENTICATED, "What was sent is no key of this hub: one begins with hub_.")
    return token.decode("latin-1")


# --- browsers ------------------------------------------------------------------------------------------------------------------------


def cookie_of(scope: Scope, base_url: str) -> str | None:
    """The dashboard's cookie of a request; None without one."""
    wanted = SECURE_COOKIE if is_https(scope, base_url) else COOKIE
    for value in _headers(scope, b"cookie"):
        try:
            found = SimpleCookie(value.decode("latin-1")).get(wanted)
        except CookieError:
            continue
        if found is not None and 0 < len(found.value) <= LONGEST_COOKIE:
            return found.value
    return None


def set_cookie(scope: Scope, base_url: str, value: str, lives_seconds: int) -> str:
    """The `Set-Cookie` that signs a browser in; with an empty value and 0 seconds, out.

    `SameSite=Lax`, so that a link from elsewhere opens the dashboard signed in; `HttpOnly`, so that no script reads it.
    """
    secure = is_https(scope, base_url)
    name = SECURE_COOKIE if secure else COOKIE
    return f"{name}={value}; Path=/; Max-Age={lives_seconds}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"


def is_https(scope: Scope, base_url: str) -> bool:
    """Whether the browser speaks https, to us or to a proxy in front of us (which says so, or whose address is `HUB_PUBLIC_URL`)."""
    if scope.get("scheme") == "https":
        return True
    forwarded = _header(scope, b"x-forwarded-proto")
    if forwarded is not None:
        return forwarded.split(b",")[0].strip().lower() == b"https"
    public = urlsplit(base_url)
    return public.scheme == "https" and _header(scope, b"host") == public.netloc.encode()


def refuse_other_sites(scope: Scope, base_url: str) -> None:
    """Raise `cross_site` unless the dashboard itself made this request."""
    if _header(scope, OWN_HEADER) != OWN_VALUE:
        raise HubError(Code.CROSS_SITE, "Send X-Requested-With: handset-hub with what the cookie is to do.")
    site = _header(scope, b"sec-fetch-site")
    if site is not None:
        if site != b"same-origin":
            raise HubError(Code.CROSS_SITE)
    elif not _is_own_origin(scope, base_url):
        raise HubError(Code.CROSS_SITE)


def _is_own_origin(scope: Scope, base_url: str) -> bool:
    origin = _header(scope, b"origin")
    if origin is None:
        return False
    public, host = urlsplit(base_url), _header(scope, b"host") or b""
    own = {f"{public.scheme}://{public.netloc}".encode()}
    own.add((b"https://" if is_https(scope, base_url) else b"http://") + host)
    return origin in own


def address_of(scope: Scope) -> str:
    """Where a request comes from, for counting tries: the peer, or what a proxy on this machine says of it."""
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    forwarded = _header(scope, b"x-forwarded-for")
    if forwarded is not None and _is_loopback(peer):
        last = forwarded.decode("latin-1").rpartition(",")[2].strip()
        return last[:64] or peer
    return peer


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _header(scope: Scope, name: bytes) -> bytes | None:
    for value in _headers(scope, name):
        return value
    return None


def _headers(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]
