"""Telling the other hub processes of one PostgreSQL database what was committed here, and hearing what they committed.

What travels are the effects of use cases: "dispatch, look again", "feeds, read on", "forget this key", a frame for a phone
whose socket another process holds. They travel by NOTIFY, and are hints: one may be lost when a connection breaks, so
whoever acts on them also looks by itself from time to time, and everything is looked at again after a reconnect.

They are sent after the commit and on a connection of their own. A NOTIFY inside the transaction would make all commits of
the database queue for one lock. https://www.postgresql.org/docs/current/sql-notify.html

A process that hears nobody else tells nothing: most hubs are alone with their database, and the hints of one accepted text would cost them
as much as checking its key. So each process calls when it begins to listen and every `CALL_SECONDS`, and whoever hears a new one answers
with a call of its own; then both look at everything once, for what was committed before they knew of each other.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from device_protocol import codec
from device_protocol.errors import ProtocolError
from hub.core.effects import (
    ClosePhone,
    CredentialsChanged,
    Effect,
    ExportAsked,
    LiveHint,
    PhoneSettingsChanged,
    Publish,
    ToPhone,
    WakeAt,
    WakeDelivery,
    WakeDispatch,
)
from hub.log import get_logger
from hub.storage.connect import KEEP_ALIVE

log = get_logger("storage.hints")

CHANNEL: Final = "handset_hub"
MOST_BYTES: Final = 7_900
"""PostgreSQL refuses a payload of 8,000 bytes or more."""
MOST_WAITING: Final = 1_000
"""Payloads that may wait for a slow connection; beyond it the oldest are dropped."""
CALL_SECONDS: Final = 10.0
GONE_SECONDS: Final = 35.0
"""A process that was not heard for so long is gone."""
MOST_NAMED: Final = 50
"""Beyond this many endpoints, lines or changed things of one batch, the hint is "look at all", or left out."""


class FrameForPhone(msgspec.Struct, frozen=True, tag=True):
    """`ToPhone`, with its frame as it stands on the wire."""

    device_id: str
    session_no: int
    frame: str


Told: TypeAlias = (
    FrameForPhone
    | ClosePhone
    | WakeDispatch
    | WakeDelivery
    | Publish
    | LiveHint
    | CredentialsChanged
    | PhoneSettingsChanged
    | ExportAsked
    | WakeAt
)
KINDS: Final = (
    ToPhone,
    ClosePhone,
    WakeDispatch,
    WakeDelivery,
    Publish,
    LiveHint,
    CredentialsChanged,
    PhoneSettingsChanged,
    ExportAsked,
    WakeAt,
)
"""The effects that are told to others."""


class _Payload(msgspec.Struct, frozen=True):
    sender: str
    effects: list[Told]


_decoder: Final = msgspec.json.Decoder(_Payload)


def merge(effects: Iterable[Effect]) -> list[Told]:
    """The effects of one commit as few hints: one per target, and no more names than a hint is worth."""
    delivery: list[str] = []
    feeds: dict[str, Publish] = {}
    earliest: WakeAt | None = None
    live: dict[Told, None] = {}
    others: dict[Told, None] = {}
    for effect in effects:
        match effect:
            case WakeDelivery():
                delivery += effect.endpoint_ids or [""]
            case Publish():
                feeds[effect.account_id] = Publish(effect.account_id, effect.event_ids[-1:])
            case WakeAt():
                earliest = effect if earliest is None else min(earliest, effect, key=lambda wake: wake.at)
            case LiveHint():
                live[effect] = None
            case ToPhone():
                others |= dict.fromkeys(_as_text(effect))
            case _:
                others[effect] = None
    return [
        *others,
        *_delivery_hint(delivery),
        *feeds.values(),
        *([earliest] if earliest else []),
        *[*live][:MOST_NAMED],
    ]


def _delivery_hint(endpoint_ids: Sequence[str]) -> list[Told]:
    if not endpoint_ids:
        return []
    named = tuple(dict.fromkeys(endpoint_ids))
    return [WakeDelivery(() if "" in named or len(named) > MOST_NAMED else named)]


def _as_text(effect: ToPhone) -> list[FrameForPhone]:
    try:
        frame = codec.encode(effect.frame)  # type: ignore[arg-type]
    except (ProtocolError, TypeError) as error:
        log.error("a frame for another hub process cannot be written", error=str(error))
        return []
    return [FrameForPhone(effect.device_id, effect.session_no, frame)]


def pack(sender: str, hints: Iterable[Told]) -> list[str]:
    """Payloads for NOTIFY, each short enough. A hint too long for one is left out: its receiver finds out by itself."""
    frame_bytes = len(msgspec.json.encode(_Payload(sender, [])))
    payloads: list[list[bytes]] = []
    room = 0
    for hint in hints:
        encoded = msgspec.json.encode(hint)
        if frame_bytes + len(encoded) > MOST_BYTES:
            log.warning("a hint is too long for other hub processes", hint=type(hint).__name__, octets=len(encoded))
            continue
        if len(encoded) + 1 > room:
            payloads.append([])
            room = MOST_BYTES - frame_bytes
        payloads[-1].append(encoded)
        room -= len(encoded) + 1
    return [_payload(sender, encoded) for encoded in payloads]


def _payload(sender: str, effects: Sequence[bytes]) -> str:
    return msgspec.json.encode({"sender": sender, "effects": [msgspec.Raw(one) for one in effects]}).decode()


class Heard(NamedTuple):
    """What another process told."""

    sender: str
    effects: list[Effect]


def unpack(own_name: str, payload: str) -> Heard | None:
    """A payload of another process; None for one's own, and for one of a hub version that says other things."""
    try:
        told = _decoder.decode(payload)
        return None if told.sender == own_name else Heard(told.sender, [_effect(hint) for hint in told.effects])
    except (msgspec.DecodeError, ProtocolError) as error:
        log.warning("a hint of another hub process was not understood", error=str(error))
        return None


