"""The fingerprint by which a job finds the SIM it was meant for, wherever Android renumbered it."""

from collections.abc import Iterable
from typing import Final

from device_protocol.frames import Line, Sim

_TAIL: Final = 4


def sim_fingerprint(carrier: str | None, number: str | None) -> str:
    """`<carrier>/<last 4 digits>`, both may be empty: the carrier in lower case, the number when the phone knows it.

    The phone computes it and reports it with each SIM; the hub only stores it and sends it back in `job.line`. Phone
    and hub compare it as a whole: another carrier or another number is another SIM.
    """
    digits = "".join(char for char in number or "" if char.isascii() and char.isdigit())
    return f"{(carrier or '').strip().lower()[:100]}/{digits[-_TAIL:]}"


def find_sim(sims: Iterable[Sim], line: Line) -> Sim | None:
    """The SIM a job means, or None: then the phone refuses `no_such_sim` and never takes another one.

    Android gives a new subscription id when a card is moved, so the id alone would find the wrong card.
    """
    for sim in sims:
        if sim.subscription_id == line.subscription_id and sim.fingerprint == line.fingerprint:
            return sim
    return None
