"""Results of a batch: effects that belong to all of it travel with one of its commands."""

from collections.abc import Sequence
from typing import TypeVar

from hub.core.effects import Effect
from hub.storage.transaction import Done, Refused

R = TypeVar("R")


def with_effects(outcomes: Sequence[Done[R] | Refused], shared: tuple[Effect, ...]) -> list[Done[R] | Refused]:
    """The outcomes, with the batch's effects added to the last command that took effect: after each command's own."""
    given = list(outcomes)
    for place in reversed(range(len(given))) if shared else ():
        outcome = given[place]
        if isinstance(outcome, Done):
            given[place] = Done(outcome.value, (*outcome.effects, *shared))
            break
    return given
