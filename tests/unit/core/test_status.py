"""`hub.core.status`: the table, and nothing beside it."""

from hub.core import status
from hub.core.status import BOUND, FINAL, MOVES, SETTLED, UNBOUND, Status, can_move

TABLE = {
    "scheduled": "queued cancelled expired",
    "queued": "dispatched retried cancelled expired failed dead_letter",
    "dispatched": "sent delivered undelivered failed retried uncertain cancelled expired",
    "uncertain": "sent delivered undelivered failed cancelled expired",
    "retried": "dispatched dead_letter cancelled expired",
    "sent": "delivered undelivered failed",
    "dead_letter": "queued",
    "delivered": "",
    "undelivered": "",
    "failed": "",
    "cancelled": "",
    "expired": "",
    "received": "",
}


def test_the_table_is_exactly_this() -> None:
    assert {before: set(after.split()) for before, after in TABLE.items()} == {
        before.value: {after.value for after in afters} for before, afters in MOVES.items()
    }


def test_sets_of_statuses_agree_with_the_table() -> None:
    assert {status.value for status in FINAL} == {before for before, after in TABLE.items() if not after}
    assert FINAL | {Status.DEAD_LETTER} == SETTLED
    assert len(UNBOUND | BOUND | SETTLED) == len(UNBOUND) + len(BOUND) + len(SETTLED)
    assert can_move(Status.SENT, Status.DELIVERED)
    assert not can_move(Status.DELIVERED, Status.QUEUED)


def test_every_path_follows_the_table() -> None:
    for before in Status:
        for after in Status:
            steps = status.path(before, after)
            if steps is None:
                assert not can_move(before, after)
                continue
            assert steps[-1] is after
            for here, there in zip((before, *steps), steps, strict=False):
                assert can_move(here, there)


def test_nothing_leads_from_uncertain_to_another_try() -> None:
    assert status.path(Status.UNCERTAIN, Status.RETRIED) is None
    assert status.path(Status.UNCERTAIN, Status.DISPATCHED) is None
    assert status.path(Status.UNCERTAIN, Status.QUEUED) is None
