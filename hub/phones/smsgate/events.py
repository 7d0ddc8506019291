"""The route of the streams: who may open one, what a new one is told, and when the last one is over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.core.effects import ExportAsked, LiveHint, PhoneSettingsChanged
from hub.core.errors import HubError
from hub.devices.app_export import EXPORT, RequestExport, request_export
from hub.devices.arrival import Arrive, RememberAboutPhone, arrive, read_remembered, remember_about_phone
from hub.devices.presence import CLOSED, Goodbye, goodbye
from hub.log import get_logger
from hub.phones.sessions import Session, Sessions
from hub.phones.smsgate.callers import TRANSPORT, Caller, Callers
from hub.phones.smsgate.hooks import Hooks
from hub.phones.smsgate.memory import mark_of
from hub.phones.smsgate.settings import AppSettings
from hub.phones.smsgate.streams import PhoneStreams
from hub.phones.smsgate.times import write_time
from hub.phones.smsgate.versions import FLOOR, of_stored
from hub.services import Services
from hub.storage.devices_app import find_device_of, ids_of_transport

log = get_logger("phones.smsgate")

EXPORTED: Final = "MessagesExportRequested"


class Events:
    """`GET /events`."""

    def __init__(
        self, services: Services, sessions: Sessions, callers: Callers, hooks: Hooks, settings: AppSettings
    ) -> None:
        self._services = services
        self._sessions = sessions
        self._callers = callers
        self._hooks = hooks
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self._of_account: dict[str, set[PhoneStreams]] = {}
        """The connected phones of this adapter, by account."""
        services.effects.on(LiveHint, self._changed)
        services.effects.on(PhoneSettingsChanged, lambda effect: self._look_at(effect.account_id))
        services.effects.on(ExportAsked, lambda effect: self._start(self._export(effect)))

    async def open(self, request: Request) -> Response:
        """Attach one more stream to the phone's session."""
        caller = await self._callers.identify(request)
        phone = self._live(caller.device_id)
        if phone is None:
            phone = await self._begin(caller)
        phone.version = of_stored(caller.device.app_version)
        stream = phone.open()
        phone.told.clear()
        try:
            await self._tell_what_changed(caller, phone)
        except HubError:
            phone.leave(stream)
            raise
        if phone.version < FLOOR:
            phone.nudge()  # later ones fetch by themselves when the stream opens
        return stream

    def _live(self, device_id: str) -> PhoneStreams | None:
        session = self._sessions.live(device_id)
        return session if isinstance(session, PhoneStreams) and session.ending is None else None

    async def _begin(self, caller: Caller) -> PhoneStreams:
        services = self._services
        with self._sessions.greeting(caller.device_id) as greeting:
            command = Arrive(
                **caller.command(),
                node=services.config.node_name,
                app_version=None,
                quiet_seconds=None,
                opens_stream=True,
            )
            session_no = await services.db.writer.submit(arrive, command, *command.keys())
            phone = PhoneStreams(services.clock, of_stored(caller.device.app_version))
            phone.device_id, phone.account_id, phone.session_no = caller.device_id, caller.account_id, session_no
            phone.on_end = self._over
            self._sessions.register(phone, (), greeting)
            self._of_account.setdefault(phone.account_id, set()).add(phone)
        return phone

    def _over(self, phone: Session) -> None:
        """The phone's last stream has ended: as far as is known, it is gone."""
        self._sessions.unregister(phone)
        left = self._of_account.get(phone.account_id, set()) - {phone}
        if left:
            self._of_account[phone.account_id] = left
        else:
            self._of_account.pop(phone.account_id, None)
        word = phone.ending[0].word if phone.ending is not None else CLOSED
        command = Goodbye(
            account_id=phone.account_id, device_id=phone.device_id, session_no=phone.session_no, reason=word
        )
        try:
            future = self._services.db.writer.submit_soon(goodbye, command, *command.keys())
        except HubError as error:
            log.info("the end of a stream could not be noted", device=phone.device_id, why=error.code)
        else:
            future.add_done_callback(_look_at_error)

    # --- what a phone has not fetched yet

    async def _tell_what_changed(self, caller: Caller, phone: PhoneStreams) -> None:
        """Events have no memory, so what the phone has fetched last is held against what it would be given now."""
        known = read_remembered(caller.device.settings)
        version = of_stored(caller.device.app_version)
        self._tell(phone, known, "webhooks", "WebhooksUpdated", self._hooks.hooks_for(caller.device_id, version))
        groups = await self._settings.groups_for(caller.device, version)
        self._tell(phone, known, "settings", "SettingsUpdated", groups)
        if EXPORT in known:
            phone.tell(EXPORTED, msgspec.json.decode(known[EXPORT]))
            command = RememberAboutPhone(**caller.command(), values={EXPORT: None})
            await self._services.db.writer.submit(remember_about_phone, command, *command.keys())

    @staticmethod
    def _tell(phone: PhoneStreams, known: Mapping[str, str], what: str, name: str, value: Any) -> None:
        """Once for each version of the document."""
        mark = mark_of(value)
        if mark not in (known.get(what), phone.told.get(what)):
            phone.told[what] = mark
            phone.tell(name)

    def tell_settings(self, device_id: str) -> None:
        """Ask a connected phone to fetch its settings, changed or not."""
        phone = self._live(device_id)
        if phone is not None:
            phone.tell("SettingsUpdated")

    def _changed(self, hint: LiveHint) -> None:
        """Something of a phone, or of a line whose pace it is told, changed."""
        if hint.kind == "device":
            self._look_at(hint.account_id, hint.id)
        elif hint.kind == "line":
            self._look_at(hint.account_id)

    def _look_at(self, account_id: str, device_id: str | None = None) -> None:
        """Look whether connected phones of an account, or one of them, must be told."""
        # Among this adapter's phones only: thousands of others may be connected, each of which changes when it comes.
        for phone in tuple(self._of_account.get(account_id, ())):
            if phone.count and device_id in (None, phone.device_id):
                self._start(self._look_again(phone.device_id, phone))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _export(self, asked: ExportAsked) -> None:
        """Remember the wish for each phone that is meant, so that one that is not connected hears of it when it comes."""
        try:
            ids = await self._services.db.read(ids_of_transport, asked.account_id, TRANSPORT)
            for device_id in ids if asked.device_id is None else [id_ for id_ in ids if id_ == asked.device_id]:
                command = RequestExport(
                    account_id=asked.account_id, device_id=device_id, transport=TRANSPORT, values=_export_data(asked)
                )
                await self._services.db.writer.submit(request_export, command, *command.keys())
        except HubError as error:
            log.warning("an export could not be asked for", why=error.code)

    async def _look_again(self, device_id: str, phone: PhoneStreams) -> None:
        try:
            device = await self._services.db.read(find_device_of, TRANSPORT, device_id)
            if device is not None and phone.count:
                await self._tell_what_changed(Caller(device, of_stored(device.app_version)), phone)
        except HubError as error:
            log.info("what a phone must be told could not be read", device=device_id, why=error.code)


def _export_data(asked: ExportAsked) -> dict[str, str]:
    """The event's data: every value is a text."""
    data = {
        "since": write_time(asked.since),
        "until": write_time(asked.until),
        "messageTypes": ",".join(asked.message_types),
        "triggerWebhooks": "false" if asked.webhook_delivery == "Disabled" else "true",
    }
    return data if asked.webhook_delivery == "Individual" else {**data, "webhookDelivery": asked.webhook_delivery}


def _look_at_error(future: asyncio.Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.info("the end of a stream could not be noted", why=str(error))
