"""Phones' reports on what became of texts: sent, delivered, failed, unsure, cancelled, expired, per segment where they are.

A report is stored by its phone's event stream before it comes here; here it is judged (is it about this phone's present
submission?), folded by the state table, and told on the timeline, applied or not. Customers hear of applied moves only, and
of each once: a report that comes twice finds the message where the first one put it.
"""

from collections.abc import Sequence

import msgspec

from device_protocol.frames import JobRef
from device_protocol.handover import HandoverRules, Phone, ReportFate
from hub.core import reports
from hub.core.clock import UtcMs
from hub.core.effects import Effect
from hub.messages.consequences import Consequences
from hub.messages.ledger import Actor, Entry, Ledger
from hub.messages.words import JobReport, hub_job, kind_of_report, word_of_report
from hub.storage.transaction import Tx

RULES = HandoverRules()


class PhoneReport(msgspec.Struct, frozen=True, kw_only=True):
    """One report, as its phone's event brought it."""

    account_id: str
    device_id: str
    event_uuid: str
    at: UtcMs
    """When the phone says it happened, on the hub's clock."""
    payload: JobReport
    raw: str | None = None
    """The payload's JSON, for the timeline."""


class Applied(msgspec.Struct, frozen=True):
    """What a report did."""

    is_applied: bool
    why: str | None = None
    """Why it was not applied. `held`: give it again when the restored hub's hold ends; `unknown_message`: no such text here."""
    message_id: str | None = None
    effects: tuple[Effect, ...] = ()


def apply_reports(tx: Tx, given: Sequence[PhoneReport]) -> list[Applied]:
    """Apply reports in the order given; one result each. Effects of the whole batch are with the first."""
    ledger = Ledger(tx, [(report.account_id, report.payload.id) for report in given])
    ledger.allow_generic_retries(report.account_id for report in given if _is_unexplained(report))
    consequences = Consequences(ledger)
    results = [_apply(ledger, consequences, report) for report in given]
    effects = (*ledger.close(), *consequences.effects)
    if results and effects:
        results[0] = msgspec.structs.replace(results[0], effects=effects)
    return results


def _apply(ledger: Ledger, consequences: Consequences, report: PhoneReport) -> Applied:
    entry = ledger.find(report.account_id, report.payload.id)
    if entry is None or entry.row.direction != "mt":
        return Applied(False, "unknown_message")
    word = word_of_report(report.payload, report.device_id, report.at)
    actor = Actor("phone", report.raw)
    why_not = _why_not(ledger, entry, report)
    if why_not is not None:
        ledger.refuse(entry, word, actor, why_not)
        return Applied(False, why_not, entry.row.id)
    decision = ledger.apply(entry, word, actor)
    consequences.follow(entry, report.device_id, decision)
    return Applied(decision.is_applied, decision.why_not, entry.row.id)


def _why_not(ledger: Ledger, entry: Entry, report: PhoneReport) -> str | None:
    """Why the protocol's rules keep a report from the state table; None when it may speak."""
    job = hub_job(entry.row)
    phone = Phone(report.device_id, is_held=ledger.is_held)
    ref = JobRef(report.payload.id, report.payload.submission)
    match RULES.judge_report(phone, ref, kind_of_report(report.payload), job):
        case ReportFate.DEFER:
            return "held"
        case ReportFate.IGNORE if (job.device, job.submission) != (report.device_id, ref.submission):
            return "other_submission"
        case _:
            return None


def _is_unexplained(report: PhoneReport) -> bool:
    """A failure of unknown kind: whether it may be tried again is the account's decision."""
    word = word_of_report(report.payload, report.device_id, report.at)
    return isinstance(word, reports.SubmitReport) and word.outcome == "failed" and not word.network_code
