"""Request headers: which ones a customer may set, what every request carries, and what of it the log may show."""

import base64
import re
from collections.abc import Iterable, Mapping

from hub.core.errors import invalid
from hub.webhooks.records import Auth, BasicAuth

MOST_HEADERS = 20
LARGEST = 4096
"""Characters of all names and values together."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)
_VALUE = re.compile(r"[\t -~]{0,2048}", re.ASCII)
RESERVED = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-attempt",
        "x-hub-signature-256",
        "x-signature",
        "x-timestamp",
        "x-twilio-signature",
    }
)
"""What the hub sets itself, or what would change how the request is framed."""

MASK = "…"


def check_headers(headers: Mapping[str, str], *, field: str = "headers") -> None:
    """Raise `HubError("validation")` for a header that a customer may not set."""
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers.items()) > LARGEST:
        raise invalid(field, "too_many", f"At most {MOST_HEADERS} headers and {LARGEST} characters in all.")
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(name) or lower in seen:
            raise invalid(
                f"{field}.{name[:64]}", "name", "A header's name is letters, digits and hyphens, and stands once."
            )
        if lower in RESERVED or lower.startswith("webhook-"):
            raise invalid(f"{field}.{name}", "reserved", f"{name} is set by the hub. For credentials use auth.")
        if not _VALUE.fullmatch(value) or value != value.strip():
            raise invalid(f"{field}.{name}", "value", "A header's value is one line of ASCII without spaces around it.")
        seen.add(lower)


def check_auth(auth: Auth | None, *, field: str = "auth") -> None:
    """Raise `HubError("validation")` for credentials that no header can carry."""
    if isinstance(auth, BasicAuth):
        if ":" in auth.username or not auth.username:
            raise invalid(f"{field}.username", "value", "A user name is not empty and holds no colon.")
    elif auth is not None and not _VALUE.fullmatch(auth.token or "\n"):
        raise invalid(f"{field}.token", "value", "A token is one line of ASCII.")


def auth_header(auth: Auth | None) -> str | None:
    """The Authorization header."""
    if auth is None:
        return None
    if isinstance(auth, BasicAuth):
        return "Basic " + base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode("ascii")
    return f"Bearer {auth.token}"


def shown_headers(headers: Iterable[tuple[str, str]], secret_names: frozenset[str]) -> dict[str, str]:
    """Headers for the log, the values of `secret_names` (lower case) masked. A header that stands twice is joined."""
    shown: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        value = MASK if key in secret_names else value
        shown[key] = f"{shown[key]}, {value}" if key in shown else value
    return shown


ANSWER_SECRETS = frozenset({"set-cookie", "www-authenticate", "authorization"})
"""What a receiver may answer that the log does not keep."""
