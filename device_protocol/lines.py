"""The fingerprint by which a job finds the SIM it was meant for, wherever Android renumbered it."""

from typing import Final

_TAIL: Final = 4


def sim_fingerprint(carrier: str | None, number: str | None) -> str:
    """`<carrier>/<last 4 digits>`, both may be empty: the carrier in lower case, the number when the phone knows it.

    The phone computes it and reports it with each SIM; the hub only stores it and sends it back in `job.line`. Phone
    and hub compare it as a whole: another carrier or another number is another SIM.
    """
    digits = "".join(char for char in number or "" if char.isascii() and char.isdigit())
    return f"{(carrier or '').strip().lower()[:100]}/{digits[-_TAIL:]}"
