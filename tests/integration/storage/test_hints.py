"""Hints between hub processes: merged, short enough, heard once by the others and never by oneself."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import psycopg
import pytest

from device_protocol.frames import Cancel
from hub.core.effects import (
    ClosePhone,
    CredentialsChanged,
    Effect,
    LiveHint,
    Publish,
    ToPhone,
    WakeAt,
    WakeDelivery,
    WakeDispatch,
)
from hub.storage import hints
from hub.storage.hints import CHANNEL, MOST_BYTES, MOST_NAMED, Hints, merge, pack, unpack

ALL: list[Effect] = [
    ToPhone("d1", 3, Cancel("m1", 2)),
    ClosePhone("d1", "superseded", "A newer connection took over.", 3),
    WakeDispatch("a1", ("l1",)),
    WakeDelivery(("e1",)),
    Publish("a1", ("v1",)),
    LiveHint("a1", "message", "m1"),
    CredentialsChanged("a1", "key", "k1"),
    WakeAt(12),
]


def _round(effects: Sequence[Effect]) -> list[Effect]:
    return [effect for payload in pack("here", merge(effects)) for effect in _effects_in(payload)]


def _effects_in(payload: str) -> list[Effect]:
    heard = unpack("there", payload)
    assert heard is not None
    assert heard.sender == "here"
    return heard.effects


def test_every_effect_arrives_as_it_was() -> None:
    heard = _round(ALL)
    assert len(heard) == len(ALL)
    assert all(effect in heard for effect in ALL)


def test_a_commit_is_one_hint_per_target() -> None:
    effects: list[Effect] = []
    for n in range(40):
        effects += [
            WakeDispatch("a1"),
            WakeDelivery((f"e{n % 2}",)),
            Publish("a1", (f"v{n}", f"w{n}")),
            LiveHint("a1", "conversation", "c1"),
            WakeAt(100 - n),
        ]
    assert set(_round(effects)) == {
        WakeDispatch("a1"),
        WakeDelivery(("e0", "e1")),
        Publish("a1", ("w39",)),
        LiveHint("a1", "conversation", "c1"),
        WakeAt(61),
    }


def test_too_many_names_become_look_at_all() -> None:
    many = range(MOST_NAMED + 1)
    assert _round([WakeDelivery((f"e{n}",)) for n in many]) == [WakeDelivery(())]
    assert _round([WakeDelivery(("e1",)), WakeDelivery(())]) == [WakeDelivery(())]
    assert len(_round([LiveHint("a1", "message", f"m{n}") for n in many])) == MOST_NAMED


def test_what_must_not_be_lost_for_being_many_is_split() -> None:
    effects: list[Effect] = [CredentialsChanged("a" * 24, "key", f"{n:024}") for n in range(500)]
    payloads = pack("here", merge(effects))
    assert len(payloads) > 1
    assert all(len(payload.encode()) <= MOST_BYTES for payload in payloads)
    assert [effect for payload in payloads for effect in _effects_in(payload)] == effects


def test_a_hint_too_long_for_one_payload_is_left_out() -> None:
    too_long = ClosePhone("d1", "superseded", "x" * MOST_BYTES)
    assert _round([too_long, WakeDispatch("a1")]) == [WakeDispatch("a1")]


BAD_FRAME = '{"type":"FrameForPhone","device_id":"d","session_no":1,"frame":"{}"}'


@pytest.mark.parametrize(
    "payload",
    ["", "{}", "null", '{"sender":"x","effects":[{"type":"?"}]}', f'{{"sender":"x","effects":[{BAD_FRAME}]}}'],
)
def test_what_is_not_understood_is_ignored(payload: str) -> None:
    assert unpack("there", payload) is None


class _Process:
    """What one hub process hears, and its phones."""

    def __init__(self, url: str, node: str, phones: Sequence[str] = ()) -> None:
        self.heard: asyncio.Queue[Effect] = asyncio.Queue()
        self.hints = Hints(url, node, self._hear, lambda device_id: device_id in phones)

    async def looks_at_everything(self) -> None:
        """What it does when it begins to listen, and when it meets another one."""
        async with asyncio.timeout(60):
            assert [await self.heard.get(), await self.heard.get()] == [WakeDispatch(), WakeDelivery()]

    def _hear(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self.hints.tell(effect)  # as the runner of effects does: it must not go out again
            self.heard.put_nowait(effect)


@asynccontextmanager
async def _running(*processes: _Process) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(process.hints.run()) for process in processes]
    for process in processes:
        await process.hints.is_listening.wait()
        for _ in processes:
            await process.looks_at_everything()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.anyio
@pytest.mark.postgresql
async def test_others_hear_and_nobody_echoes(postgresql_url: str) -> None:
    one, two = _Process(postgresql_url, "one", ["d1"]), _Process(postgresql_url, "two")
    async with _running(one, two):
        for effect in ALL:
            one.hints.tell(effect)
        heard = [await two.heard.get() for _ in ALL[1:]]
        assert {type(effect) for effect in heard} == {type(effect) for effect in ALL[1:]}, "its phone is in process one"
        two.hints.tell(ToPhone("d1", 3, Cancel("m1", 2)))
        assert await one.heard.get() == ToPhone("d1", 3, Cancel("m1", 2))
        two.hints.tell(WakeAt(5))
        assert await one.heard.get() == WakeAt(5), "and nothing of its own came back before it"
        assert two.heard.empty()


@pytest.mark.anyio
@pytest.mark.postgresql
async def test_after_a_broken_connection_everything_is_looked_at_again(postgresql_url: str) -> None:
    one = _Process(postgresql_url, "one")
    first = asyncio.create_task(one.hints.run())
    await one.hints.is_listening.wait()
    async with await psycopg.AsyncConnection.connect(postgresql_url, autocommit=True) as admin:
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'")
    with pytest.raises(ExceptionGroup):
        await first
    assert not one.hints.is_listening.is_set()
    while not one.heard.empty():
        one.heard.get_nowait()
    async with _running(one):
        one.hints.tell(WakeAt(1))


@asynccontextmanager
async def _listener(url: str) -> AsyncIterator[AsyncGenerator[psycopg.Notify, None]]:
    """All that is said on the channel."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"listen {CHANNEL}")
        async with aclosing(connection.notifies()) as said:
            yield said


