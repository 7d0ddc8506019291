"""`X-Twilio-Signature`: made over the URL exactly as it is called, and the form's fields.

https://www.twilio.com/docs/usage/security#validating-requests. The hub signs with it what it tells, and checks it on what platforms and
carriers post to it; there it tries the URL with and without the default port, because senders do not agree on that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

Fields = Sequence[tuple[str, str]]

_DEFAULT_PORTS = {"https": 443, "http": 80}


def signature(token: str, url: str, fields: Fields) -> str:
    """Base64 of HMAC-SHA1(token, URL + each field's name and value by name). A repeated name counts each of its values once."""
    content = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(token.encode(), content.encode("utf-8", "surrogatepass"), "sha1")).decode()


def is_genuine(given: str, tokens: Iterable[str], url: str, fields: Fields) -> bool:
    """Whether one of the tokens made this signature for this URL and form."""
    expected = [signature(token, one, fields) for token in tokens for one in _spellings(url)]
    found = [hmac.compare_digest(given.encode("utf-8", "surrogatepass"), one.encode()) for one in expected]
    return any(found)


def is_genuine_body(given: str, tokens: Iterable[str], url: str, body: bytes) -> bool:
    """The same for a JSON body, whose hash stands in the query as `bodySHA256`."""
    query = urlsplit(url).query
    stated = [value for name, _, value in (pair.partition("=") for pair in query.split("&")) if name == "bodySHA256"]
    digest = hashlib.sha256(body).hexdigest()
    return stated == [digest] and is_genuine(given, tokens, url, ())


def _spellings(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    port = _DEFAULT_PORTS.get(parts.scheme)
    if port is None or not parts.hostname:
        return (url,)
    bare = parts.netloc.removesuffix(f":{port}")
    rest = url.split(parts.netloc, 1)[1]
    if parts.port not in (None, port):
        return (url,)
    return (f"{parts.scheme}://{bare}{rest}", f"{parts.scheme}://{bare}:{port}{rest}")