def _effect(hint: Told) -> Effect:
    if isinstance(hint, FrameForPhone):
        return ToPhone(hint.device_id, hint.session_no, codec.decode_from_hub(hint.frame))
    return hint


class Hints:
    """The background loop: one connection that listens, one that tells.

    `tell` is called with each effect of a commit, on the event loop; `hear` runs the effects that others told. `is_here`
    says whether a phone's socket is in this process, so that its frames need not travel.
    """

    name = "hints"

    def __init__(
        self, url: str, node: str, hear: Callable[[Sequence[Effect]], None], is_here: Callable[[str], bool]
    ) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._node = node
        self._hear = hear
        self._is_here = is_here
        self._is_hearing = False
        self._others: dict[str, float] = {}
        """The other processes, and when (in the loop's time) each was heard last."""
        self._gathered: list[Effect] = []
        self._outgoing: deque[str] = deque(maxlen=MOST_WAITING)
        self._something_to_tell = asyncio.Event()
        self.is_listening = asyncio.Event()
        """Set while hints of others arrive."""

    def tell(self, effect: Effect) -> None:
        """Tell the others of an effect, if there are any; those of one commit go out together."""
        if not self._others or self._is_hearing or (isinstance(effect, ToPhone) and self._is_here(effect.device_id)):
            return
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._send_gathered)
        self._gathered.append(effect)

    async def run(self) -> None:
        """Until cancelled, or until a connection breaks: whoever runs background loops starts it again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._send())
                tasks.create_task(self._call_again())
        finally:
            self.is_listening.clear()
            self._others.clear()

    def _send_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._put(pack(self._node, merge(gathered)))

    def _put(self, payloads: Sequence[str]) -> None:
        self._outgoing.extend(payloads)
        self._something_to_tell.set()

    def _call(self) -> None:
        """Say that this process is here."""
        self._put([_payload(self._node, [])])

    async def _call_again(self) -> None:
        await self.is_listening.wait()
        loop = asyncio.get_running_loop()
        while True:
            self._call()
            await asyncio.sleep(CALL_SECONDS)
            gone = [name for name, at in self._others.items() if loop.time() - at >= GONE_SECONDS]
            for name in gone:
                del self._others[name]

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        target = make_conninfo(self._url, application_name="handset-hub hints", connect_timeout=5, **KEEP_ALIVE)
        return await psycopg.AsyncConnection.connect(target, autocommit=True)

    async def _send(self) -> None:
        async with await self._connect() as connection:
            while True:
                await self._something_to_tell.wait()
                self._something_to_tell.clear()
                while self._outgoing:
                    await connection.execute("select pg_notify(%s, %s)", (CHANNEL, self._outgoing.popleft()))

    async def _listen(self) -> None:
        async with await self._connect() as connection:
            await connection.execute(sql.SQL("listen {}").format(sql.Identifier(CHANNEL)))
            # Nothing was heard until now: everybody looks for himself once.
            self._run([WakeDispatch(), WakeDelivery()])
            self.is_listening.set()
            async for notice in connection.notifies():
                heard = unpack(self._node, notice.payload)
                if heard is not None:
                    self._note(heard.sender)
                    self._run(heard.effects)

    def _note(self, sender: str) -> None:
        """Another process is there. What was committed before each knew of the other was told to nobody."""
        is_new = sender not in self._others
        self._others[sender] = asyncio.get_running_loop().time()
        if is_new:
            self._call()
            self._run([WakeDispatch(), WakeDelivery()])

    def _run(self, effects: Sequence[Effect]) -> None:
        self._is_hearing = True
        try:
            self._hear(effects)
        finally:
            self._is_hearing = False
