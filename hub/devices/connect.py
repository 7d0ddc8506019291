"""A phone says hello: in one transaction the newest connection becomes the only one that counts, and what it holds is settled.

The decisions are the protocol's (`device_protocol.hub_side`); here the device row, its streams and its jobs are loaded under the row's
lock, the decisions written, and the answer made. `session_no` is raised in that transaction, and every other write for the phone checks
it: whatever an older connection still says is refused from the commit on.
"""

from collections.abc import Mapping, Sequence

import msgspec

from device_protocol.frames import Config, Hello, HubFrame
from device_protocol.handover import HubJob
from device_protocol.hub_side import DeviceMemory, HubMemory, HubRules, TurnedAway, Welcomed
from device_protocol.states import SEND_MMS
from hub.core.effects import Effect, LiveHint, WakeDispatch
from hub.core.errors import Code, HubError
from hub.core.text import sanitise
from hub.devices.lines import SimReport, apply_sims
from hub.devices.presence import mark_online
from hub.devices.streams import Stream, empty_row, gap_rows
from hub.messages.handover import Settlement, Wanted, jobs_of, settle
from hub.storage import devices as stored
from hub.storage import devices_events as events_stored
from hub.storage.devices import ConnectionRow, DeviceRow, GapRow, NoticeRow
from hub.storage.devices_events import StreamRow
from hub.storage.facts import find_fact
from hub.storage.messages_queue import lines_waited_for
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.outbox import NewEvent, publish

RULES = HubRules()
_TOLD_PAUSED = '{"is_paused":true}'
"""`device.settings` of a phone that was told to pause, and must hear when that is over."""


class SayHello(msgspec.Struct, frozen=True, kw_only=True):
    """A phone's first frame. `fresh_stream`: a random id, used when it needs a new event stream; `node`: this process."""

    account_id: str
    device_id: str
    credential_no: int
    hello: Hello
    fresh_stream: str
    hub_epoch: str
    node: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)


class Greeted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the connection's number and its first frames, or a goodbye with number 0."""

    session_no: int
    frames: tuple[HubFrame, ...]

    @property
    def is_welcome(self) -> bool:
        """Whether this connection counts from now on."""
        return self.session_no > 0


def say_hello(tx: Tx, commands: Sequence[SayHello]) -> list[Done[Greeted] | Refused]:
    """Take hellos in arrival order; two of one phone one after the other.

    `unauthenticated`, `device_revoked` or `device_suspended` when the token no longer stands for a phone that may connect.
    """
    outcomes: dict[int, Done[Greeted] | Refused] = {}
    left = list(range(len(commands)))
    while left:
        places, left = _first_of_each(commands, left)
        taken = _Round(tx, [commands[place] for place in places]).run()
        outcomes.update(zip(places, taken, strict=True))
    return [outcomes[place] for place in range(len(commands))]


def _first_of_each(commands: Sequence[SayHello], places: Sequence[int]) -> tuple[list[int], list[int]]:
    """The first hello of each phone, and the rest."""
    seen: set[str] = set()
    first: list[int] = []
    rest: list[int] = []
    for place in places:
        (rest if commands[place].device_id in seen else first).append(place)
        seen.add(commands[place].device_id)
    return first, rest


def may_connect(device: DeviceRow | None, account_id: str, credential_no: int) -> HubError | None:
    """Why a token does not open the door any more; None when it does."""
    if device is None or device.account_id != account_id:
        return HubError(Code.UNAUTHENTICATED, "There is no such phone here.")
    if device.revoked_at is not None:
        return HubError(Code.DEVICE_REVOKED)
    if device.suspended_at is not None:
        return HubError(Code.DEVICE_SUSPENDED)
    if device.credential_no != credential_no:
        return HubError(Code.UNAUTHENTICATED, "The access token is void: fetch a new one.")
    return None


