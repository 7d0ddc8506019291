"""The paths of the Twilio-shaped API, and the one a PBX is given as its "Provider's URL"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.core.errors import Code, HubError
from hub.devices.reading import list_lines
from hub.dialects.twilio import errors
from hub.dialects.twilio.call import Call, asking_gateway, read_form
from hub.dialects.twilio.errors import ApiError, error_response, in_twilios_words
from hub.dialects.twilio.incoming import routes as incoming_routes
from hub.dialects.twilio.media import by_link, delete_media, fetch_media, get_media, list_media
from hub.dialects.twilio.messages import change_message, delete_message, get_message, list_messages
from hub.dialects.twilio.resources import account_resource, account_uri
from hub.dialects.twilio.sending import create_message
from hub.dialects.twilio.words import API_VERSION, rfc2822
from hub.gateways.desk import WRONG_TOKEN, Gateway
from hub.log import get_logger
from hub.services import Services

log = get_logger("twilio")

Run = Callable[[Call], Awaitable[dict[str, Any] | Response | None]]
_encoder = msgspec.json.Encoder()

_ACCOUNT = f"/{API_VERSION}/Accounts/{{account_sid}}"
_MESSAGES, _MESSAGE = f"{_ACCOUNT}/Messages", f"{_ACCOUNT}/Messages/{{message_sid}}"


def routes(services: Services) -> Sequence[BaseRoute]:
    """Every path, with `.json` and without: the answer is JSON either way."""
    return [
        *incoming_routes(services),
        Route("/sms/{gateway}/generic/send", _Path(services, {"POST": (create_message, 201)}), methods=_ALL),
        *_both(services, _MESSAGES, {"POST": (create_message, 201), "GET": (list_messages, 200)}),
        *_both(services, f"{_MESSAGE}/Media", {"GET": (list_media, 200)}),
        Route(
            f"{_MESSAGE}/Media/{{media_sid}}.json",
            _Path(services, {"GET": (get_media, 200), "DELETE": (delete_media, 204)}),
            methods=_ALL,
        ),
        Route(
            f"{_MESSAGE}/Media/{{media_sid}}",
            _Content(services, {"GET": (fetch_media, 200), "DELETE": (delete_media, 204)}),
            methods=_ALL,
        ),
        *_both(
            services,
            _MESSAGE,
            {"GET": (get_message, 200), "POST": (change_message, 200), "DELETE": (delete_message, 204)},
        ),
        *_both(services, f"{_ACCOUNT}/IncomingPhoneNumbers", {"GET": (list_numbers, 200)}),
        *_both(services, _ACCOUNT, {"GET": (get_account, 200)}),
    ]


_ALL = ["GET", "POST", "DELETE", "PUT", "PATCH"]
"""Other methods are answered by us, in Twilio's words."""


def _both(services: Services, path: str, runs: dict[str, tuple[Run, int]]) -> list[Route]:
    app = _Path(services, runs)
    return [Route(f"{path}.json", app, methods=_ALL), Route(path, app, methods=_ALL)]


class _Path:
    """What one path answers, by method."""

    def __init__(self, services: Services, runs: dict[str, tuple[Run, int]]) -> None:
        self._services = services
        self._runs = runs

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive, send)
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            run, status = self._run(request)
            result = await run(await self._call(request))
        except ApiError as error:
            return error_response(error)
        except HubError as error:
            return error_response(in_twilios_words(error))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception:
            log.exception("a request failed inside the hub", trace_id=request.scope.get("trace_id"))
            return error_response(in_twilios_words(HubError(Code.INTERNAL)))
        if result is None:
            return Response(status_code=status)
        if isinstance(result, Response):
            return result
        return Response(_encoder.encode(result), status, media_type="application/json")

    def _run(self, request: Request) -> tuple[Run, int]:
        method = "GET" if request.method == "HEAD" else request.method
        found = self._runs.get(method)
        if found is None:
            allowed = ", ".join(sorted(self._runs))
            raise ApiError(errors.METHOD_NOT_ALLOWED, 405, f"This path takes {allowed}.", {"Allow": allowed})
        return found

    async def _call(self, request: Request) -> Call:
        """Credentials before anything else: whoever has none learns nothing, not even whether a gateway exists."""
        services = self._services
        form = await read_form(services, request)
        gateway = await asking_gateway(services, request, form, await self._named(request))
        return Call(services, gateway, form, request)

    async def _named(self, request: Request) -> Gateway:
        name, sid = request.path_params.get("gateway"), request.path_params.get("account_sid")
        found = await (
            self._services.gateways.by_sid(sid or "") if name is None else self._services.gateways.by_name(name)
        )
        if found is None:
            raise HubError(Code.WRONG_LOGIN, WRONG_TOKEN)
        return found


class _Content(_Path):
    """The path of an attachment's content, which a signed link opens without credentials."""

    async def _answer(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD") and "signature" in request.query_params:
            gateway = await self._services.gateways.by_sid(request.path_params["account_sid"])
            try:
                found = None if gateway is None else await by_link(self._services, request, gateway)
            except HubError as error:
                return error_response(in_twilios_words(error))
            if found is not None:
                return found
        return await super()._answer(request)


async def get_account(call: Call) -> dict[str, Any]:
    """The gateway as an account: what programs probe their credentials with."""
    return account_resource(call.gateway)


async def list_numbers(call: Call) -> dict[str, Any]:
    """The numbers of the account's lines."""
    views = await call.services.db.read(list_lines, call.account_id, now=call.now)
    uri = account_uri(call.gateway.sid)
    numbers = [
        {
            "sid": f"PN00{view.id}",
            "account_sid": call.gateway.sid,
            "phone_number": view.number,
            "friendly_name": view.name,
            "capabilities": {"sms": True, "mms": view.sends_mms, "voice": False, "fax": False},
            "date_created": rfc2822(call.gateway.created_at),
            "status": "in-use",
        }
        for view in views
        if view.number is not None
    ]
    return {
        "incoming_phone_numbers": numbers,
        "page": 0,
        "page_size": len(numbers) or 50,
        "start": 0,
        "end": max(0, len(numbers) - 1),
        "uri": f"{uri}/IncomingPhoneNumbers.json",
        "first_page_uri": f"{uri}/IncomingPhoneNumbers.json?Page=0",
        "next_page_uri": None,
        "previous_page_uri": None,
    }
