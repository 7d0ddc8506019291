"""Everything the doors may do with webhooks, on one page: REST, the dashboard and the command line all come through here."""

import builtins
import secrets
from collections.abc import Mapping
from functools import partial

import msgspec

from hub.accounts.secretbox import SecretBox
from hub.core.clock import Clock, UtcMs
from hub.core.commands import CallbackTarget
from hub.core.errors import Code, HubError, invalid
from hub.core.events import EventType
from hub.core.ids import IdSource
from hub.core.mail import is_mail
from hub.core.ports import Completing, TellsByMail, WebhookFormat, as_it_is
from hub.storage.database import Database
from hub.storage.webhooks_endpoints import StoredEndpoint, find_endpoint, list_endpoints
from hub.storage.webhooks_lanes import LaneRow, load_lanes
from hub.webhooks import endpoints, replay
from hub.webhooks.client import Client
from hub.webhooks.formats.standard import template_input
from hub.webhooks.mail import MailIdentity
from hub.webhooks.opened import open_endpoint
from hub.webhooks.reading import id_of_number, number_of_id, read_deliveries, read_delivery
from hub.webhooks.records import (
    CreatedEndpoint,
    Delivery,
    DeliveryDetail,
    DeliveryFilter,
    Endpoint,
    EndpointChanges,
    Held,
    NewEndpoint,
    Preview,
    Replay,
    ReplayFilter,
    RotatedSecret,
    TestResult,
)
from hub.webhooks.samples import sample_event
from hub.webhooks.sealer import Sealer, if_readable
from hub.webhooks.signing import (
    DEFAULT_GRACE_SECONDS,
    LONGEST_GRACE_SECONDS,
    Keys,
    new_keys,
    public_key_text,
    rotate,
    secret_text,
)
from hub.webhooks.subscriptions import checked, merged, row_of, with_other_kind
from hub.webhooks.targets import check_mailto, check_url
from hub.webhooks.template import BadTemplate, render_template
from hub.webhooks.trial import Trials
from hub.webhooks.views import shown

CHANGE_TRIES = 3
"""How often a change is made anew when somebody else changed the endpoint in between."""


