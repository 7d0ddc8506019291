"""The background loops of texts."""

from typing import Protocol

from hub.config import Config
from hub.core.clock import Clock
from hub.core.effects import WakeAt, WakeDispatch
from hub.core.ports import Effects, PhoneSessions, Worker
from hub.messages.dispatcher import Dispatcher, OfferLimits
from hub.messages.timers import Timers, TimerSettings
from hub.storage.database import Database


class _Parts(Protocol):
    """What these loops need of the hub's services."""

    @property
    def config(self) -> Config: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def effects(self) -> Effects: ...

    @property
    def sessions(self) -> PhoneSessions: ...


def message_loops(parts: _Parts) -> list[Worker]:
    """Dispatch and timers, connected to the effects that wake them."""
    config = parts.config
    limits = OfferLimits(config.offers_per_phone, config.offers_when_silent)
    settings = TimerSettings(
        offer_timeout_seconds=config.offer_timeout_seconds,
        failover_seconds=config.failover_seconds,
        uncertain_seconds=config.uncertain_days * 86_400.0,
    )
    dispatcher = Dispatcher(parts.db, parts.sessions, parts.clock, limits)
    timers = Timers(parts.db, parts.sessions, parts.clock, settings)
    parts.effects.on(WakeDispatch, dispatcher.wake)
    parts.db.writer.tell_at_hand(dispatcher.at_hand)
    parts.effects.on(WakeAt, timers.wake_at)
    return [dispatcher, timers]
