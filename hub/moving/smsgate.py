"""`hub import smsgate`: everything an existing sms-gate.app server knows, so that changing its DNS entry is invisible outside.

Users become logins whose passwords go on working, phones keep their token and their id, webhooks theirs, and messages can be asked for by
the ids they have. Every step stores a few rows and leaves what is there alone: a move that was interrupted, or done early for a first
look, is done again and goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from device_protocol.frames import Sim
from hub.accounts.account import CreateAccount, create_accounts
from hub.accounts.logins import CreateLogin, check_username, create_logins, name_key
from hub.accounts.passwords import can_be_checked
from hub.core.errors import Code, HubError, invalid
from hub.core.progress import Step, Tell, unheard
from hub.core.text import sanitise
from hub.devices.enrol import NAME_MAX, code_hash
from hub.dialects.smsgate.account_settings import SECRETS, AccountKeeper
from hub.dialects.smsgate.names import Names
from hub.dialects.smsgate.webhooks import EVENTS, UNSENT, Webhooks
from hub.moving.old_messages import moved
from hub.moving.rows import DEVICE, USER, MoveDevice, MoveMessage, MoveUser, move_devices, move_messages, move_users
from hub.phones.smsgate.callers import TRANSPORT
from hub.phones.smsgate.wire import DEFAULT_SIM, SimCard, sims_of
from hub.services import Services
from hub.stopping import in_thread
from hub.storage.accounts import list_accounts
from hub.storage.devices import DeviceRow
from hub.storage.logins import find_login_by_name
from hub.storage.mysql_dump import BadDump, Row
from hub.storage.smsgate_accounts import AliasRow, all_aliases, list_unsent
from hub.storage.smsgate_messages import taken_ids
from hub.storage.smsgate_staging import SourceUnreadable, Staging, time_of

MESSAGES_AT_ONCE: Final = 200
_SIM_CARDS = msgspec.json.Decoder(list[SimCard])

NEW, KNOWN, LEFT_OUT = "new", "there already", "left out"


class Report:
    """What was, or would be, moved."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.reasons: Counter[str] = Counter()

    def count(self, what: str, outcome: str, why: str = "") -> None:
        """One more of something."""
        self.counts.setdefault(what, Counter())[outcome] += 1
        if why:
            self.reasons[f"{what}: {why}"] += 1

    def as_json(self) -> dict[str, Any]:
        """For the command line."""
        return {
            "counts": {what: dict(counts) for what, counts in self.counts.items()},
            "reasons": dict(sorted(self.reasons.items())),
        }


