"""Each rule in its weaker form breaks a promise, in the world named beside it: no rule is decoration.

The weaker forms are subclasses made here; production code has no switches. Rules behind which a second one stands (the fence of
`session_no`, `next` not above the ack, resend beyond `next` or of another stream, refusals with `held`) break nothing alone: they are
held one by one in test_hub_side.py, test_numbering.py, test_handover.py and test_phone_events.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from device_protocol.frames import Cancel, Go, JobRef, JobState, TooLate, Welcome
from device_protocol.handover import NOTHING, Decision, Greeting, HubJob, Phone
from device_protocol.hub_side import HubRules
from device_protocol.numbering import Numbered, StreamMemory
from device_protocol.payloads import SmsCancelled
from device_protocol.phone_side import PhoneRules
from device_protocol.phone_step import Draft
from tests.unit.device_protocol.network import Network, World
from tests.unit.device_protocol.world import HubMove
from tests.unit.device_protocol.worlds import WORLDS


@dataclass(frozen=True)
class Weakened:
    """A rule made weaker, the world that shows it, and what breaks there."""

    world: str
    breaks: str
    hub: dict[str, Callable[..., Any]] = field(default_factory=dict)
    phone: dict[str, Callable[..., Any]] = field(default_factory=dict)
    network: type[Network] = Network
    options: dict[str, Any] = field(default_factory=dict)


def _keep_is_permission(self: PhoneRules, draft: Draft, welcome: Welcome) -> None:
    PhoneRules._take_welcome(self, draft, welcome)
    for ref in welcome.keep:
        self._take_go(draft, Go(ref.id, ref.submission))


def _cancelled_is_told_once(self: PhoneRules, draft: Draft, cancel: Cancel) -> None:
    ref = JobRef(cancel.id, cancel.submission)
    job = self._accepted_job(draft, ref)
    if job is None:
        self._answer_cancel(draft, ref)
        return
    draft.put_job(replace(job, state=JobState.CANCELLED, final_number=0))
    draft.say(TooLate(ref.id, ref.submission, JobState.CANCELLED))


def _cancelled_whatever_is_held(self: PhoneRules, draft: Draft, ref: JobRef) -> None:
    if draft.job(ref.id) is not None:
        PhoneRules._answer_cancel(self, draft, ref)
        return
    self._log(draft, SmsCancelled(ref.id, ref.submission))
    self._flush(draft)


def _go_only_once(self: HubRules, phone: Phone, job: HubJob) -> Decision:
    return self._permit(phone, job) if job.is_cancel_requested else NOTHING


def _cancel_only_once(self: HubRules, phone: Phone, job: HubJob) -> Decision:
    return NOTHING if job.is_cancel_requested else self._permit(phone, job)


class SocketsStayOpen(Network):
    """The end of a hold closes nothing."""

    def _after_hub(self, world: World, device: int, move: HubMove, *, is_late: bool) -> World:
        return super()._after_hub(world, device, replace(move, closes_all=False), is_late=is_late)


def _no(*_: Any) -> bool:
    return False


def _yes(*_: Any) -> bool:
    return True


def _nothing(*_: Any) -> Decision:
    return NOTHING


def _silence(*_: Any) -> None:
    return None


WEAKENED = {
    # --- handover, hub
    "hello binds what the phone has accepted": Weakened(
        "two cuts", "stuck", hub={"_greet_offered": lambda *_: Greeting()}
    ),
    "keep is said of bound jobs only, and is no permission": Weakened(
        "an offer times out",
        "queued again, but it was sent",
        hub={"_greet_offered": lambda self, phone, job: Greeting(keep=(job.ref,))},
        phone={"_take_welcome": _keep_is_permission},
    ),
    "go is said again after hello": Weakened("two cuts", "stuck", hub={"_permit_again": _go_only_once}),
    "an open cancel is said again after hello": Weakened(
        "a cut and a customer's cancel", "stuck", hub={"_permit_again": _cancel_only_once}
    ),
    "accepted matches on the submission": Weakened(
        "an offer times out", "uncertain for nothing", hub={"_is_same_submission": _yes}
    ),
    "an offer that hello does not list is made again": Weakened("two cuts", "stuck", hub={"_absent_offered": _nothing}),
    "a bound job that hello does not list is uncertain": Weakened(
        "a store from a backup", "stuck", hub={"_absent_bound": _nothing}
    ),
    "a late hello of an older connection is refused": Weakened(
        "two cuts", "uncertain for nothing", hub={"_is_newer": _yes}
    ),
    "an effect goes only to its connection": Weakened(
        "a store from a backup, refused",
        "says hello again and again",
        hub={"is_for_connection": _yes},
    ),
    # --- handover, restored hub
    "in a hold failures are not applied": Weakened(
        "restored, the radio refused", "failed, but it was sent", hub={"_defers_failure": _no}
    ),
    "in a hold a cancel only asks": Weakened(
        "restored, one phone", "cancelled, but it was sent", hub={"_waits_for_hold": _no}
    ),
    "a hold lasts until every phone has told": Weakened(
        "restored, two phones", "queued again, but it was sent", hub={"may_end_hold": _yes}
    ),
    "the end of a hold closes all sockets": Weakened("restored, one phone", "stuck", network=SocketsStayOpen),
    "in a hold nothing is bound and no go said": Weakened(
        "restored, the offer had moved", "two radio sends", hub={"_is_sending": _yes}
    ),
    "what may have been sent is adopted": Weakened(
        "restored, one phone", "queued again, but it was sent", hub={"_adopt": _nothing}
    ),
    "recalled jobs count like reports": Weakened(
        "restored, events forgotten", "queued again, but it was sent", hub={"recalled": _nothing}
    ),
    "a restore raises submission numbers": Weakened("restored, the radio refused", "stuck", options={"raise_by": 0}),
    # --- handover, phone
    "cancelled is a numbered event": Weakened(
        "a cut and a customer's cancel", "uncertain for nothing", phone={"_take_cancel": _cancelled_is_told_once}
    ),
    "a higher submission replaces a failed one": Weakened(
        "the radio refuses, one phone", "stuck", phone={"_is_higher": _no}
    ),
    "drop, go and cancel match on the submission": Weakened(
        "an offer times out", "uncertain for nothing", phone={"_is_same_submission": _yes}
    ),
    "a cancel of a job not held is never answered cancelled": Weakened(
        "a store from a backup", "cancelled, but it was sent", phone={"_answer_cancel": _cancelled_whatever_is_held}
    ),
    "hello voids every go": Weakened(
        "restored, one phone",
        "cancelled, but it was sent",
        phone={"_goes_kept": lambda self, session: session.goes},
    ),
    "a store that is not its own says nothing": Weakened(
        "a store from a backup", "two radio sends", phone={"_distrust_store": _silence}
    ),
    "a stale counter on a living connection tells of an older store": Weakened(
        "a phone set back", "two radio sends", phone={"_distrust_old_store": _silence}
    ),
    "submitting found at start is uncertain": Weakened(
        "the phone dies", "stuck", phone={"_doubt_submitting": _silence}
    ),
    # --- events
    "a new stream counts on from oldest_held": Weakened(
        "events of a phone set back, forgotten",
        "a gap where nothing is missing",
        hub={"_begin": lambda self, stream, hello: StreamMemory(stream)},
    ),
    "another uuid at an acked number is divergence": Weakened(
        "events of a phone set back", "stuck", phone={"_is_other_uuid": _no}
    ),
    "a phone that says diverged gets a new stream": Weakened(
        "events of a phone set back", "says hello again and again", hub={"_is_told_diverged": _no}
    ),
    "the ack in welcome counts even when lower": Weakened(
        "events, hub restored",
        "stuck",
        phone={
            "_take_first_ack": lambda self, draft, number: PhoneRules._take_first_ack(
                self, draft, max(number, draft.facts.acked)
            )
        },
    ),
    "in a new stream acked events come again": Weakened(
        "events of a phone set back, forgotten",
        "a gap where nothing is missing",
        phone={"_settled_in_new_stream": lambda self, draft: draft.facts.acked},
    ),
    "a stream once left is not taken up again": Weakened(
        "events of a phone set back", "stuck", hub={"_is_stream_left": _no}
    ),
    "a new stream closes the old one's holes": Weakened(
        "events, both set back", "stuck", hub={"_close_old": lambda *_: ()}
    ),
    "between hello and welcome nothing is deleted": Weakened(
        "events of a phone set back, forgotten",
        "a gap where nothing is missing",
        phone={"_may_delete": _yes},
    ),
    "what is below oldest_held is asked for": Weakened(
        "events, hub restored",
        "stuck",
        hub={"_ask_below": lambda self, memory, oldest_held: Numbered(memory)},
    ),
}


@pytest.mark.parametrize("name", WEAKENED)
def test_without_this_rule_a_promise_breaks(name: str) -> None:
    weak = WEAKENED[name]
    found = WORLDS[weak.world].search(
        weak.network,
        hub_rules=type("WeakHub", (HubRules,), dict(weak.hub))(),
        phone_rules=type("WeakPhone", (PhoneRules,), dict(weak.phone)),
        **weak.options,
    )
    assert found.broken == weak.breaks, str(found)


def test_an_id_at_the_radio_is_never_taken_again() -> None:
    """Weakened, the phone would store an id it cancelled: the table of moves itself refuses that."""
    weak = type("WeakPhone", (PhoneRules,), {"_was_at_radio": _no})
    with pytest.raises(AssertionError, match="phone job"):
        WORLDS["restored, one phone"].search(phone_rules=weak)
