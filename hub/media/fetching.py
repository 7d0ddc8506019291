"""One attachment from an address that somebody else chose.

The hub stands in somebody's network, so the same rules hold as for webhooks: each address is judged at the moment it is dialled, and no
more is read than an attachment may have. Redirects are followed as often as the caller says, each judged like the first address, and
never from https to http.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urljoin

from hub.core.errors import HubError
from hub.webhooks.dial import Dialler, target_of
from hub.webhooks.http1 import Connection
from hub.webhooks.targets import AddressRefused, check_url
from hub.webhooks.trip import Trip

_ASK = b"user-agent: handset-hub\r\naccept: */*\r\naccept-encoding: identity\r\nconnection: close\r\n"
_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({404, 408, 425, 429})
"""Answers that may be another one later: some stores show a file a moment after they name it."""


class Fetched(NamedTuple):
    """What an address answered with."""

    type: str | None
    """As it was declared."""
    content: bytes


class NotFetched(Exception):
    """An address gave no attachment; the text is a sentence."""

    def __init__(self, sentence: str, *, is_passing: bool = False, is_too_large: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_passing = is_passing
        """Another try may do better."""
        self.is_too_large = is_too_large


def nobody(_url: str) -> str | None:
    """For addresses that need no login."""
    return None


async def fetch(
    dialler: Dialler, url: str, most: int, *, redirects: int = 0, login: Callable[[str], str | None] = nobody
) -> Fetched:
    """At most `most` bytes. Raises NotFetched, and TimeoutError where nobody set a deadline that comes first.

    `login` gives the `Authorization` for an address; each address on the way is asked for its own.
    """
    moved = 0
    while True:
        connection = await _ask(dialler, url, most, login(url))
        if connection.exchange.status not in _MOVED or not redirects:
            return _whole(connection, most, redirects)
        moved += 1
        if moved > redirects:
            raise NotFetched(f"Its address leads on more than {redirects} times.")
        url = _next(connection, url)


async def _ask(dialler: Dialler, url: str, most: int, authorization: str | None) -> Connection:
    """A connection whose answer is read, and which is closed."""
    try:
        check_url(url, dialler.guard)
        target = target_of(url, dialler.has_proxy)
        connection = await dialler.dial(target, Trip(), read_bytes=most + 1)
        try:
            lines = dialler.proxy_header() if dialler.has_proxy and not target.is_tls else ""
            if authorization is not None:
                lines += f"authorization: {authorization}\r\n"
            await connection.send(b"GET" + target.head + _ASK + lines.encode() + b"\r\n")
            return connection
        finally:
            connection.close()
    except HubError as error:
        raise NotFetched(error.detail) from error
    except AddressRefused as error:
        raise NotFetched("Its address is in a network that the hub does not fetch from.") from error
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        sentence = "The address cannot be reached, or what answers there is not HTTP."
        raise NotFetched(sentence, is_passing=True) from error


def _next(connection: Connection, url: str) -> str:
    """Where a redirect leads."""
    (location, *_) = [*_header(connection, b"location"), ""]
    target = urljoin(url, location.partition("#")[0])
    if not location or target.partition(":")[0].lower() not in ("https", url.partition(":")[0].lower()):
        raise NotFetched("Its address leads to one that the hub does not follow.")
    return target


def _whole(connection: Connection, most: int, redirects: int) -> Fetched:
    exchange = connection.exchange
    status = exchange.status or 0
    if status != 200:
        unfollowed = "; redirects are not followed" if not redirects else ""
        raise NotFetched(
            f"The address answers {status} instead of 200{unfollowed}.",
            is_passing=status in _PASSING or status >= 500,
        )
    if len(exchange.body) > most:
        raise NotFetched(f"An attachment may have {most} bytes at most.", is_too_large=True)
    if not connection.is_complete or not exchange.body:
        raise NotFetched(
            "The answer is empty, or it ended before its end, or it did not say how long it is.", is_passing=True
        )
    (declared, *_) = [*_header(connection, b"content-type"), None]
    return Fetched(declared, exchange.body)


def _header(connection: Connection, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in connection.exchange.headers if name.lower() == wanted]
