"""Forwarding: the inbound texts of one number go to one customer, by webhook or by mail, and he may change his mind at any time.

A number's forwarding is one endpoint, whichever way it goes: its deliveries, retries, dead letters and health are the engine's. It
remembers the URL and the address both, so that going back is one word. Nothing is lost or told twice when it changes:

- what was told already stays told; what waits goes the new way, at once and with all its tries before it;
- what is just being tried ends the old way, and goes the new way only if that fails;
- a text that comes in meanwhile belongs to the one endpoint before and after.
"""

from collections.abc import Collection
from typing import Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from hub.core.errors import Code, HubError, invalid
from hub.core.mail import MAILTO, is_mail, mailto
from hub.storage.database import Database
from hub.storage.lines import find_number
from hub.storage.webhooks_endpoints import find_forwarding
from hub.storage.webhooks_outbox import bypassed_forwardings
from hub.webhooks.front import Webhooks
from hub.webhooks.records import Endpoint, EndpointChanges, NewEndpoint
from hub.webhooks.targets import check_url

FORMAT = "agile"
"""The form, the mail, and the `+OK` of Agile Telecom, whose service this is like."""
URL, MAIL_TO = "webhook_url", "mail_to"
"""Settings of the endpoint that remember the two ways."""
TIME_ZONE, NUMBER = "time_zone", "destination"

Way = Literal["webhook", "mail"]
WAYS: tuple[Way, ...] = get_args(Way)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How a number is to be forwarded; what is UNSET stays as it was."""

    way: Way
    url: str | UnsetType = UNSET
    mail_to: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET


class Forwarding(msgspec.Struct, frozen=True, kw_only=True):
    """How a number is forwarded."""

    line_id: str
    number: str | None
    way: Way
    url: str | None
    mail_to: str | None
    time_zone: str
    is_bypassed: bool
    """A rule of the number names other places: nothing is told here."""
    endpoint: Endpoint


class Forwardings:
    """The forwardings of this hub. Raises `not_found` for a line the account does not have, or that is not forwarded."""

    def __init__(self, db: Database, webhooks: Webhooks) -> None:
        self._db = db
        self._webhooks = webhooks

    async def list(self, account_id: str) -> list[Forwarding]:
        """All that an account has, oldest first."""
        endpoints = await self._webhooks.list(account_id)
        bypassed = await self._db.read(bypassed_forwardings, account_id)
        return [
            _shown(endpoint.forwards_line_id, endpoint.settings.get(NUMBER), endpoint, bypassed)
            for endpoint in endpoints
            if endpoint.forwards_line_id is not None
        ]

    async def get(self, account_id: str, line_id: str) -> Forwarding:
        """How a line is forwarded."""
        number = await self._number(account_id, line_id)
        return await self._told(line_id, number, await self._endpoint(account_id, line_id))

    async def set(self, account_id: str, line_id: str, wish: Wish) -> Forwarding:
        """Forward a line so from now on. Raises `validation` naming the field, and `target_refused`."""
        number = await self._number(account_id, line_id)
        endpoint_id = await self._db.read(find_forwarding, account_id, line_id)
        if endpoint_id is None:
            made = await self._make(account_id, line_id, number, wish)
            if made is not None:
                return await self._told(line_id, number, made)
        return await self._told(line_id, number, await self._change(account_id, line_id, number, wish))

    async def stop(self, account_id: str, line_id: str) -> Forwarding:
        """Forward it no more. What waits is cancelled."""
        before = await self.get(account_id, line_id)
        await self._webhooks.delete(account_id, before.endpoint.id)
        return before

    async def _told(self, line_id: str, number: str | None, endpoint: Endpoint) -> Forwarding:
        bypassed = await self._db.read(bypassed_forwardings, endpoint.account_id)
        return _shown(line_id, number, endpoint, bypassed)

    async def _make(self, account_id: str, line_id: str, number: str | None, wish: Wish) -> Endpoint | None:
        """None when somebody else made it meanwhile."""
        settings = self._settings({}, number, wish)
        new = NewEndpoint(
            url=_target(settings, wish.way),
            description=f"Inbound texts to {number}" if number else "Inbound texts of one line",
            format=FORMAT,
            line_ids=(line_id,),
            settings=settings,
        )
        try:
            made = await self._webhooks.create(account_id, new, forwards_line_id=line_id)
        except HubError as error:
            if error.code is Code.CONFLICT and await self._db.read(find_forwarding, account_id, line_id) is not None:
                return None
            raise
        return made.endpoint

    async def _change(self, account_id: str, line_id: str, number: str | None, wish: Wish) -> Endpoint:
        endpoint = await self._endpoint(account_id, line_id)
        settings = self._settings(_known(endpoint), number, wish)
        changes = EndpointChanges(url=_target(settings, wish.way), line_ids=(line_id,), settings=settings)
        return await self._webhooks.update(account_id, endpoint.id, changes)

    def _settings(self, known: dict[str, str], number: str | None, wish: Wish) -> dict[str, str]:
        """The endpoint's settings, with what is wished for put in."""
        settings = dict(known)
        if number is not None:
            settings[NUMBER] = number
        if isinstance(wish.time_zone, str):
            settings[TIME_ZONE] = wish.time_zone
        if isinstance(wish.url, str):
            check_url(wish.url, self._webhooks.client.guard)
            if is_mail(wish.url):
                raise invalid("url", "mail", "Give an address for mails as mail_to.")
            settings[URL] = wish.url
        if isinstance(wish.mail_to, str):
            address = mailto(wish.mail_to)
            if address is None:
                raise invalid("mail_to", "value", "Give one plain address, such as shop@example.org.")
            settings[MAIL_TO] = address.removeprefix(MAILTO)
        return settings

    async def _number(self, account_id: str, line_id: str) -> str | None:
        found = await self._db.read(find_number, account_id, line_id)
        if found is None:
            raise HubError(Code.NOT_FOUND)
        return found.number

    async def _endpoint(self, account_id: str, line_id: str) -> Endpoint:
        endpoint_id = await self._db.read(find_forwarding, account_id, line_id)
        if endpoint_id is None:
            raise HubError(Code.NOT_FOUND, "Texts of this line are not forwarded.")
        return await self._webhooks.get(account_id, endpoint_id)


def _known(endpoint: Endpoint) -> dict[str, str]:
    """What an endpoint remembers; where its URL was changed by itself, that is what it knows now."""
    known = dict(endpoint.settings)
    if is_mail(endpoint.url):
        known[MAIL_TO] = endpoint.url.removeprefix(MAILTO)
    else:
        known[URL] = endpoint.url
    return known


def _target(settings: dict[str, str], way: Way) -> str:
    if way == "webhook":
        if URL not in settings:
            raise invalid("url", "missing", "Give the URL that texts are posted to.")
        return settings[URL]
    if MAIL_TO not in settings:
        raise invalid("mail_to", "missing", "Give the address that texts are mailed to.")
    return MAILTO + settings[MAIL_TO]


def _shown(line_id: str, number: str | None, endpoint: Endpoint, bypassed: Collection[str]) -> Forwarding:
    known = _known(endpoint)
    return Forwarding(
        line_id=line_id,
        number=number,
        way="mail" if is_mail(endpoint.url) else "webhook",
        url=known.get(URL),
        mail_to=known.get(MAIL_TO),
        time_zone=known.get(TIME_ZONE, ""),
        is_bypassed=endpoint.id in bypassed,
        endpoint=endpoint,
    )
