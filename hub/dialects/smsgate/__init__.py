"""The customer API of SMS Gateway for Android (sms-gate.app), `/3rdparty/v1`: its clients work with this hub unchanged.

https://docs.sms-gate.app/integration/api/ describes it. Programs change one address and keep their name and password.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute

from hub.core.ports import Worker
from hub.dialects.contract import Dialect
from hub.dialects.smsgate.account import Account
from hub.dialects.smsgate.account_settings import AccountKeeper
from hub.dialects.smsgate.authorizing import Authorizing
from hub.dialects.smsgate.callers import Callers
from hub.dialects.smsgate.inbox import Inbox
from hub.dialects.smsgate.messages import Messages
from hub.dialects.smsgate.names import Names
from hub.dialects.smsgate.serving import Operation, door_routes
from hub.dialects.smsgate.taking import DOOR
from hub.dialects.smsgate.webhooks import Webhooks
from hub.services import Services


def _routes(services: Services) -> Sequence[BaseRoute]:
    names, keeper = Names(services), AccountKeeper(services)
    webhooks = Webhooks(services, names, keeper)
    rooms = (Inbox(names), Messages(names), webhooks, Account(names, keeper, webhooks), Authorizing())
    operations: list[Operation] = [operation for room in rooms for operation in room.operations()]
    return door_routes(services, Callers(services), operations, names.refresh)


def _workers(services: Services) -> Sequence[Worker]:
    return (Names(services),)


DIALECT = Dialect(name=DOOR, routes=_routes, workers=_workers)
