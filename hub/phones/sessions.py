"""Who is connected to this process: one live session per phone, each with a bounded outbox.

A session is registered after the commit of its `hello`, under the number that commit gave it. Effects of the same batch may speak to
that number a moment earlier; they wait in the greeting and follow the welcome. A frame for another number than the live one is
dropped: what was decided on one connection never leaves on another.

A phone that does not empty its outbox is cut, with the reason in the log: it comes back with `hello` and is told again what counts.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, cast

from device_protocol.errors import CATALOGUE, HUB_ERROR, RESTARTING, SUPERSEDED, TOO_SLOW, CloseReason
from device_protocol.frames import HubFrame, Job
from hub.core.clock import Clock
from hub.core.effects import ClosePhone, ToPhone
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.metrics import FRAMES_DROPPED
from hub.services import Services
from hub.storage.devices import Sighting

log = get_logger("phones")

OUTBOX_MAX = 1024
"""Frames that may wait for one phone: more than a hello with every held job brings (400 `go`), and its offers."""

_BY_WORD = {reason.word: reason for reason in CATALOGUE}


class Session(ABC):
    """A phone's live connection of whatever transport; transports subclass it."""

    __slots__ = ("account_id", "device_id", "ending", "last_heard", "noted_at", "outbox", "session_no")

    def __init__(self, now: float) -> None:
        self.device_id = ""
        self.account_id = ""
        self.session_no = 0
        self.last_heard = now
        """The clock's monotonic seconds at the phone's last frame."""
        self.noted_at = now
        """`last_heard` as it was last written to the database."""
        self.outbox: deque[HubFrame] = deque()
        self.ending: tuple[CloseReason, str] | None = None
        """Why it is being closed."""

    def queue(self, frames: Iterable[HubFrame]) -> bool:
        """Put frames into the outbox; a phone that lets it overflow is cut. False when the session is ending."""
        if self.ending is not None:
            return False
        self.outbox.extend(frames)
        if len(self.outbox) > OUTBOX_MAX:
            log.warning("cut a phone that stopped reading", device=self.device_id, waiting=len(self.outbox))
            self.end(TOO_SLOW, "its outbox is full")
            return False
        self._wake()
        return True

    def end(self, reason: CloseReason, detail: str) -> None:
        """Close it; the first reason stands."""
        if self.ending is None:
            self.ending = (reason, detail)
            self._end()

    def nudge(self) -> bool:
        """Texts wait for it. True when the phone fetches them itself and was told so; False when they are offered to it."""
        return False

    @property
    def is_offered_to(self) -> bool:
        """Whether texts are offered to it, rather than fetched by it."""
        return True

    @abstractmethod
    def sighting(self) -> Sighting:
        """What to write of it now; sets `noted_at`."""

    @abstractmethod
    def _wake(self) -> None:
        """There are frames in the outbox."""

    @abstractmethod
    def _end(self) -> None:
        """`ending` was set."""


_Waiting: TypeAlias = ToPhone | ClosePhone


class Greeting:
    """A `hello` whose commit is under way: what is meant for the session it will become."""

    __slots__ = ("device_id", "waiting")

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        self.waiting: list[_Waiting] = []


