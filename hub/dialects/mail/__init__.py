"""Mails that go out as texts: by SMTP, and by HTTP for mail systems that hand a mail on as a request."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from hub.core.ports import Worker
from hub.dialects.contract import Dialect
from hub.dialects.json_door import ANY_METHOD
from hub.dialects.mail.door import PATH, Door
from hub.services import Services


def _routes(services: Services) -> Sequence[BaseRoute]:
    return [Route(PATH, Door(services), methods=ANY_METHOD)]


def _workers(services: Services) -> Sequence[Worker]:
    """The listener, where one is asked for: what it needs is an extra, and not installed everywhere."""
    if not services.config.smtp_listen:
        return ()
    from hub.dialects.mail.listener import Listener

    return (Listener(services),)


DIALECT = Dialect(name="mail", routes=_routes, workers=_workers)