class _Round:
    """Hellos of different phones, taken together."""

    def __init__(self, tx: Tx, commands: Sequence[SayHello]) -> None:
        self._tx = tx
        self._commands = commands
        ids = {command.device_id for command in commands}
        self._devices = stored.lock_devices(tx.conn, ids)
        self._streams = events_stored.streams_of(tx.conn, ids)
        self._is_held = find_fact(tx.conn, "hold") is not None
        self._changed: list[DeviceRow] = []
        self._written: list[StreamRow] = []
        self._forgotten: list[tuple[str, str]] = []
        self._gaps: list[GapRow] = []
        self._connections: list[ConnectionRow] = []
        self._notices: list[NoticeRow] = []
        self._sims: list[SimReport] = []
        self._events: list[NewEvent] = []

    def run(self) -> list[Done[Greeted] | Refused]:
        errors = [
            may_connect(self._devices.get(command.device_id), command.account_id, command.credential_no)
            for command in self._commands
        ]
        jobs = self._jobs(errors)
        outcomes: list[Done[Greeted] | Refused] = []
        for command, error in zip(self._commands, errors, strict=True):
            outcomes.append(Refused(error) if error is not None else self._take(command, jobs[command.device_id]))
        common = self._write()
        for place, outcome in enumerate(outcomes):
            if common and isinstance(outcome, Done):
                outcomes[place] = Done(outcome.value, outcome.effects + common)
                break
        return outcomes

    def _jobs(self, errors: Sequence[HubError | None]) -> Mapping[str, dict[str, HubJob]]:
        wanted = [
            Wanted(command.account_id, command.device_id, frozenset(job.id for job in command.hello.jobs))
            for command, error in zip(self._commands, errors, strict=True)
            if error is None
        ]
        return jobs_of(self._tx, wanted) if wanted else {}

    def _take(self, command: SayHello, jobs: dict[str, HubJob]) -> Done[Greeted]:
        device = self._devices[command.device_id]
        streams = {row.stream: Stream(row) for row in self._streams.get(device.id, ())}
        memory = DeviceMemory(
            device=device.id,
            connect=device.connect_counter,
            session_no=device.session_no,
            streams=tuple(stream.memory for stream in streams.values()),
            recalled_epoch=device.recalled_epoch,
        )
        hub = HubMemory(command.hub_epoch, self._is_held, self._tx.now)
        answer = RULES.hello(memory, hub, command.hello, jobs, command.fresh_stream)
        if isinstance(answer, TurnedAway):
            return Done(Greeted(session_no=0, frames=(answer.bye,)))
        self._write_streams(device, streams, answer)
        self._describe(device, command, answer)
        frames = answer.frames if answer.is_renumbering else answer.frames + self._config(device)
        return Done(Greeted(session_no=device.session_no, frames=frames), self._settle(device, answer))

    def _settle(self, device: DeviceRow, answer: Welcomed) -> tuple[Effect, ...]:
        effects: tuple[Effect, ...] = (LiveHint(device.account_id, "device", device.id),)
        if not answer.verdicts and not answer.offer_again:
            return effects
        settlement = Settlement(device.account_id, device.id, device.session_no, answer.verdicts, answer.offer_again)
        return effects + settle(self._tx, settlement)

    def _write_streams(self, device: DeviceRow, streams: dict[str, Stream], answer: Welcomed) -> None:
        kept = {memory.stream for memory in answer.memory.streams}
        current = answer.memory.streams[-1].stream
        for memory in answer.memory.streams:
            known = streams.get(memory.stream)
            if known is not None and known.memory == memory and memory.stream != current:
                continue
            stream = known or Stream(empty_row(device.id, device.account_id, memory.stream, self._tx.now))
            stream.memory = memory
            row = stream.row()
            if memory.stream == current:
                row.used_no = answer.memory.session_no
            self._written.append(row)
        self._forgotten += [(device.id, stream) for stream in streams if stream not in kept]
        self._gaps += gap_rows(self._tx, device.account_id, device.id, answer.gaps)

    def _describe(self, device: DeviceRow, command: SayHello, answer: Welcomed) -> None:
        """Bring the row up to what the phone says, and note the new connection."""
        hello, memory = command.hello, answer.memory
        device.connect_counter, device.session_no = memory.connect, memory.session_no
        device.stream, device.hub_epoch_seen = memory.streams[-1].stream, hello.hub_epoch
        device.manufacturer, device.model = sanitise(hello.app.manufacturer), sanitise(hello.app.model)
        device.os_version, device.app_version = sanitise(hello.app.os_version), sanitise(hello.app.version)
        device.permissions = msgspec.json.encode(hello.permissions).decode()
        device.sends_mms = SEND_MMS in hello.capabilities
        event = mark_online(self._tx, device)
        if event is not None:
            self._events.append(event)
        if answer.is_renumbering:
            self._notices.append(_store_went_back(self._tx, device))
        self._sims.append(SimReport(device, hello.sims, hello.permissions))
        self._connections.append(
            ConnectionRow(device.id, device.session_no, device.account_id, self._tx.now, command.node)
        )
        self._changed.append(device)

    def _config(self, device: DeviceRow) -> tuple[HubFrame, ...]:
        """Whether it is paused, when it is or was told so before."""
        is_paused = device.paused_at is not None
        if not is_paused and device.settings != _TOLD_PAUSED:
            return ()
        device.settings = _TOLD_PAUSED if is_paused else "{}"
        return (Config(is_paused=is_paused),)

    def _write(self) -> tuple[Effect, ...]:
        conn = self._tx.conn
        stored.write_hellos(conn, self._changed)
        events_stored.put_streams(conn, self._written)
        events_stored.forget_streams(conn, self._forgotten)
        stored.insert_gaps(conn, self._gaps)
        stored.insert_connections(conn, self._connections)
        stored.insert_notices(conn, self._notices)
        return apply_sims(self._tx, self._sims) + publish(self._tx, self._events) + self._wake()

    def _wake(self) -> tuple[Effect, ...]:
        """Offers for the lines whose phone is back, where texts wait for them."""
        waited_for = lines_waited_for(self._tx.conn, [device.id for device in self._changed])
        return tuple(WakeDispatch(account_id, (line_id,)) for account_id, line_id in waited_for)


def _store_went_back(tx: Tx, device: DeviceRow) -> NoticeRow:
    text = (
        "The phone's memory of its own events went back: a backup was put onto it, or two phones share one copy. The hub started a new "
        "event stream; everything the phone still holds is sent again."
    )
    return NoticeRow(tx.new_id(), device.account_id, device.id, "store_went_back", text, tx.now)