class Sessions:
    """Every phone connected to this process (`hub.core.ports.PhoneSessions`). Used on the event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live: dict[str, Session] = {}
        self._greetings: dict[str, list[Greeting]] = {}
        self._is_closing = False
        self._empty = asyncio.Event()

    # --- for transports

    @contextmanager
    def greeting(self, device_id: str) -> Iterator[Greeting]:
        """Around the wait for a hello's commit: effects that come before `register` are kept for it."""
        greeting = Greeting(device_id)
        self._greetings.setdefault(device_id, []).append(greeting)
        try:
            yield greeting
        finally:
            others = self._greetings[device_id]
            others.remove(greeting)
            if not others:
                del self._greetings[device_id]

    def register(self, session: Session, frames: Iterable[HubFrame], greeting: Greeting) -> bool:
        """Make a welcomed session the phone's live one: an older one is closed, `frames` go out first.

        False when it has been overtaken already; it is ending then.
        """
        older = self._live.get(session.device_id)
        if older is not None and older.session_no > session.session_no:
            session.end(SUPERSEDED, "a newer connection was faster")
            return False
        self._live[session.device_id] = session
        if older is not None:
            older.end(SUPERSEDED, "the phone connected again")
        session.queue(frames)
        for effect in greeting.waiting:
            self._apply(session, effect)
        if self._is_closing:
            session.end(RESTARTING, "the hub is stopping")
        return session.ending is None

    def unregister(self, session: Session) -> None:
        """The session is over; does nothing when another one has taken its place."""
        if self._live.get(session.device_id) is session:
            del self._live[session.device_id]
            if not self._live:
                self._empty.set()

    def find(self, device_id: str, session_no: int) -> Session | None:
        """The live session with this number."""
        session = self._live.get(device_id)
        return session if session is not None and session.session_no == session_no else None

    def live(self, device_id: str) -> Session | None:
        """The phone's live session, whatever its number."""
        return self._live.get(device_id)

    def __iter__(self) -> Iterator[Session]:
        """The live sessions now; the registry may change while they are looked at."""
        return iter(tuple(self._live.values()))

    @property
    def count(self) -> int:
        """Phones connected here."""
        return len(self._live)

    # --- for everybody (hub.core.ports.PhoneSessions)

    def send(self, device_id: str, session_no: int, frame: object) -> bool:
        """Queue a frame of the device protocol for this very session; False when it is not connected here any more."""
        return self.to_phone(ToPhone(device_id, session_no, frame))

    def close(self, device_id: str, code: str, reason: str, session_no: int | None = None) -> bool:
        """Say goodbye and close; `code` is a reason word of the device protocol. None = whichever session there is."""
        return self.close_phone(ClosePhone(device_id, code, reason, session_no))

    def close_all(self, reason: str, code: str = RESTARTING.word) -> int:
        """Close every session of this process; returns how many there were. With `restarting`, later ones close too."""
        self._is_closing = self._is_closing or code == RESTARTING.word
        sessions = list(self)
        for session in sessions:
            session.end(_BY_WORD.get(code, HUB_ERROR), reason)
        return len(sessions)

    async def say_goodbye(self, reason: str, patience_seconds: float) -> None:
        """Close every session because the process stops, and wait until they are gone, or for so long."""
        self._empty.clear()
        if self.close_all(reason) == 0:
            return
        try:
            async with asyncio.timeout(patience_seconds):
                await self._empty.wait()
        except TimeoutError:
            log.info("phones were still connected when the hub stopped", phones=self.count)

    def is_online(self, device_id: str) -> bool:
        """Whether the phone has a session here that has been welcomed."""
        return device_id in self._live

    def session_no(self, device_id: str) -> int | None:
        """The number of that session, None when there is none here."""
        session = self._live.get(device_id)
        return None if session is None else session.session_no

    def is_offered_to(self, device_id: str) -> bool:
        """Whether the phone is connected here and is offered its texts; False for one that fetches them. Any thread may ask."""
        session = self._live.get(device_id)
        return session is not None and session.is_offered_to

    def nudge(self, device_id: str) -> bool:
        """Tell a phone that fetches its texts that some wait; False for one that is offered them, or is not connected here."""
        session = self._live.get(device_id)
        return session is not None and session.nudge()

    def silent_for(self, device_id: str) -> float | None:
        """Seconds since the phone's last frame, None when it is not connected here."""
        session = self._live.get(device_id)
        return None if session is None else self._clock.monotonic() - session.last_heard

    def online_devices(self) -> tuple[str, ...]:
        """Every device with a welcomed session here."""
        return tuple(self._live)

    # --- effects

    def to_phone(self, effect: ToPhone) -> bool:
        """Carry out `ToPhone`."""
        session = self.find(effect.device_id, effect.session_no)
        if session is not None:
            is_queued = session.queue((cast(HubFrame, effect.frame),))
            if type(effect.frame) is Job:
                failpoint("offer.committed")
            return is_queued
        if self._keep_for_greeting(effect):
            return True
        FRAMES_DROPPED.labels(type(effect.frame).__name__.lower()).inc()
        return False

    def close_phone(self, effect: ClosePhone) -> bool:
        """Carry out `ClosePhone`."""
        was_kept = self._keep_for_greeting(effect)
        session = self._live.get(effect.device_id)
        if session is None or effect.session_no not in (None, session.session_no):
            return was_kept
        self._apply(session, effect)
        return True

    def _keep_for_greeting(self, effect: _Waiting) -> bool:
        greetings = self._greetings.get(effect.device_id, ())
        for greeting in greetings:
            if len(greeting.waiting) < OUTBOX_MAX:
                greeting.waiting.append(effect)
        return bool(greetings)

    def _apply(self, session: Session, effect: _Waiting) -> None:
        if effect.session_no not in (None, session.session_no):
            return
        if isinstance(effect, ToPhone):
            session.queue((cast(HubFrame, effect.frame),))
        else:
            session.end(_BY_WORD.get(effect.code, HUB_ERROR), effect.reason)


def sessions_of(services: Services) -> Sessions:
    """The registry behind `services.sessions`, with what only transports may do."""
    return cast(Sessions, services.sessions)