class Move:
    """One run of the command."""

    def __init__(
        self, services: Services, staging: Staging, account_id: str | None, tell: Tell, *, is_dry: bool, does_send: bool
    ) -> None:
        self._services = services
        self._staging = staging
        self._account_id = account_id
        self._tell = tell
        self._is_dry = is_dry
        self._does_send = does_send
        self._names = Names(services)
        self._keeper = AccountKeeper(services)
        self._webhooks = Webhooks(services, self._names, self._keeper)
        self._account_of: dict[str, str] = {}
        self._device_of: dict[str, tuple[str, str]] = {}
        """Phone there → (account, phone) here."""
        self.report = Report()

    async def run(self) -> Report:
        """Users first: everything else belongs to one."""
        db = self._services.db
        known_users = {alias.shown_id: alias for alias in await db.read(all_aliases, USER)}
        known_devices = {alias.shown_id: alias for alias in await db.read(all_aliases, DEVICE)}
        for row in self._rows("users", "users"):
            await self._user(row, known_users)
        for row in self._rows("devices", "phones"):
            await self._device(row, known_devices)
        await self._names.look()
        for row in self._rows("webhooks", "webhooks"):
            await self._webhook(row)
        for row in self._rows("device_settings", "settings"):
            await self._settings(row)
        await self._messages()
        return self.report

    def _rows(self, table: str, what: str) -> Iterator[Row]:
        """All rows of one of the small tables."""
        rows = self._staging.rows(table)
        for number, row in enumerate(rows):
            self._tell(self._step(what, number, len(rows)))
            yield row
        if rows:
            self._tell(self._step(what, len(rows), len(rows)))

    def _step(self, what: str, done: int, total: int) -> Step:
        return Step(f"{'Looking at' if self._is_dry else 'Moving'} {what}", done, total)

    # --- users --------------------------------------------------------------------------------------------------------------------

    async def _user(self, row: Row, known: Mapping[str, AliasRow]) -> None:
        name, hashed = row["id"] or "", row["password_hash"] or ""
        if name in known:
            self._account_of[name] = known[name].account_id
            return self.report.count("users", KNOWN)
        if row["deleted_at"] is not None:
            return self.report.count("users", LEFT_OUT, "deleted there")
        if not can_be_checked(hashed):
            return self.report.count("users", LEFT_OUT, "its password is no bcrypt hash")
        try:
            check_username(name)
        except HubError as error:
            return self.report.count("users", LEFT_OUT, error.detail)
        if await self._services.db.read(find_login_by_name, name_key(name)) is not None:
            return self.report.count("users", LEFT_OUT, f"there is another login called {name}: delete one of the two")
        self.report.count("users", NEW)
        self._account_of[name] = self._account_id or await self._account(name)
        if not self._is_dry:
            await self._login(name, hashed)

    async def _account(self, name: str) -> str:
        """The account of a user: of its own, because there nobody saw another user's phones and texts."""
        if self._is_dry:
            return ""
        services = self._services
        for account in await services.db.read(list_accounts):
            if account.name == name:
                return account.id
        command = CreateAccount(id=services.ids.next(services.clock.now()), name=name)
        return (await services.db.writer.submit(create_accounts, command, *command.keys())).id

    async def _login(self, name: str, hashed: str) -> None:
        services, account_id = self._services, self._account_of[name]
        login_id = services.ids.next(services.clock.now())
        login = CreateLogin(id=login_id, account_id=account_id, username=name, password_hash=hashed)
        await services.db.writer.submit(create_logins, login, *login.keys())
        remember = MoveUser(alias=AliasRow(account_id, USER, name, login_id))
        await services.db.writer.submit(move_users, remember, *remember.keys())

    # --- phones -------------------------------------------------------------------------------------------------------------------

    async def _device(self, row: Row, known: Mapping[str, AliasRow]) -> None:
        shown_id, user, token = row["id"] or "", row["user_id"] or "", row["auth_token"] or ""
        if shown_id in known:
            self._device_of[shown_id] = (known[shown_id].account_id, known[shown_id].id)
            return self.report.count("phones", KNOWN)
        if row["deleted_at"] is not None:
            return self.report.count("phones", LEFT_OUT, "deleted there")
        account_id = self._account_of.get(user)
        if account_id is None or not token:
            return self.report.count("phones", LEFT_OUT, "its user was left out")
        services = self._services
        device_id = services.ids.next(services.clock.now())
        self._device_of[shown_id] = (account_id, device_id)
        self.report.count("phones", NEW)
        if self._is_dry:
            return None
        login = await services.db.read(find_login_by_name, name_key(user))
        maker, _, model = (row["name"] or "").partition("/")
        device = DeviceRow(
            id=device_id,
            account_id=account_id,
            name=" ".join(sanitise(f"{maker} {model}").split())[:NAME_MAX] or "Phone",
            created_at=time_of(row["created_at"]) or services.clock.now(),
            enrolled_at=services.clock.now(),
            transport=TRANSPORT,
            secret_sha256=code_hash(token),
            last_seen_at=time_of(row["last_seen"]),
            manufacturer=sanitise(maker),
            model=sanitise(model),
            settings=json.dumps({"login": user, "login_id": "" if login is None else login.id}),
        )
        command = MoveDevice(row=device, shown_id=shown_id, sims=_sims(row["sim_cards"]))
        await services.db.writer.submit(move_devices, command, *command.keys())

    # --- webhooks and settings ------------------------------------------------------------------------------------------------------

    async def _webhook(self, row: Row) -> None:
        account_id, shown_id = self._account_of.get(row["user_id"] or ""), row["ext_id"] or ""
        if row["deleted_at"] is not None or account_id is None:
            return self.report.count("webhooks", LEFT_OUT, "deleted there, or its user was left out")
        device_id = None
        if row["device_id"] is not None:
            if row["device_id"] not in self._device_of:
                return self.report.count("webhooks", LEFT_OUT, "for a phone that was left out")
            device_id = self._device_of[row["device_id"]][1]
        if account_id and await self._has_webhook(account_id, shown_id):
            return self.report.count("webhooks", KNOWN)
        event, url = row["event"] or "", row["url"] or ""
        if event not in EVENTS and event not in UNSENT:
            return self.report.count("webhooks", LEFT_OUT, f"an event the hub does not know: {event}")
        try:
            self._webhooks.check_url(url)
            if not self._is_dry:
                now = self._services.clock.now()
                await self._webhooks.store(account_id, shown_id, url, event, device_id, now)
        except HubError as error:
            return self.report.count("webhooks", LEFT_OUT, error.detail)
        return self.report.count("webhooks", NEW)

    async def _has_webhook(self, account_id: str, shown_id: str) -> bool:
        registered = [one.settings["webhook_id"] for one in await self._webhooks.registered(account_id)]
        unsent = [one.shown_id for one in await self._services.db.read(list_unsent, account_id)]
        return shown_id in registered or shown_id in unsent

    async def _settings(self, row: Row) -> None:
        account_id = self._account_of.get(row["user_id"] or "")
        if account_id is None:
            return self.report.count("settings", LEFT_OUT, "its user was left out")
        if account_id and await self._keeper.groups(account_id):
            return self.report.count("settings", KNOWN)
        try:
            groups = _without_secrets(json.loads(row["settings"] or "{}"))
            if not self._is_dry:
                await self._keeper.change(account_id, groups, is_whole=False)
                await self._webhooks.settings_changed(account_id)
        except (ValueError, HubError) as error:
            return self.report.count("settings", LEFT_OUT, str(error))
        return self.report.count("settings", NEW)

    # --- messages -------------------------------------------------------------------------------------------------------------------

    async def _messages(self) -> None:
        after, done, total = 0, 0, self._staging.count("messages")
        while page := self._staging.messages(after, MESSAGES_AT_ONCE):
            after = page[-1][0]
            commands: list[MoveMessage] = []
            for _, old in page:
                place = self._device_of.get(old.row["device_id"] or "")
                if old.row["deleted_at"] is not None or place is None:
                    self.report.count("messages", LEFT_OUT, "deleted there, or its phone was left out")
                    continue
                now = self._services.clock.now()
                command = moved(old, *place, now, does_send=self._does_send)
                if command is None:
                    self.report.count("messages", LEFT_OUT, "without an id or a recipient")
                else:
                    commands.append(command)
                    waiting = any(text.reason and text.state == "dead_letter" for text in command.texts)
                    if waiting:
                        self.report.reasons[
                            "messages: left waiting there; replay them by hand, or move with --send-pending"
                        ] += 1
            await self._store(commands)
            done += len(page)
            self._tell(self._step("messages", done, total))

    async def _store(self, commands: Sequence[MoveMessage]) -> None:
        if self._is_dry:
            accounts = {one.parent.account_id for one in commands}
            taken = await self._services.db.read(taken_ids, accounts, {one.parent.shown_id for one in commands})
            for one in commands:
                is_known = (one.parent.account_id, one.parent.shown_id) in taken
                self.report.count("messages", KNOWN if is_known else NEW)
            return
        submit = self._services.db.writer.submit
        stored = await asyncio.gather(*(submit(move_messages, command, *command.keys()) for command in commands))
        for is_new in stored:
            self.report.count("messages", NEW if is_new else KNOWN)


