"""The device protocol's words in the words of the rules: payloads and frames become `hub.core.reports`, reasons their reason.

The protocol has its own reason words, which a phone app in another language implements; the hub's table
(`hub.core.results`) has one word per meaning.
"""

from collections.abc import Mapping
from typing import Literal

from device_protocol.frames import JobRef, JobState
from device_protocol.handover import HubJob, ReportKind
from device_protocol.payloads import (
    Payload,
    SmsCancelled,
    SmsDelivered,
    SmsExpired,
    SmsFailed,
    SmsSent,
    SmsUncertain,
)
from device_protocol.states import HubJobState
from device_protocol.wire_types import read_utc
from hub.core import reports
from hub.core.clock import UtcMs
from hub.core.status import BOUND, STATUSES, WAITING, Status
from hub.storage.messages import MessageRow

REASONS: Mapping[str, str] = {
    "permission_missing": "no_permission",
    "too_long": "bad_request",
    "at_radio": "already_seen",
    "stale_submission": "phone_error",
    "full": "queue_full",
    "restarted": "interrupted",
    "store_mismatch": "store_replaced",
    "store_went_back": "store_replaced",
    "no_result": "no_word",
}
"""Reason words of the protocol that the hub calls by another name; the others are the same in both."""

JobReport = SmsSent | SmsDelivered | SmsFailed | SmsUncertain | SmsCancelled | SmsExpired
"""Payloads that speak of a job."""


def reason_of(word: str) -> str:
    """The hub's reason word for one of the protocol's."""
    return REASONS.get(word, word)


def hub_job(row: MessageRow) -> HubJob:
    """A message as the handover rules see it."""
    return HubJob(row.id, _job_state(row), row.submission, row.device_id, row.cancel_requested_at is not None)


def _job_state(row: MessageRow) -> HubJobState:
    status = STATUSES[row.state]
    if status in BOUND:
        return HubJobState.BOUND if status is Status.DISPATCHED else HubJobState.UNCERTAIN
    if status in WAITING and row.offered_at is not None:
        return HubJobState.OFFERED
    return HubJobState.QUEUED if status in WAITING | {Status.SCHEDULED} else HubJobState.SETTLED


def kind_of_report(payload: JobReport) -> ReportKind:
    """What the matching rules ask of a report."""
    match payload:
        case SmsSent() | SmsDelivered():
            return ReportKind.SENT
        case SmsFailed():
            return ReportKind.FAILED
        case SmsUncertain():
            return ReportKind.UNCERTAIN
        case SmsCancelled():
            return ReportKind.CANCELLED
        case SmsExpired():
            return ReportKind.EXPIRED


def word_of_report(payload: JobReport, device_id: str, at: UtcMs) -> reports.JobWord:
    """A report's payload as a word the state table folds."""
    id_, submission = payload.id, payload.submission
    match payload:
        case SmsSent():
            return _sent(payload, device_id, at)
        case SmsDelivered():
            return _delivery(payload, device_id, at)
        case SmsFailed():
            return _failed(payload, device_id, at)
        case SmsUncertain():
            return reports.SubmitReport(
                message_id=id_,
                device_id=device_id,
                submission=submission,
                at=at,
                outcome="uncertain",
                reason=reason_of(payload.reason),
            )
        case SmsCancelled():
            return reports.JobCancelled(message_id=id_, device_id=device_id, submission=submission, at=at)
        case SmsExpired():
            return reports.JobExpired(message_id=id_, device_id=device_id, submission=submission, at=at)


def _sent(payload: SmsSent, device_id: str, at: UtcMs) -> reports.SubmitReport:
    return reports.SubmitReport(
        message_id=payload.id,
        device_id=device_id,
        submission=payload.submission,
        at=at,
        outcome="sent",
        segment=payload.segment,
        segments=payload.segments,
    )


def _failed(payload: SmsFailed, device_id: str, at: UtcMs) -> reports.SubmitReport:
    return reports.SubmitReport(
        message_id=payload.id,
        device_id=device_id,
        submission=payload.submission,
        at=at,
        outcome="failed",
        segment=payload.segment,
        segments=payload.segments,
        code=payload.result_code,
        network_code=payload.network_error_code,
        reason=None if payload.reason is None else reason_of(payload.reason),
    )


def _delivery(payload: SmsDelivered, device_id: str, at: UtcMs) -> reports.DeliveryReport:
    return reports.DeliveryReport(
        message_id=payload.id,
        device_id=device_id,
        submission=payload.submission,
        at=at,
        segment=payload.segment,
        segments=payload.segments,
        tp_status=payload.tp_status,
        network_at=None if payload.delivered_at is None else read_utc(payload.delivered_at),
    )


ListedState = Literal["accepted", "submitting", "sent", "uncertain", "failed", "cancelled", "expired"]
_LISTED: Mapping[JobState, ListedState] = {
    JobState.ACCEPTED: "accepted",
    JobState.SUBMITTING: "submitting",
    JobState.SENT: "sent",
    JobState.PARTIAL: "uncertain",
    JobState.FAILED: "failed",
    JobState.UNCERTAIN: "uncertain",
    JobState.EXPIRED: "expired",
    JobState.CANCELLED: "cancelled",
}
"""`partial`: what is known is only that some of it went; the segments' own reports tell the rest."""


def word_of_listed(ref: JobRef, state: JobState, device_id: str, at: UtcMs) -> reports.JobListed:
    """A job in a phone's hello, recall or refusal."""
    return reports.JobListed(
        message_id=ref.id, device_id=device_id, submission=ref.submission, at=at, state=_LISTED[state]
    )


def is_job_report(payload: Payload) -> bool:
    """Whether a payload speaks of a job."""
    return isinstance(payload, JobReport)
