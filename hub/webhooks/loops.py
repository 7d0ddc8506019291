"""Wiring: what the hub makes of webhooks when it starts."""

import secrets
from collections.abc import Sequence
from typing import Any, Protocol

from hub.accounts.secretbox import SecretBox
from hub.config import Config
from hub.core.effects import WakeDelivery
from hub.core.ids import IdSource
from hub.core.ports import Completing, Effects, WebhookFormat, Worker, as_it_is
from hub.storage.database import Database
from hub.webhooks.client import HttpClient
from hub.webhooks.deliver import Deliverer
from hub.webhooks.engine_clock import PacedClock
from hub.webhooks.formats import formats_with
from hub.webhooks.front import Webhooks
from hub.webhooks.mail import MailIdentity
from hub.webhooks.mailer import Mailer, MailServer
from hub.webhooks.resolver import Resolver
from hub.webhooks.settings import DeliverySettings
from hub.webhooks.targets import Guard
from hub.webhooks.transports import Transports
from hub.webhooks.tries import OnTexts

ADDRESS_PURPOSE = "mail-addresses"
"""What the key is derived for that marks the hub's own mail addresses."""


class _Parts(Protocol):
    """What the loop needs of the hub's services."""

    @property
    def config(self) -> Config: ...

    @property
    def clock(self) -> Any: ...

    @property
    def db(self) -> Database: ...

    @property
    def effects(self) -> Effects: ...

    @property
    def secrets(self) -> SecretBox: ...

    @property
    def webhooks(self) -> Webhooks: ...


def open_webhooks(
    config: Config,
    db: Database,
    clock: PacedClock,
    ids: IdSource,
    box: SecretBox,
    formats: Sequence[WebhookFormat] = (),
    complete: Completing = as_it_is,
) -> Webhooks:
    """What the doors use; `formats` are those of the dialects. Raises ValueError when two have one name."""
    guard = Guard(config.webhook_allow_networks.split(","))
    http = HttpClient(guard, Resolver(guard), proxy=config.webhook_proxy)
    client = Transports(http, mailer_of(config))
    identity = mail_identity(config, box)
    return Webhooks(db, clock, ids, box, formats_with(*formats), client, config.node_name, identity, complete)


def mailer_of(config: Config) -> Mailer | None:
    """The way out for mails; None where no mail server is set."""
    if not config.smtp_host:
        return None
    return Mailer(
        MailServer(
            host=config.smtp_host,
            port=config.smtp_port,
            tls=config.smtp_tls,
            user=config.smtp_user,
            password=config.smtp_password,
            ca_file=None if config.smtp_ca_file is None else str(config.smtp_ca_file),
            own_name=config.mail_host,
        )
    )


def mail_identity(config: Config, box: SecretBox) -> MailIdentity:
    """Who the hub is when it writes mails. They can be answered only where mail for its domain reaches it."""
    key = box.derive(ADDRESS_PURPOSE) if config.mail_domain else None
    return MailIdentity(config.mail_host, config.mail_brand, key)


def webhook_loops(parts: _Parts, on_texts: OnTexts | None = None) -> list[Worker]:
    """The delivery loop; it hears of new deliveries by effect."""
    webhooks = parts.webhooks
    settings = DeliverySettings(
        node=f"{parts.config.node_name}-{secrets.token_hex(4)}",
        max_in_flight=parts.config.webhook_max_in_flight,
        stop_seconds=max(1.0, parts.config.shutdown_seconds - 5.0),
        keep_events_days=parts.config.keep_events_days,
    )
    loop = Deliverer(
        parts.db,
        parts.clock,
        parts.secrets,
        webhooks.formats,
        settings,
        webhooks.client,
        on_texts,
        webhooks.identity,
        webhooks.complete,
    )
    parts.effects.on(WakeDelivery, lambda effect: loop.wake(effect.endpoint_ids))
    return [loop]