class Webhooks:
    """Raises `HubError`: `not_found` for what the account does not have, `validation` with the field, `conflict`, `target_refused`."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: IdSource,
        box: SecretBox,
        formats: Mapping[str, WebhookFormat],
        client: Client,
        node: str = "",
        identity: MailIdentity | None = None,
        complete: Completing = as_it_is,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._sealer = Sealer(box)
        self.formats = formats
        """All formats of this hub, by name."""
        self.client = client
        """What sends; shared with the delivery loop, which closes it."""
        self.identity = identity or MailIdentity()
        """Who the hub is when it writes mails."""
        self.complete = complete
        """What an event is given when it is delivered."""
        self._trials = Trials(client, clock, ids, node, self.identity)

    # --- endpoints ----------------------------------------------------------------------------------------------------------------

    async def create(
        self,
        account_id: str,
        new: NewEndpoint,
        *,
        forwards_line_id: str | None = None,
    ) -> CreatedEndpoint:
        """Subscribe. The signing secret is generated and in this answer only."""
        command, keys = self._to_make(account_id, new, None, forwards_line_id)
        await self._db.writer.submit(endpoints.create_endpoints, command, *command.keys())
        secret, public_key = _newest(keys)
        made = await self.get(account_id, command.row["id"])
        return CreatedEndpoint(endpoint=made, secret=secret, public_key=public_key)

    def for_gateway(self, account_id: str, new: NewEndpoint, gateway_id: str) -> endpoints.CreateEndpoint:
        """What makes a gateway's webhook, in the transaction that changes the gateway. It is signed with the gateway's token."""
        return self._to_make(account_id, new, gateway_id, None)[0]

    def _to_make(
        self, account_id: str, new: NewEndpoint, gateway_id: str | None, forwards_line_id: str | None
    ) -> tuple[endpoints.CreateEndpoint, Keys]:
        new = checked(new, self.client.guard, self.formats, has_mail=self.client.has_mail)
        now = self._clock.now()
        endpoint_id = self._ids.next(now)
        keys = new_keys(now, secrets.token_bytes, ed25519=new.signing == "ed25519")
        row = {
            **row_of(new, endpoint_id, self._sealer),
            "id": endpoint_id,
            "account_id": account_id,
            "gateway_id": gateway_id,
            "forwards_line_id": forwards_line_id,
            "secrets": self._sealer.seal_keys(endpoint_id, keys),
        }
        return endpoints.CreateEndpoint(row), keys

    async def update(self, account_id: str, endpoint_id: str, changes: EndpointChanges) -> Endpoint:
        """Change what is named. What waits keeps its format and template, and goes to the new URL.

        A URL that becomes a mail address, or the other way round, takes what waits along: it is due at once the new way. What is just
        being tried ends the old way; if that fails, it goes the new way too.
        """
        for _ in range(CHANGE_TRIES):
            if await self._submit(await self.to_change(account_id, endpoint_id, changes)):
                return await self.get(account_id, endpoint_id)
        raise HubError(Code.CONFLICT)

    async def to_change(self, account_id: str, endpoint_id: str, changes: EndpointChanges) -> endpoints.ChangeEndpoint:
        """What makes a change, if the endpoint is then still as it is now: for transactions that change something beside it."""
        stored = await self._stored(account_id, endpoint_id)
        if stored.row["state"] == "disabled" and changes.state is not msgspec.UNSET:
            raise HubError(Code.ENDPOINT_DISABLED)
        if stored.row["is_implicit"]:
            raise HubError(
                Code.CONFLICT, "This webhook is made by texts that carry their own target; it cannot be changed."
            )
        asked = with_other_kind(stored, changes)
        new = checked(
            merged(stored, asked, self._sealer), self.client.guard, self.formats, has_mail=self.client.has_mail
        )
        values = row_of(new, endpoint_id, self._sealer)
        if stored.row["state"] == "disabled":
            del values["state"]
        if new.signing == "ed25519" and stored.row["signing"] != "ed25519":
            values["secrets"] = self._with_ed25519(stored)
        return _change_of(stored, values, is_reordered=new.order_mode != stored.row["order_mode"])

    async def delete(self, account_id: str, endpoint_id: str) -> None:
        """Unsubscribe. What waits ends as cancelled."""
        command = endpoints.DeleteEndpoint(account_id, endpoint_id)
        await self._db.writer.submit(endpoints.delete_endpoints, command, f"endpoint:{endpoint_id}")

    async def list(self, account_id: str, *, implicit: bool = False) -> list[Endpoint]:
        """All of an account's, oldest first."""
        rows = await self._db.read(list_endpoints, account_id, implicit=implicit)
        now = self._clock.now()
        return [shown(row, self._sealer, now) for row in rows]

    async def get(self, account_id: str, endpoint_id: str) -> Endpoint:
        """One."""
        return shown(await self._stored(account_id, endpoint_id), self._sealer, self._clock.now())

    async def rotate(
        self, account_id: str, endpoint_id: str, grace_seconds: int = DEFAULT_GRACE_SECONDS
    ) -> RotatedSecret:
        """A new secret; the old one signs too until the grace time is over."""
        if not 0 <= grace_seconds <= LONGEST_GRACE_SECONDS:
            raise invalid("grace_seconds", "range", f"Give 0 to {LONGEST_GRACE_SECONDS} seconds.")
        for _ in range(CHANGE_TRIES):
            stored = await self._stored(account_id, endpoint_id)
            if stored.row["gateway_id"] is not None:
                raise HubError(Code.CONFLICT, "This webhook is signed with its gateway's token: rotate that one.")
            now = self._clock.now()
            sealed = stored.row["secrets"]
            before = if_readable(partial(self._sealer.keys, endpoint_id, sealed), Keys(()))
            is_ed25519 = stored.row["signing"] == "ed25519"
            keys = rotate(before, now, grace_seconds, secrets.token_bytes, ed25519=is_ed25519)
            if await self._change(stored, {"secrets": self._sealer.seal_keys(endpoint_id, keys)}):
                old = keys.generations[1].expires_at if len(keys.generations) > 1 else None
                endpoint = await self.get(account_id, endpoint_id)
                secret, public_key = _newest(keys)
                return RotatedSecret(endpoint=endpoint, secret=secret, public_key=public_key, old_expires_at=old)
        raise HubError(Code.CONFLICT)

    async def use_own_key(self, account_id: str, endpoint_id: str, own_key: str | None) -> None:
        """Sign with this key in formats that sign with a text; None = with the endpoint's own secret again.

        An endpoint whose secret was lost with the hub's key file has another from then on.
        """
        for _ in range(CHANGE_TRIES):
            stored = await self._stored(account_id, endpoint_id)
            is_readable, before = self._keys(stored)
            if is_readable and before.own == own_key:
                return
            keys = msgspec.structs.replace(before, own=own_key)
            if await self._change(stored, {"secrets": self._sealer.seal_keys(endpoint_id, keys)}):
                return
        raise HubError(Code.CONFLICT)

    async def enable(
        self, account_id: str, endpoint_id: str, held: Held = "send", since: UtcMs | None = None
    ) -> Endpoint:
        """Switch on, and say whether what was held is sent, sent from `since` on, or dropped."""
        if (held == "since") != (since is not None):
            raise invalid("since", "missing", "Give since with held=since, and only then.")
        command = endpoints.EnableEndpoint(account_id, endpoint_id, held, since)
        await self._db.writer.submit(endpoints.enable_endpoints, command, f"endpoint:{endpoint_id}")
        return await self.get(account_id, endpoint_id)

    async def test(self, account_id: str, endpoint_id: str, event_type: str = "sms:received") -> TestResult:
        """Send a sample now and show what the receiver answers."""
        row = await self._lane_row(account_id, endpoint_id)
        form = self.formats[row.endpoint["format"]]
        event = _event_type(event_type)
        if not form.takes(event):
            raise invalid("event_type", "unknown", f"The {row.endpoint['format']} format does not tell {event_type}.")
        return await self._trials.send(row, open_endpoint(row, self._sealer), form, event)

    async def preview(self, template: str, event_type: str = "sms:received") -> Preview:
        """What a template makes of a sample event."""
        now = self._clock.now()
        event = template_input(sample_event(_event_type(event_type), self._ids.next(now), "", now))
        try:
            body = render_template(template, event)
        except BadTemplate as error:
            raise invalid("template", "template", str(error)) from error
        return Preview(body=body.decode(), event=event.decode())

    # --- deliveries ---------------------------------------------------------------------------------------------------------------

    async def deliveries(
        self, account_id: str, filter: DeliveryFilter, *, before: str | None = None, limit: int = 50
    ) -> builtins.list[Delivery]:
        """The log, newest first; `before` is the last id of the page before."""
        return await self._db.read(read_deliveries, account_id, filter, before, limit)

    async def delivery(self, account_id: str, delivery_id: str) -> DeliveryDetail:
        """One, with its tries and its bytes."""
        formats = dict(self.formats)
        found = await self._db.read(read_delivery, account_id, delivery_id, formats, self.identity, self.complete)
        if found is None:
            raise HubError(Code.NOT_FOUND)
        return DeliveryDetail(delivery=found[0], attempts=found[1], body=found[2])

    async def replay(self, account_id: str, delivery_id: str) -> Delivery:
        """Send one again: a new run with the same webhook-id."""
        command = replay.ReplayOne(account_id, number_of_id(delivery_id))
        number = await self._db.writer.submit(replay.replay_one, command, f"delivery:{delivery_id}")
        return (await self.delivery(account_id, id_of_number(number))).delivery

    async def cancel(self, account_id: str, delivery_id: str) -> Delivery:
        """End one that waits."""
        command = replay.CancelOne(account_id, number_of_id(delivery_id))
        await self._db.writer.submit(replay.cancel_one, command, f"delivery:{delivery_id}")
        return (await self.delivery(account_id, delivery_id)).delivery

    # --- replays ------------------------------------------------------------------------------------------------------------------

    async def start_replay(self, account_id: str, endpoint_id: str, filter: ReplayFilter) -> Replay:
        """Send all that matches again; it goes on by itself."""
        stored = await self._stored(account_id, endpoint_id)
        if stored.row["state"] == "disabled":
            raise HubError(Code.ENDPOINT_DISABLED)
        up_to, total = await self._db.read(replay.measure, account_id, replay.wanted_of(endpoint_id, filter))
        replay_id = self._ids.next(self._clock.now())
        command = replay.StartReplay(replay_id, account_id, endpoint_id, filter, up_to, total)
        await self._db.writer.submit(replay.start_replays, command, f"endpoint:{endpoint_id}")
        return await self.get_replay(account_id, replay_id)

    async def replays(self, account_id: str, endpoint_id: str | None = None) -> builtins.list[Replay]:
        """Newest first."""
        return await self._db.read(replay.read_replays, account_id, endpoint_id=endpoint_id or "")

    async def get_replay(self, account_id: str, replay_id: str) -> Replay:
        """One, with how far it has come."""
        found = await self._db.read(replay.read_replays, account_id, replay_id=replay_id)
        if not found:
            raise HubError(Code.NOT_FOUND)
        return found[0]

    async def cancel_replay(self, account_id: str, replay_id: str) -> Replay:
        """Make no more of it; what waits of it is cancelled."""
        await self.get_replay(account_id, replay_id)
        command = replay.CancelReplay(account_id, replay_id)
        await self._db.writer.submit(replay.cancel_replays, command, f"replay:{replay_id}")
        return await self.get_replay(account_id, replay_id)

    # --- a text's own target --------------------------------------------------------------------------------------------------------

    def check_callback(self, target: CallbackTarget, *, field: str = "callback") -> None:
        """Refuse a target that could never be told: `validation` for an unknown format or URL, `target_refused` for the address."""
        if target.format not in self.formats:
            known = ", ".join(sorted(self.formats))
            raise invalid(f"{field}.format", "unknown", f"{target.format[:40]!r} is no format: use {known}.")
        if is_mail(target.url) and isinstance(self.formats[target.format], TellsByMail):
            check_mailto(target.url, field=f"{field}.url")
        else:
            check_url(target.url, self.client.guard, field=f"{field}.url")

    # --- pieces -------------------------------------------------------------------------------------------------------------------

    async def _stored(self, account_id: str, endpoint_id: str) -> StoredEndpoint:
        stored = await self._db.read(find_endpoint, account_id, endpoint_id)
        if stored is None:
            raise HubError(Code.NOT_FOUND)
        return stored

    async def _lane_row(self, account_id: str, endpoint_id: str) -> LaneRow:
        await self._stored(account_id, endpoint_id)
        (row,) = await self._db.read(load_lanes, [endpoint_id])
        return row

    async def _change(self, stored: StoredEndpoint, values: Mapping[str, object]) -> bool:
        """False when somebody else was first."""
        return await self._submit(_change_of(stored, values))

    async def _submit(self, command: endpoints.ChangeEndpoint) -> bool:
        try:
            await self._db.writer.submit(endpoints.change_endpoints, command, *command.keys())
        except HubError as error:
            if error.code is Code.CONFLICT:
                return False
            raise
        return True

    def _keys(self, stored: StoredEndpoint) -> tuple[bool, Keys]:
        """Whether an endpoint's keys can be read, and they, or new ones in the place of those that were lost with the hub's key file."""
        row = stored.row
        known = if_readable(partial(self._sealer.keys, row["id"], row["secrets"]), None)
        if known is not None:
            return True, known
        return False, new_keys(self._clock.now(), secrets.token_bytes, ed25519=row["signing"] == "ed25519")

    def _with_ed25519(self, stored: StoredEndpoint) -> bytes:
        """The keys as they are, the newest with an Ed25519 key beside it."""
        _, before = self._keys(stored)
        newest, *others = before.generations
        newest = msgspec.structs.replace(newest, ed25519=newest.ed25519 or secrets.token_bytes(32))
        keys = msgspec.structs.replace(before, generations=(newest, *others))
        return self._sealer.seal_keys(stored.row["id"], keys)


def _change_of(
    stored: StoredEndpoint, values: Mapping[str, object], *, is_reordered: bool = False
) -> endpoints.ChangeEndpoint:
    row = stored.row
    is_other_way = values.get("kind", row["kind"]) != row["kind"]
    return endpoints.ChangeEndpoint(row["account_id"], row["id"], row["version"], values, is_reordered, is_other_way)


def _newest(keys: Keys) -> tuple[str, str | None]:
    """The newest key as its owner is shown it once: the secret, and the public half of an asymmetric one."""
    key = keys.generations[0]
    return secret_text(key.hmac), None if key.ed25519 is None else public_key_text(key.ed25519)


def _event_type(text: str) -> EventType:
    try:
        return EventType(text)
    except ValueError:
        raise invalid("event_type", "unknown", f"{text[:40]!r} is no event.") from None
