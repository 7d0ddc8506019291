"""`/messages` and `/message`: send, read, list, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from hub.core.errors import Code, HubError
from hub.core.status import Status
from hub.devices import find_device, list_devices
from hub.devices.views import DeviceView
from hub.dialects.smsgate import words
from hub.dialects.smsgate.answers import answer, wrong
from hub.dialects.smsgate.names import Names
from hub.dialects.smsgate.reading import query_flag, query_moment, query_number, query_word
from hub.dialects.smsgate.sending import NO_DEVICE, Posted, prepared, read_posted
from hub.dialects.smsgate.serving import Ask, Operation
from hub.dialects.smsgate.showing import read_one, read_page, state
from hub.dialects.smsgate.taking import take
from hub.messages.cancel import Cancel, cancel
from hub.storage.smsgate_messages import Listing, ParentRow, Part

MOST_PER_PAGE = 100
USUAL_PAGE = 50
LARGEST_OFFSET = 1_000_000
MOST_DEVICES = 500
SORTS = ("-created_at", "created_at")


class Messages:
    """The operations."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def operations(self) -> list[Operation]:
        """Both spellings of each path."""
        table: list[Operation] = []
        for path in ("/messages", "/message"):
            table += [
                Operation("POST", path, "messages:send", self.send),
                Operation("GET", path, "messages:list", self.page),
                Operation("GET", path + "/", "messages:read", self.read),
                Operation("DELETE", path + "/", "messages:cancel", self.cancel),
            ]
        return table

    async def send(self, ask: Ask) -> Response:
        """202 with the message's state; stored by then."""
        posted = read_posted(ask.body)
        device_id = self.device_of(ask, posted.device_id)
        devices = await _fitting(ask, posted, device_id)
        command = await prepared(ask, posted, devices, device_id)
        try:
            parent = await ask.write(take, command)
        except HubError as error:
            if error.code is not Code.NO_MMS_LINE:
                raise
            raise wrong(error.detail) from error  # 409 says here that the id was used
        found = await ask.services.db.read(read_one, ask.account_id, parent.shown_id)
        if found is None:
            raise HubError(Code.NOT_FOUND, "message not found")
        location = f"{ask.prefix}/messages/{quote(parent.shown_id, safe='')}"
        as_taken = [_as_taken(part) for part in found[1]]
        return answer(self._state(ask, found[0], as_taken, with_content=True), 202, {"Location": location})

    async def read(self, ask: Ask) -> Response:
        """One message with its content."""
        return answer(self._state(ask, *await self._found(ask), with_content=True))

    async def page(self, ask: Ask) -> Response:
        """A page, newest first unless asked otherwise; `X-Total-Count` says how many there are."""
        query = ask.query
        asked = Listing(
            created_from=query_moment(query, "from"),
            created_to=query_moment(query, "to"),
            state=query_word(query, "state", words.WORDS),
            device_id=self.device_of(ask, query.get("deviceId")),
            is_oldest_first=query_word(query, "sort", SORTS) == "created_at",
        )
        limit = query_number(query, "limit", least=0, most=MOST_PER_PAGE, default=USUAL_PAGE) or USUAL_PAGE
        offset = query_number(query, "offset", least=0, most=LARGEST_OFFSET, default=0)
        with_content = query_flag(query, "includeContent")
        page, total = await ask.services.db.read(read_page, ask.account_id, asked, offset, limit)
        shown = [self._state(ask, parent, parts, with_content=with_content) for parent, parts in page]
        return answer(shown, 200, {"X-Total-Count": str(total)})

    async def cancel(self, ask: Ask) -> Response:
        """Stop what can still be stopped; 409 when that is nothing."""
        parent, parts = await self._found(ask)
        commands = [Cancel(account_id=ask.account_id, message_id=part.row.id) for part in parts]
        outcomes = await asyncio.gather(*(ask.write(cancel, command) for command in commands), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if len(refused) == len(outcomes):
            raise refused[0]
        for error in refused:
            if not (isinstance(error, HubError) and error.code is Code.CANCEL_TOO_LATE):
                raise error
        found = await ask.services.db.read(read_one, ask.account_id, parent.shown_id)
        return answer(self._state(ask, *(found or (parent, parts)), with_content=True))

    async def _found(self, ask: Ask) -> tuple[ParentRow, list[Part]]:
        found = await ask.services.db.read(read_one, ask.account_id, ask.tail) if ask.tail else None
        if found is None:
            raise HubError(Code.NOT_FOUND, "message not found")
        return found

    def _state(self, ask: Ask, parent: ParentRow, parts: Sequence[Part], *, with_content: bool) -> dict[str, object]:
        return state(
            parent, parts, self._names, with_content=with_content, is_before_cancel=ask.caller.is_before_cancel
        )

    def device_of(self, ask: Ask, shown_id: str | None) -> str | None:
        """The stored id of a phone a client names. Raises 400 for what is no id of a phone."""
        if shown_id is None:
            return None
        device_id = self._names.device_id(ask.account_id, shown_id)
        if device_id is None:
            raise wrong(NO_DEVICE)
        return device_id


def _as_taken(part: Part) -> Part:
    """A recipient as it was when it was stored: a phone may have it by now, and clients know nothing but Pending here."""
    row = msgspec.structs.replace(part.row, state=Status.QUEUED.value, bound_at=None, sent_at=None, delivered_at=None)
    return part._replace(row=row)


async def _fitting(ask: Ask, posted: Posted, device_id: str | None) -> Sequence[DeviceView]:
    """The phones the request may mean: the one it names; one alone where any will do; all where its wishes decide."""
    read = ask.services.db.read
    if device_id is not None:
        device = await read(find_device, ask.account_id, device_id, now=ask.now)
        return () if device is None or device.revoked_at is not None else (device,)
    any_will_do = posted.sim_number is None and "deviceActiveWithin" not in ask.query
    most = 1 if any_will_do else MOST_DEVICES
    return (await read(list_devices, ask.account_id, now=ask.now, limit=most)).items
