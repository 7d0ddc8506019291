import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from android_emulator.store import (
    DurableStore,
    Enrolment,
    Settings,
    Store,
    VolatileStore,
    copy_phone,
    keystore_path,
)
from device_protocol.frames import Job, JobState, Line
from device_protocol.phone_store import (
    DeleteEventsBelow,
    DeleteJob,
    PhoneJob,
    PutEvent,
    PutFacts,
    PutJob,
    SegmentResult,
    StoredEvent,
    Write,
)
from device_protocol.wire_types import write_utc


def job(number: int, state: JobState = JobState.ACCEPTED, final_number: int | None = None) -> PhoneJob:
    offer = Job(f"msg{number}", 1, write_utc(0), 60, Line(1, 0, "mobile/0101"), "+14155550199", text="Hi 😀")
    return PhoneJob(offer, state, (SegmentResult(0, -1),), 1, final_number, 5, 6)


def event(number: int) -> StoredEvent:
    return StoredEvent(number, f"uuid{number}", "sms:received", 1_790_000_000_000, b'{"text":"\xc3\xa9"}')


def contents(store: Store) -> tuple[object, ...]:
    return (
        store.facts(),
        {job.id: job for job in store.unsettled_jobs()},
        list(store.past_jobs(0, 1000)),
        list(store.events(0, 1000)),
        store.oldest_event(),
        store.event_count(),
    )


def test_everything_is_there_after_the_file_is_opened_again(tmp_path: Path) -> None:
    store = DurableStore(tmp_path / "phone.db")
    facts = replace(store.facts(), connect=3, next_number=8, acked=4, hub_epoch="e", is_diverged=True)
    store.commit([PutEvent(event(number)) for number in range(1, 8)])
    store.commit([PutJob(job(1)), PutJob(job(2, JobState.SENT, 3)), PutJob(job(3, JobState.SENT, 7)), PutFacts(facts)])
    store.commit([PutJob(job(1, JobState.SUBMITTING)), DeleteEventsBelow(3)])
    store.keep_enrolment(Enrolment("https://hub", ("ab",), "secret", "token", "dev", "nonce"))
    store.keep_settings(Settings(600_000, 20, is_paused=True))
    before = contents(store)
    store.close()
    again = DurableStore(tmp_path / "phone.db")
    assert contents(again) == before
    assert [known.id for known in again.unsettled_jobs()] == ["msg1", "msg3"]
    assert again.enrolment() == Enrolment("https://hub", ("ab",), "secret", "token", "dev", "nonce")
    assert again.settings() == Settings(600_000, 20, is_paused=True)
    again.close()


_numbers = st.integers(1, 6)
_writes = st.one_of(
    st.builds(lambda number, state: PutJob(job(number, state)), _numbers, st.sampled_from(JobState)),
    st.builds(lambda number: DeleteJob(f"msg{number}"), _numbers),
    st.builds(DeleteEventsBelow, st.integers(0, 40)),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(_writes, max_size=4), max_size=10))
def test_the_file_and_the_memory_hold_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[Write]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "phone.db"
    durable = DurableStore(path)
    volatile = VolatileStore(durable.facts())
    for number, writes in enumerate(steps, 1):
        step = [PutEvent(event(number)), *writes, PutFacts(replace(durable.facts(), next_number=number + 1))]
        durable.commit(step)
        volatile.commit(step)
    durable.close()
    again = DurableStore(path)
    assert contents(again) == contents(volatile)
    again.close()


def test_a_kill_in_the_middle_of_a_commit_leaves_the_step_before_it(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from dataclasses import replace\n"
        "from android_emulator.store import DurableStore\n"
        "from device_protocol.phone_store import PutEvent, PutFacts, StoredEvent\n"
        "store = DurableStore(Path(sys.argv[1]))\n"
        "store.bind()\n"
        "def step(number):\n"
        "    event = StoredEvent(number, f'uuid{number}', 'sms:received', 0, b'{}')\n"
        "    return [PutEvent(event), PutFacts(replace(store.facts(), next_number=number + 1))]\n"
        "for number in range(1, 6):\n"
        "    store.commit(step(number))\n"
        "print(store.facts().next_number, flush=True)\n"
        "execute = store._execute\n"
        "def die_at_the_second(write):\n"
        "    if isinstance(write, PutFacts):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    execute(write)\n"
        "store._execute = die_at_the_second\n"
        "store.commit(step(6))\n"
    )
    path = tmp_path / "phone.db"
    done = subprocess.run([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, check=False, text=True)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "6\n"
    store = DurableStore(path)
    assert store.facts().next_number == 6
    assert [stored.number for stored in store.events(0, 100)] == [1, 2, 3, 4, 5]
    assert store.is_own
    store.close()


def test_a_memory_belongs_to_the_phone_whose_keystore_it_is_bound_to(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.db", tmp_path / "other.db"
    store = DurableStore(mine)
    assert store.is_own
    store.bind()
    store.keep_enrolment(Enrolment("https://hub", (), "secret", "token", "dev"))
    copy_phone(mine, other, with_keystore=False)
    foreign = DurableStore(other)
    assert not foreign.is_own
    assert foreign.enrolment() is None
    foreign.bind()
    assert foreign.is_own
    foreign.close()
    store.copy_to(other, with_keystore=True)
    clone = DurableStore(other)
    assert clone.is_own
    assert clone.enrolment() == store.enrolment()
    clone.close()
    store.close()
    assert os.stat(keystore_path(mine)).st_mode & 0o077 == 0


def test_an_old_image_put_back_keeps_todays_secret(tmp_path: Path) -> None:
    path, backup = tmp_path / "phone.db", tmp_path / "backup.db"
    store = DurableStore(path)
    store.bind()
    store.commit([PutEvent(event(1))])
    store.copy_to(backup, with_keystore=False)
    store.commit([PutEvent(event(2))])
    store.keep_enrolment(Enrolment("https://hub", (), "secret", "token", "dev", "todays nonce"))
    store.close()
    copy_phone(backup, path, with_keystore=False)
    restored = DurableStore(path)
    assert [stored.number for stored in restored.events(0, 100)] == [1]
    assert restored.is_own
    enrolment = restored.enrolment()
    assert enrolment is not None
    assert enrolment.nonce == "todays nonce"
    restored.close()
