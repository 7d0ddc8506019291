"""The operator's commands about forwarding: `hub forward webhook`, `mail`, `show`, `stop`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from hub.core.address import BadAddress, parse_recipient
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.operations.accounts import account_of
from hub.services import Services
from hub.storage.lines import lines_numbered
from hub.webhooks.forwarding import Forwarding, Forwardings, Wish


async def forward_webhook(
    services: Services,
    number: str,
    url: str | None = None,
    time_zone: str | None = None,
    account: str | None = None,
) -> Mapping[str, Any]:
    """`hub forward webhook NUMBER`: its texts are posted from now on."""
    owner, line = await _line(services, number, account)
    wish = Wish(way="webhook", url=url or UNSET, time_zone=UNSET if time_zone is None else time_zone)
    return _shown(await _forwardings(services).set(owner, line, wish))


async def forward_mail(
    services: Services,
    number: str,
    address: str | None = None,
    time_zone: str | None = None,
    account: str | None = None,
) -> Mapping[str, Any]:
    """`hub forward mail NUMBER`: its texts are mailed from now on."""
    owner, line = await _line(services, number, account)
    wish = Wish(way="mail", mail_to=address or UNSET, time_zone=UNSET if time_zone is None else time_zone)
    return _shown(await _forwardings(services).set(owner, line, wish))


async def forward_show(services: Services, number: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub forward show NUMBER`."""
    return _shown(await _forwardings(services).get(*await _line(services, number, account)))


async def forward_stop(services: Services, number: str, account: str | None = None) -> Mapping[str, Any]:
    """`hub forward stop NUMBER`."""
    return _shown(await _forwardings(services).stop(*await _line(services, number, account)))


def _forwardings(services: Services) -> Forwardings:
    return Forwardings(services.db, services.webhooks)


async def _line(services: Services, number: str, account: str | None) -> tuple[str, str]:
    """Account and line of a number."""
    owner = await account_of(services, account)
    settings = await services.credentials.settings_of(owner.id)
    try:
        wanted = parse_recipient(number, settings.default_region or services.config.default_region).value
    except BadAddress as error:
        raise HubError(Code.VALIDATION, str(error)) from None
    lines = await services.db.read(lines_numbered, [owner.id], [wanted])
    if (owner.id, wanted) not in lines:
        raise HubError(Code.NOT_FOUND, f"No line of {owner.name} has the number {wanted}.")
    return owner.id, lines[(owner.id, wanted)]


def _shown(one: Forwarding) -> Mapping[str, Any]:
    watch = one.endpoint.health.watch
    return {
        "number": one.number,
        "line_id": render("line", one.line_id),
        "webhook_id": render("endpoint", one.endpoint.id),
        "way": one.way,
        "url": one.url,
        "mail_to": one.mail_to,
        "time_zone": one.time_zone,
        "is_bypassed": one.is_bypassed,
        "state": one.endpoint.state,
        "waiting": one.endpoint.health.pending + one.endpoint.health.held,
        "alerts": list(watch.broken()),
    }
