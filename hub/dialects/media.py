"""`GET /media/acc_…/med_…?expires=…&signature=…`: an attachment by the signed link that a webhook carries.

Every link that does not work is answered the same 404, so that nobody learns from it which attachments there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.core.errors import Code, HubError
from hub.core.ids import BadId, parse
from hub.dialects.contract import Dialect
from hub.http import answering
from hub.media.links import PATH
from hub.media.serving import media_response
from hub.services import Services
from hub.storage.media import find_medium

_NOT_HERE = (
    "This link does not lead to an attachment, or it has expired. Ask for a new one at POST /v1/media/{id}/link."
)


class _Links:
    """The one route."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def fetch(self, request: Request) -> Response:
        """Check the link, then read what it names."""
        services = self._services
        query, path = request.query_params, request.path_params
        try:
            account_id, media_id = parse("account", path["account_id"]), parse("media", path["media_id"])
        except BadId as error:
            raise HubError(Code.NOT_FOUND, _NOT_HERE) from error
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not services.media_links.is_genuine(account_id, media_id, expires, signature, services.clock.now()):
            raise HubError(Code.NOT_FOUND, _NOT_HERE)
        found = await services.db.read(find_medium, account_id, media_id)
        if found is None:
            raise HubError(Code.NOT_FOUND, _NOT_HERE)
        return await media_response(services.db, account_id, found.medium, request.headers.get("if-none-match", ""))


def _routes(services: Services) -> Sequence[BaseRoute]:
    return [Route(f"{PATH}/{{account_id}}/{{media_id}}", answering(_Links(services).fetch), methods=["GET"])]


DIALECT = Dialect(name="media", routes=_routes)
