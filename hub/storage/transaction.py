"""What a write use case is given and what it gives back.

A write use case is a plain function `(tx, commands) -> outcomes`: it takes one transaction and a *list* of commands, writes with
a few statements for all of them, and returns one outcome per command in the same order. It touches no memory of the process;
whatever must happen outside the database is returned as effects and run after the commit, never before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.effects import Effect
from hub.core.errors import HubError
from hub.core.ports import AtHand

C = TypeVar("C", contravariant=True)
R = TypeVar("R")

DialectName = Literal["sqlite", "postgresql"]


def nobody(_device_id: str) -> None:
    """No phone is at hand."""


@dataclass(frozen=True, slots=True)
class Tx:
    """One open transaction. `now` is read once, so that a batch has one time."""

    conn: Connection
    now: UtcMs
    dialect: DialectName
    new_id: Callable[[], str]
    """For rows whose id no caller needs to know beforehand (events, timeline, gaps)."""
    at_hand: Callable[[str], AtHand | None] = nobody
    """The phone with this id, if it can be offered a text in this transaction: only where this process has the one writer there is, so
    that no other transaction offers to it at the same time."""


class Done(msgspec.Struct, Generic[R], frozen=True):
    """The command took effect; `effects` run once the commit is on disk."""

    value: R
    effects: tuple[Effect, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """The command changed nothing; its caller gets the error, its neighbours in the batch do not notice."""

    error: HubError


Outcome = Done[R] | Refused
UseCase = Callable[[Tx, Sequence[C]], Sequence[Done[R] | Refused]]
