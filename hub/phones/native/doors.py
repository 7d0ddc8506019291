"""`POST /device/v1/enroll`, `POST /device/v1/token`, and the page a camera app opens for `/enroll`.

Every answer about a code or a secret is the same whether it was wrong in its first or its last character; nothing of either is logged.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from device_protocol.enrolment import EnrolRequest, EnrolResponse, TokenRequest, TokenResponse, secret_hash
from device_protocol.wire_types import write_utc
from hub.core.errors import Code, HubError
from hub.devices.credentials import ExchangeSecret, exchange_secret
from hub.devices.enrol import Enrol, code_hash, enrol
from hub.devices.tokens import LIFE_SECONDS, DeviceTokens
from hub.http import decode, json_response, read_body
from hub.log import get_logger
from hub.phones.requests import source_of
from hub.phones.throttle import Brake
from hub.services import Services

log = get_logger("phones.doors")

BODY_MAX_BYTES = 64 * 1024
NONCE_BYTES = 18

_enrol_decoder = msgspec.json.Decoder(EnrolRequest)
_token_decoder = msgspec.json.Decoder(TokenRequest)

_GUESSES = frozenset({Code.TOKEN_UNKNOWN, Code.UNAUTHENTICATED, Code.VALIDATION, Code.BAD_REQUEST})
"""Refusals that look like guessing."""


class Doors:
    """The routes that need no access token."""

    def __init__(self, services: Services, tokens: DeviceTokens) -> None:
        self._services = services
        self._tokens = tokens
        self._failures = Brake(services.clock, burst=30, seconds=2.0)
        self._codes = Brake(services.clock, burst=10, seconds=6.0)
        self._devices = Brake(services.clock, burst=10, seconds=3.0)

    async def enroll(self, request: Request) -> Response:
        """A phone uses a code."""
        return await self._counting_failures(request, self._enroll)

    async def token(self, request: Request) -> Response:
        """A phone exchanges its secret for an access token."""
        return await self._counting_failures(request, self._token)

    async def _counting_failures(
        self, request: Request, answer: Callable[[bytes, str], Awaitable[Response]]
    ) -> Response:
        source = source_of(request.scope)
        self._failures.check(source)
        try:
            return await answer(await read_body(request.scope, request.receive, BODY_MAX_BYTES), source)
        except HubError as error:
            if error.code in _GUESSES:
                self._failures.count(source)
            raise

    async def _enroll(self, body: bytes, _source: str) -> Response:
        wish = decode(_enrol_decoder, body)
        services = self._services
        token_sha256 = code_hash(wish.token)
        self._codes.take(token_sha256)
        command = Enrol(
            token_sha256=token_sha256,
            secret_sha256=wish.secret_sha256,
            device=wish.device,
            new_device_id=services.ids.next(services.clock.now()),
            hub_epoch=services.hub_epoch,
            previous_secret=wish.previous_secret,
        )
        enrolled = await services.db.writer.submit(enrol, command, *command.keys())
        log.info("a phone enrolled", device=enrolled.device_id, is_new=enrolled.is_new)
        return json_response(EnrolResponse(enrolled.device_id, services.hub_epoch, write_utc(services.clock.now())))

    async def _token(self, body: bytes, source: str) -> Response:
        wish = decode(_token_decoder, body)
        services = self._services
        # With the address in the key, nobody else can use up a phone's tries by knowing its id.
        self._devices.take(f"{wish.device_id} {source}")
        fresh = urlsafe_b64encode(secrets.token_bytes(NONCE_BYTES)).decode()
        command = ExchangeSecret(
            device_id=wish.device_id,
            secret_sha256=secret_hash(wish.secret),
            nonce=wish.nonce,
            fresh_nonce=fresh,
            hub_epoch=services.hub_epoch,
        )
        exchanged = await services.db.writer.submit(exchange_secret, command, *command.keys())
        if exchanged.is_clone:
            log.warning("two phones use the same credentials: suspended", device=wish.device_id)
            raise HubError(Code.NONCE_REUSED)
        token = self._tokens.issue(exchanged.identity, services.clock.now())
        return json_response(TokenResponse(token, LIFE_SECONDS, fresh), headers={"Cache-Control": "no-store"})


async def help_page(_request: Request) -> Response:
    """What a person sees who scanned the code with the camera instead of the app. The code stays in the fragment: it is not sent here."""
    return Response(_PAGE, media_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)


_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Handset Hub</title>
<style>
:root { color-scheme: light dark; }
body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; }
</style>
</head>
<body>
<h1>This code adds a phone to a Handset Hub</h1>
<p>You scanned it with the camera. It is meant for the Handset Hub app on the Android phone that is to send and receive texts.</p>
<ol>
<li>Install the Handset Hub app on that phone.</li>
<li>Open it and tap <strong>Scan code</strong>.</li>
<li>Point it at the same code. A code works once, for ten minutes.</li>
</ol>
<p>Is the code too old? Whoever runs this hub can make a new one on its Phones page.</p>
<p>You did not expect this? Close the page: nothing was changed on your phone.</p>
</body>
</html>
"""
