"""What is attached to a message: listed, fetched and deleted (https://www.twilio.com/docs/messaging/api/media-resource).

`…/Media/ME….json` is the resource, `…/Media/ME…` the content itself; the content alone also opens by the signed link that an inbound
webhook carries, without credentials.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hub.core.media import Medium
from hub.dialects.twilio import errors
from hub.dialects.twilio.call import Call
from hub.dialects.twilio.errors import ApiError
from hub.dialects.twilio.messages import PAGE_SIZE, found_message
from hub.dialects.twilio.resources import media_page, media_resource
from hub.dialects.twilio.words import media_id_of, message_id_of
from hub.gateways.desk import Gateway
from hub.media.keeping import DropMedium, drop_media
from hub.media.serving import media_response
from hub.services import Services
from hub.storage.media import find_medium


async def list_media(call: Call) -> dict[str, Any]:
    """What is attached to a message and can be fetched."""
    view = await found_message(call)
    params = call.request.path_params
    items = [media_resource(one, params["account_sid"], params["message_sid"]) for one in view.media if one.why is None]
    return media_page(items, call.request.url.path, PAGE_SIZE)


async def get_media(call: Call) -> dict[str, Any]:
    """One attachment's resource."""
    params = call.request.path_params
    return media_resource(await _found(call), params["account_sid"], params["message_sid"])


async def delete_media(call: Call) -> None:
    """Forget what an attachment holds."""
    command = DropMedium(call.account_id, (await _found(call)).id)
    await call.services.db.writer.submit(drop_media, command, *command.keys())


async def fetch_media(call: Call) -> Response:
    """The content."""
    return await _content(call.services, call.account_id, await _found(call), call.request)


async def by_link(services: Services, request: Request, gateway: Gateway) -> Response | None:
    """The content for whoever has a signed link to it; None when the request carries none that works."""
    query = request.query_params
    media_id = media_id_of(request.path_params["media_sid"])
    expires, signature = query.get("expires"), query.get("signature")
    if media_id is None or expires is None or signature is None:
        return None
    account_id = gateway.account_id
    if not services.media_links.is_genuine(account_id, media_id, expires, signature, services.clock.now()):
        return None
    found = await services.db.read(find_medium, account_id, media_id)
    if found is None or found.medium.message_id != message_id_of(request.path_params["message_sid"]):
        return None
    return await _content(services, account_id, found.medium, request)


async def _content(services: Services, account_id: str, medium: Medium, request: Request) -> Response:
    return await media_response(services.db, account_id, medium, request.headers.get("if-none-match", ""))


async def _found(call: Call) -> Medium:
    view = await found_message(call)
    wanted = media_id_of(call.request.path_params["media_sid"])
    for one in view.media:
        if one.id == wanted and one.why is None:
            return one
    raise ApiError(errors.NOT_FOUND, 404, f"The requested resource {call.request.url.path} was not found")
