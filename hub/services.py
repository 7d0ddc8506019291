"""What adapters and background loops are handed: a small frozen record of attributes, and the runner of effects.

Nothing here decides anything; use cases decide, and say in effects what is to happen after their commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hub.accounts.credentials import Credentials
from hub.accounts.front_desk import FrontDesk
from hub.accounts.login_desk import LoginDesk
from hub.accounts.secretbox import SecretBox
from hub.accounts.signed_in import SignedIn
from hub.config import Config
from hub.core.clock import Clock
from hub.core.effects import Effect
from hub.core.ids import IdSource
from hub.core.ports import PhoneSessions
from hub.gateways.desk import GatewayDesk
from hub.live import Live
from hub.log import get_logger
from hub.media.links import MediaLinks
from hub.storage.database import Database
from hub.webhooks.front import Webhooks

log = get_logger("effects")

EffectT = TypeVar("EffectT")


class EffectRunner:
    """Calls whoever registered for a kind of effect; used by the writer after each commit, on the event loop.

    A handler must not wait and must not raise: it puts a frame into a bounded outbox, sets an event, forgets a cached key. One that raises
    is logged, because the commit it follows has happened and its callers are owed their answer.
    """

    def __init__(self) -> None:
        self._handlers: defaultdict[type, list[Callable[[Any], object]]] = defaultdict(list)

    def on(self, kind: type[EffectT], handler: Callable[[EffectT], object]) -> None:
        """From now on `handler` is called with each effect of this kind."""
        self._handlers[kind].append(handler)

    def __call__(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            for handler in self._handlers.get(type(effect), ()):
                try:
                    handler(effect)
                except Exception:
                    log.exception("an effect could not be carried out", effect=type(effect).__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The hub's running parts, as its rooms see them."""

    config: Config
    clock: Clock
    ids: IdSource
    db: Database
    effects: EffectRunner
    live: Live
    secrets: SecretBox
    credentials: Credentials
    logins: LoginDesk
    signed_in: SignedIn
    front_desk: FrontDesk
    gateways: GatewayDesk
    sessions: PhoneSessions
    webhooks: Webhooks
    media_links: MediaLinks
    hub_epoch: str
    """Names this life of the data: a restore from a backup makes a new one. Part of every cursor and stream id."""
    tls_pin: str | None = None
    """The SPKI pin that goes into QR codes, for a hub with its own certificate."""
