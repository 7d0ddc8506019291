"""Twilio's Messages API and webhooks, for programs written against it and for PBXs that know a "Custom" SMS provider (Thirdlane).

Shapes, codes and words: https://www.twilio.com/docs/messaging/api/message-resource and https://www.twilio.com/docs/messaging/guides/webhook-request.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from hub.dialects.contract import Dialect
from hub.dialects.twilio.door import routes
from hub.dialects.twilio.events import Twilio
from hub.services import Services


def _routes(services: Services) -> Sequence[BaseRoute]:
    return routes(services)


DIALECT = Dialect(name="twilio", routes=_routes, webhook_formats=(Twilio(),))