@pytest.mark.anyio
@pytest.mark.postgresql
async def test_a_process_that_is_alone_tells_nobody(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "CALL_SECONDS", 3600.0)
    one = _Process(postgresql_url, "one")
    async with asyncio.timeout(60), _listener(postgresql_url) as said, _running(one):
        assert unpack("x", (await anext(said)).payload) == ("one", [])
        one.hints.tell(WakeAt(1))
        async with await psycopg.AsyncConnection.connect(postgresql_url, autocommit=True) as other:
            await other.execute("select pg_notify(%s, %s)", (CHANNEL, '{"sender":"two","effects":[]}'))
            assert unpack("x", (await anext(said)).payload) == ("two", [])
            assert unpack("x", (await anext(said)).payload) == ("one", []), "it answers a new one"
            await one.looks_at_everything()
            one.hints.tell(WakeAt(2))
            assert unpack("x", (await anext(said)).payload) == ("one", [WakeAt(2)]), (
                "and what came before was told to nobody"
            )


@pytest.mark.anyio
@pytest.mark.postgresql
async def test_a_process_that_is_heard_no_more_is_forgotten_and_one_that_calls_is_not(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "CALL_SECONDS", 0.05)
    monkeypatch.setattr(hints, "GONE_SECONDS", 2.0)
    one, two = _Process(postgresql_url, "one"), _Process(postgresql_url, "two")
    async with _running(one):
        async with _running_beside(one, two), _listener(postgresql_url) as said:
            calls = 0
            while calls < 60:  # for longer than a silent one would be remembered
                calls += (await anext(said)).payload == '{"sender":"two","effects":[]}'
            two.hints.tell(WakeAt(1))
            assert await one.heard.get() == WakeAt(1)
            one.hints.tell(WakeAt(2))
            assert await two.heard.get() == WakeAt(2)
        async with _listener(postgresql_url) as said:
            for _ in range(300):  # it calls all the time; once it has forgotten the other one, it tells no more
                one.hints.tell(WakeAt(3))
                heard = [unpack("x", (await anext(said)).payload) for _ in range(2)]
                if heard == [("one", [])] * 2:
                    return
    pytest.fail("it still tells a process that has gone")


@asynccontextmanager
async def _running_beside(one: _Process, two: _Process) -> AsyncIterator[None]:
    """A second process that comes later and goes earlier."""
    task = asyncio.create_task(two.hints.run())
    await one.looks_at_everything()
    await two.looks_at_everything()
    await two.looks_at_everything()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
