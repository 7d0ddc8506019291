"""Checks gateways' tokens, remembers who they are, and makes them: what doors and the command line may do with gateways.

A gateway has an account SID and an auth token as Twilio's libraries want them. The hub keeps the token encrypted, not hashed: it signs
with it what the gateway's platform is told. While a token is being replaced both open the door, and the older one signs, because a
platform checks with one token at a time.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hub.accounts.credentials import Credential, Credentials, Principal
from hub.accounts.rate import Bucket
from hub.accounts.scopes import Scope
from hub.accounts.secretbox import SecretBox
from hub.config import Config
from hub.core.clock import Clock, UtcMs
from hub.core.errors import Code, HubError, invalid
from hub.core.ids import IdSource, to_hex30
from hub.gateways import gateways
from hub.storage.database import Database
from hub.storage.gateways import GatewayRow, find_gateway, find_gateway_by_name, find_gateway_by_sid
from hub.webhooks.endpoints import ChangeEndpoint, CreateEndpoint
from hub.webhooks.front import CHANGE_TRIES, Webhooks
from hub.webhooks.records import EndpointChanges, NewEndpoint
from hub.webhooks.sealer import Sealer, if_readable
from hub.webhooks.signing import DEFAULT_GRACE_SECONDS, LONGEST_GRACE_SECONDS, Keys, SigningKey
from hub.webhooks.targets import check_url

FORMAT = "twilio"
"""The webhook format of a gateway's URLs."""
INBOUND_EVENTS = ("sms:received", "mms:received")
MOST_REMEMBERED = 20_000
LONGEST_SENDER = 64
WRONG_TOKEN = "This account SID and auth token are no gateway's: copy both whole, from where the gateway was made."
GATEWAY_SCOPES = frozenset({Scope.MESSAGES_SEND, Scope.MESSAGES_READ})
"""What a gateway's token opens."""


class Gateway(msgspec.Struct, frozen=True):
    """A gateway as doors work with it."""

    id: str
    account_id: str
    name: str
    sid: str
    tokens: Keys
    sender: str | None
    line_ids: tuple[str, ...]
    status_url: str | None
    endpoint_id: str | None
    created_at: UtcMs
    updated_at: UtcMs

    def __repr__(self) -> str:
        return f"Gateway({self.id})"

    def alive_tokens(self, now: UtcMs) -> tuple[str, ...]:
        """The tokens that work now, newest first."""
        return tuple(key.hmac.decode() for key in self.tokens.alive(now))


