"""What the south tells: phones and carriers, in records that no longer know which transport they came by.

Every record about a job names the message, the device and the submission it speaks of, so that a late word of an older submission
is recognised as one.
"""

from typing import Literal

import msgspec

from hub.core.clock import UtcMs

Outcome = Literal["sent", "failed", "uncertain"]


CarrierState = Literal["sent", "delivered", "undelivered", "failed"]


class CarrierReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a carrier says of a whole text. It names no phone and no submission."""

    message_id: str
    status: CarrierState | None
    """None: a word that moves nothing, such as that the carrier has it in its queue."""
    reason: str | None = None
    """Reason word of one that did not arrive (`hub.core.results`)."""
    code: str | None = None
    """The carrier's own number for that."""


class JobWord(msgspec.Struct, frozen=True, kw_only=True):
    """What every word about a job carries."""

    message_id: str
    device_id: str
    submission: int
    at: UtcMs
    """When the phone says it happened, on the hub's clock."""


class JobAccepted(JobWord, frozen=True, kw_only=True):
    """The phone stored an offered job and waits for permission to send it."""


class JobRefused(JobWord, frozen=True, kw_only=True):
    """The phone does not take an offered job; nothing of it is stored or sent."""

    reason: str


class SubmitReport(JobWord, frozen=True, kw_only=True):
    """What became of handing one segment, or the whole message, to the radio."""

    outcome: Outcome
    segment: int | None = None
    """0-based; None = the whole message."""
    segments: int | None = None
    """How many the phone made of the text."""
    code: int | None = None
    """Android's result code, or a carrier's."""
    network_code: int | None = None
    """The `errorCode` that came with a generic failure."""
    reason: str | None = None
    """A reason word, where there is no result code."""


class DeliveryReport(JobWord, frozen=True, kw_only=True):
    """The network's delivery report for one segment, or for the whole message."""

    segment: int | None = None
    segments: int | None = None
    tp_status: int | None = None
    """3GPP TS 23.040 TP-Status; None when the transport only says yes or no."""
    is_delivered: bool | None = None
    reason: str | None = None
    network_at: UtcMs | None = None
    """The network's own discharge time."""


class JobCancelled(JobWord, frozen=True, kw_only=True):
    """The phone stopped the job before the radio."""


class JobExpired(JobWord, frozen=True, kw_only=True):
    """The job's time was over on the phone before the radio."""


class CancelTooLate(JobWord, frozen=True, kw_only=True):
    """The phone was asked to cancel and says that the job went to the radio, or that it does not hold it."""


class JobListed(JobWord, frozen=True, kw_only=True):
    """A job in a phone's hello, or in its answer to `recall`."""

    state: Literal["accepted", "submitting", "sent", "uncertain", "failed", "cancelled", "expired"]
    segments: int | None = None


class JobMissing(JobWord, frozen=True, kw_only=True):
    """A job bound to the phone that its hello does not list."""
