"""Both sides together on long random ways through a larger world: two phones, three messages, every kind of fault.

The small worlds are searched to the last state; here Hypothesis looks where they are too small to lead. Whatever
happened on the way, without further faults everything must then be decided and told.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.device_protocol.network import Budget, Network, Next, World

REST_STEPS = 600

BAD_LINES = Budget(offers=9, cuts=9, hub_crashes=3, failovers=4, cancels=2, refusals=3, radio_refusals=4, inbound=3)
"""Faults that may cost time, never certainty."""
_HARSH = BAD_LINES._replace(cuts=6, phone_crashes=3, ages=1, clock=2)
PHONES_SET_BACK = _HARSH._replace(moved_stores=1, rollbacks=1)
HUB_SET_BACK = _HARSH._replace(restores=1)
"""Not both: what neither a restored hub nor a phone set back remembers, nobody can know."""


class Wandering(RuleBasedStateMachine):
    """Ordinary steps and faults in any order; the promises hold after each."""

    network: Network
    world: World

    @initialize(budget=st.sampled_from([BAD_LINES, PHONES_SET_BACK, HUB_SET_BACK]))
    def begin(self, budget: Budget) -> None:
        self.network = Network(budget, phones=2, messages=3, certain=budget is BAD_LINES)
        self.world = self.network.begin()

    def _next(self, *, is_fault: bool) -> list[Next]:
        return [step for step in self.network.successors(self.world) if step.is_fault is is_fault]

    @rule(choices=st.lists(st.integers(0, 63), min_size=1, max_size=12))
    def go_on(self, choices: list[int]) -> None:
        for choice in choices:
            self._take(self._next(is_fault=False), choice)

    @precondition(lambda self: self._next(is_fault=True))
    @rule(choice=st.integers(0, 63))
    def something_goes_wrong(self, choice: int) -> None:
        self._take(self._next(is_fault=True), choice)

    def _take(self, steps: list[Next], choice: int) -> None:
        if steps:
            self.world = steps[choice % len(steps)].world
            self.network.check(self.world)

    @invariant()
    def promises_hold(self) -> None:
        self.network.check(self.world)

    def teardown(self) -> None:
        """No more faults: the world comes to rest, and there everything is decided and told."""
        if not hasattr(self, "world"):
            return
        for count in range(REST_STEPS):
            if self.network.is_good(self.world):
                return
            self._take(self._next(is_fault=False), count * 7)
        raise AssertionError(f"not at rest: {_state(self.world)}")


def _state(world: World) -> Any:
    return [message.job for message in world.hub.messages], [phone.store.facts() for phone in world.phones]


TestPromises = Wandering.TestCase
TestPromises.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