def _sims(stored: str | None) -> tuple[Sim, ...]:
    try:
        return sims_of(_SIM_CARDS.decode(stored or "[]")) or (DEFAULT_SIM,)
    except msgspec.DecodeError:
        return (DEFAULT_SIM,)


def _without_secrets(groups: Any) -> dict[str, Any]:
    """The signing key comes along; a passphrase or another server's address would be refused with everything else."""
    if not isinstance(groups, dict):
        raise ValueError("no settings")
    return {
        group: {
            key: value for key, value in values.items() if key == "signing_key" or key not in SECRETS.get(group, ())
        }
        for group, values in groups.items()
        if isinstance(values, dict)
    }


async def import_smsgate(
    services: Services,
    source: str,
    account_id: str | None = None,
    is_dry: bool = False,
    does_send: bool = False,
    tell: Tell = unheard,
) -> Report:
    """Move in from a dump file or a `mysql://` address. Raises a `validation` HubError for a source that cannot be read."""
    with Staging() as staging:
        try:
            is_live = "://" in source
            fill = (
                partial(staging.fill_from_database, source)
                if is_live
                else partial(staging.fill_from_dump, Path(source))
            )
            await in_thread(fill, tell)
        except (BadDump, SourceUnreadable, OSError) as error:
            raise invalid("source", "unreadable", str(error)) from error
        if not staging.count("users"):
            raise HubError(
                Code.VALIDATION, "There is no user in this source: it is no database of an sms-gate.app server."
            )
        return await Move(services, staging, account_id, tell, is_dry=is_dry, does_send=does_send).run()
