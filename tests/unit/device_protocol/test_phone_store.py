"""The in-memory store reads what the writes say, as the plain value store of the small world does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from device_protocol.frames import JobState
from device_protocol.phone_store import (
    DeleteEventsBelow,
    DeleteJob,
    MemoryPhoneStore,
    PhoneFacts,
    PhoneJob,
    PutEvent,
    PutFacts,
    PutJob,
    StoredEvent,
    Write,
)
from tests.unit.device_protocol.phone_kit import a_job
from tests.unit.device_protocol.world import FrozenStore

IDS = st.sampled_from(["a", "b", "c", "d"])
FINAL = [JobState.SENT, JobState.FAILED, JobState.CANCELLED]
JOBS = st.builds(
    lambda id, state, number: PhoneJob(a_job(id), state, final_number=number if state in FINAL else None),
    IDS,
    st.sampled_from([JobState.ACCEPTED, JobState.SUBMITTING, *FINAL]),
    st.integers(1, 6),
)
WRITES = st.one_of(
    st.builds(PutJob, JOBS),
    st.builds(DeleteJob, IDS),
    st.integers(0, 6).map(lambda acked: PutFacts(PhoneFacts("s", acked=acked))),
    st.integers(1, 9).map(DeleteEventsBelow),
    st.just("event"),
)


class PlainStore(FrozenStore):
    """The value store, without its check of moves."""

    def _check_move(self, job: PhoneJob) -> None:
        pass


@settings(max_examples=300, deadline=None)
@given(st.lists(WRITES, max_size=25))
def test_both_stores_read_the_same(steps: list[Write | str]) -> None:
    store, plain = MemoryPhoneStore(PhoneFacts("s")), PlainStore(PhoneFacts("s"))
    count = 0
    for step in steps:
        if isinstance(step, str):
            count += 1
            write: Write = PutEvent(StoredEvent(count, f"u{count}", "x", 0, b"{}"))
        else:
            write = step
        image = store.snapshot()
        before = _read(image)
        store.apply([write])
        plain = plain.after([write])  # type: ignore[assignment]
        assert _read(store) == _read(plain)
        assert _read(image) == before, "a snapshot does not move with its original"


def _read(store: MemoryPhoneStore | FrozenStore) -> object:
    return (
        store.facts(),
        {id: store.job(id) for id in "abcd"},
        sorted(job.id for job in store.unsettled_jobs()),
        sorted(job.id for job in store.past_jobs(0, 99)),
        list(store.events(3, 2)),
        store.oldest_event(),
        store.event_count(),
    )


def test_pages_of_past_jobs_follow_each_other() -> None:
    store = MemoryPhoneStore(PhoneFacts("s"))
    store.apply([PutJob(PhoneJob(a_job(f"m{n}"), JobState.SENT, final_number=1)) for n in range(5)])
    store.apply([PutJob(PhoneJob(a_job("open"), JobState.ACCEPTED))])
    ids = [job.id for job in [*store.past_jobs(0, 2), *store.past_jobs(2, 2), *store.past_jobs(4, 2)]]
    assert ids == [f"m{n}" for n in range(5)]