class NewGateway(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway to make. `sid` and `token` are taken over from where its platform was before, or made."""

    name: str
    sid: str | None = None
    token: str | None = None
    sender: str | None = None
    line_ids: tuple[str, ...] = ()
    inbound_url: str | None = None
    fallback_url: str | None = None
    status_url: str | None = None

    def __repr__(self) -> str:
        return f"NewGateway({self.name})"


class GatewayChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of one; UNSET stays."""

    sender: str | UnsetType | None = UNSET
    line_ids: tuple[str, ...] | UnsetType = UNSET
    inbound_url: str | UnsetType | None = UNSET
    fallback_url: str | UnsetType | None = UNSET
    status_url: str | UnsetType | None = UNSET


class MadeGateway(msgspec.Struct, frozen=True):
    """A gateway and its newest token, which is in this record and nowhere else."""

    gateway: Gateway
    token: str

    def __repr__(self) -> str:
        return f"MadeGateway({self.gateway.id})"


class GatewayDesk:
    """The gateways of this hub. Safe to use from the event loop only."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: IdSource,
        credentials: Credentials,
        webhooks: Webhooks,
        sealer: Sealer,
        *,
        requests_per_second: float,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._credentials = credentials
        self._webhooks = webhooks
        self._sealer = sealer
        self._per_second = requests_per_second
        self._random = random
        self._seen = credentials.changes
        self._known: OrderedDict[str, Gateway] = OrderedDict()
        self._counted: OrderedDict[str, Credential] = OrderedDict()

    # --- finding and checking ------------------------------------------------------------------------------------------------

    async def by_sid(self, sid: str) -> Gateway | None:
        """The gateway of an account SID."""
        return await self._find(f"sid:{sid}", find_gateway_by_sid, sid)

    async def by_name(self, name: str) -> Gateway | None:
        """The gateway that a URL names."""
        key = gateways.name_key(name)
        return await self._find(f"name:{key}", find_gateway_by_name, key)

    async def check(self, sid: str, token: str) -> Gateway:
        """The gateway of a SID and token, with one of its requests counted. Raises `wrong_login` and `rate_limited`."""
        gateway = await self.by_sid(sid)
        given = token.encode("utf-8", "surrogatepass")
        alive = gateway.alive_tokens(self._clock.now()) if gateway is not None else ("-",)
        is_right = [hmac.compare_digest(given, one.encode()) for one in alive]
        if gateway is None or not any(is_right):
            raise HubError(Code.WRONG_LOGIN, WRONG_TOKEN)
        self.count(gateway)
        return gateway

    def count(self, gateway: Gateway) -> None:
        """Count one of its requests. Raises `rate_limited`."""
        self._credentials.take(self._credential(gateway))

    def _credential(self, gateway: Gateway) -> Credential:
        found = self._counted.get(gateway.id)
        if found is None:
            principal = Principal(gateway.account_id, gateway.id, gateway.name, GATEWAY_SCOPES)
            found = Credential(principal, None, Bucket(self._per_second, self._clock.monotonic()))
            self._counted[gateway.id] = found
            if len(self._counted) > MOST_REMEMBERED:
                self._counted.popitem(last=False)
        return found

    async def _find(self, key: str, read: Callable[..., GatewayRow | None], value: str) -> Gateway | None:
        if self._seen != self._credentials.changes:
            self._seen = self._credentials.changes
            self._known.clear()
        known = self._known.get(key)
        if known is not None:
            return known
        changes = -1
        row = None
        while changes != self._credentials.changes:
            changes = self._credentials.changes
            row = await self._db.read(read, value)
        if row is None:
            return None
        self._seen = self._credentials.changes
        known = self._known[key] = self.opened(row)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return known

    def opened(self, row: GatewayRow) -> Gateway:
        """A stored gateway with its tokens readable."""
        return Gateway(
            id=row.id,
            account_id=row.account_id,
            name=row.name,
            sid=row.sid,
            tokens=if_readable(lambda: self._sealer.tokens(row.id, row.tokens), Keys(())),
            sender=row.sender,
            line_ids=msgspec.json.decode(row.line_ids, type=tuple[str, ...]),
            status_url=row.status_url,
            endpoint_id=row.endpoint_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    # --- making and changing -------------------------------------------------------------------------------------------------

    async def create(self, account_id: str, new: NewGateway) -> MadeGateway:
        """Make a gateway. Raises `validation` naming the field, `target_refused` for a URL, `conflict` for a name or SID that is taken."""
        self._check(new)
        now = self._clock.now()
        gateway_id = self._ids.next(now)
        token = new.token or self._random(16).hex()
        row = GatewayRow(
            id=gateway_id,
            account_id=account_id,
            name=new.name,
            name_key=gateways.name_key(new.name),
            sid=new.sid or f"AC00{to_hex30(gateway_id)}",
            tokens=self._sealer.seal_tokens(gateway_id, Keys((SigningKey(token.encode(), now),))),
            sender=new.sender,
            line_ids=msgspec.json.encode(new.line_ids).decode(),
            status_url=new.status_url,
            endpoint_id=None,
            created_at=now,
            updated_at=now,
        )
        webhook = None if new.inbound_url is None else self._webhook(row, new.inbound_url, new.fallback_url)
        if webhook is not None:
            row = msgspec.structs.replace(row, endpoint_id=webhook.row["id"])
        command = gateways.CreateGateway(row, webhook)
        row = await self._db.writer.submit(gateways.create_gateways, command, *command.keys())
        return MadeGateway(self.opened(row), token)

    async def update(self, account_id: str, gateway_id: str, changes: GatewayChanges) -> Gateway:
        """Change what is named. Raises as `create` does, and `not_found`."""
        row = await self._row(account_id, gateway_id)
        if isinstance(changes.sender, str):
            _check_sender(changes.sender)
        for name in ("inbound_url", "fallback_url", "status_url"):
            url = getattr(changes, name)
            if isinstance(url, str):
                check_url(url, self._webhooks.client.guard, field=name)
        if isinstance(changes.fallback_url, str) and changes.inbound_url is None:
            raise _fallback_alone()
        for _ in range(CHANGE_TRIES):
            try:
                return self.opened(await self._update(row, changes))
            except HubError as error:  # somebody else changed its webhook meanwhile
                if error.code is not Code.CONFLICT:
                    raise
                refused = error
            row = await self._row(account_id, gateway_id)
        raise refused

    async def _update(self, row: GatewayRow, changes: GatewayChanges) -> GatewayRow:
        """One transaction: a change of its webhook is whole or not made."""
        values: dict[str, Any] = {}
        if changes.sender is not UNSET:
            values["sender"] = changes.sender
        if changes.status_url is not UNSET:
            values["status_url"] = changes.status_url
        if changes.line_ids is not UNSET:
            values["line_ids"] = msgspec.json.encode(changes.line_ids).decode()
        return await self._store(row, values, **await self._change_inbound(row, values, changes))

    async def rotate_token(
        self,
        account_id: str,
        gateway_id: str,
        token: str | None = None,
        grace_seconds: int = DEFAULT_GRACE_SECONDS,
    ) -> MadeGateway:
        """Give it another token; the one before opens the door and signs until the grace time is over."""
        if not 0 <= grace_seconds <= LONGEST_GRACE_SECONDS:
            raise invalid("grace_seconds", "range", f"Give 0 to {LONGEST_GRACE_SECONDS} seconds.")
        if token is not None:
            gateways.check_token(token)
        row = await self._row(account_id, gateway_id)
        now = self._clock.now()
        chosen = token or self._random(16).hex()
        before = self.opened(row).tokens.alive(now)[:1] if grace_seconds else ()
        ends_at = now + grace_seconds * 1000
        kept = tuple(msgspec.structs.replace(key, expires_at=ends_at) for key in before)
        tokens = Keys((SigningKey(chosen.encode(), now), *kept))
        values = {"tokens": self._sealer.seal_tokens(row.id, tokens)}
        return MadeGateway(self.opened(await self._store(row, values, is_signed_anew=True)), chosen)

    async def delete(self, account_id: str, gateway_id: str) -> Gateway:
        """End it; its name and SID are free again. Texts that were sent by it are still told of."""
        row = await self._row(account_id, gateway_id)
        ended = {"deleted_at": self._clock.now()}
        return self.opened(await self._store(row, ended, ended_webhook_id=row.endpoint_id))

    async def get(self, account_id: str, gateway_id: str) -> Gateway:
        """One of an account's. Raises `not_found`."""
        return self.opened(await self._row(account_id, gateway_id))

    async def _row(self, account_id: str, gateway_id: str) -> GatewayRow:
        row = await self._db.read(find_gateway, account_id, gateway_id)
        if row is None:
            raise HubError(Code.NOT_FOUND)
        return row

    async def _store(self, row: GatewayRow, values: dict[str, Any], **more: Any) -> GatewayRow:
        command = gateways.ChangeGateway(account_id=row.account_id, gateway_id=row.id, values=values, **more)
        return await self._db.writer.submit(gateways.change_gateways, command, *command.keys())

    def _check(self, new: NewGateway) -> None:
        gateways.check_name(new.name)
        if new.sid is not None:
            gateways.check_sid(new.sid)
        if new.token is not None:
            gateways.check_token(new.token)
        if new.sender is not None:
            _check_sender(new.sender)
        for name in ("inbound_url", "fallback_url", "status_url"):
            url = getattr(new, name)
            if url is not None:
                check_url(url, self._webhooks.client.guard, field=name)
        if new.fallback_url is not None and new.inbound_url is None:
            raise _fallback_alone()

    # --- where inbound texts are told ----------------------------------------------------------------------------------------

    def _webhook(self, row: GatewayRow, url: str, fallback_url: str | None) -> CreateEndpoint:
        lines = msgspec.json.decode(row.line_ids, type=tuple[str, ...])
        new = NewEndpoint(
            url=url,
            description=f"Inbound texts of the gateway {row.name}",
            format=FORMAT,
            settings=_settings(row, fallback_url),
            event_types=INBOUND_EVENTS,
            line_ids=lines,
            timeout_seconds=15,
        )
        return self._webhooks.for_gateway(row.account_id, new, row.id)

    async def _change_inbound(
        self, row: GatewayRow, values: dict[str, Any], changes: GatewayChanges
    ) -> Mapping[str, object]:
        """What changes about its webhook beside `values`, which name the one that is made or ended."""
        if changes.inbound_url is changes.fallback_url is changes.line_ids is UNSET:
            return {}
        if changes.inbound_url is None:
            values["endpoint_id"] = None
            return {"ended_webhook_id": row.endpoint_id}
        webhook = None if row.endpoint_id is None else await self._webhook_of(row, row.endpoint_id, changes)
        if webhook is not None:
            return {"changed_webhook": webhook}
        if isinstance(changes.inbound_url, UnsetType):
            if isinstance(changes.fallback_url, str):
                raise _fallback_alone()
            return {}
        fallback = changes.fallback_url if isinstance(changes.fallback_url, str) else None
        made = self._webhook(msgspec.structs.replace(row, **values), changes.inbound_url, fallback)
        values["endpoint_id"] = made.row["id"]
        return {"webhook": made}

    async def _webhook_of(self, row: GatewayRow, endpoint_id: str, changes: GatewayChanges) -> ChangeEndpoint | None:
        """The change of a gateway's webhook; None for one that somebody has deleted."""
        changed = EndpointChanges(
            url=UNSET if changes.inbound_url is None else changes.inbound_url,
            line_ids=changes.line_ids,
            settings=UNSET if changes.fallback_url is UNSET else _settings(row, changes.fallback_url),
        )
        try:
            return await self._webhooks.to_change(row.account_id, endpoint_id, changed)
        except HubError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None


def _fallback_alone() -> HubError:
    return invalid("fallback_url", "without_url", "Give inbound_url too: the fallback is for when that one fails.")


def _settings(row: GatewayRow, fallback_url: str | None) -> dict[str, str]:
    return {"account_sid": row.sid, **({} if fallback_url is None else {"fallback_url": fallback_url})}


def _check_sender(sender: str) -> None:
    if not 1 <= len(sender) <= LONGEST_SENDER or not sender.isprintable():
        raise invalid("sender", "value", f"Give a line's number, alias or pool, at most {LONGEST_SENDER} characters.")


def open_gateways(
    config: Config,
    db: Database,
    clock: Clock,
    ids: IdSource,
    box: SecretBox,
    credentials: Credentials,
    webhooks: Webhooks,
) -> GatewayDesk:
    """The desk of a hub."""
    rate = config.requests_per_second
    return GatewayDesk(db, clock, ids, credentials, webhooks, Sealer(box), requests_per_second=rate)
