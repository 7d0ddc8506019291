"""What the app says of a text, in the hub's words.

A snapshot (`PATCH /message`) tells the present state and when each state was entered, in any order and as often as the phone likes; the
hub's table takes each fact once and never goes back. `Pending` and `Processed` say that the phone has it, which the hub knows already.

Why something failed is told in a sentence that holds the name of Android's result code, the status of a delivery report, or what went
wrong before the radio was called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hub.core import reports
from hub.core.clock import UtcMs
from hub.phones.smsgate.times import read_time
from hub.phones.smsgate.wire import MessageState, read_phone_id

_CODE_NAME: Final = re.compile(r"RESULT_(?:ERROR_)?([A-Z_]+)", re.ASCII)
_CODE_NUMBER: Final = re.compile(r"Unknown error code: (-?\d{1,6})", re.ASCII)
_DELIVERY: Final = re.compile(r"Delivery result(?: from SC .*)?: (-?\d{1,6})", re.ASCII | re.DOTALL)
_BEFORE_RADIO: Final = ("Can't send message:", "sendSMS:")

_NAMES: Final = (
    (
        1,
        "GENERIC_FAILURE RADIO_OFF NULL_PDU NO_SERVICE LIMIT_EXCEEDED FDN_CHECK_FAILURE SHORT_CODE_NOT_ALLOWED"
        " SHORT_CODE_NEVER_ALLOWED RADIO_NOT_AVAILABLE NETWORK_REJECT INVALID_ARGUMENTS INVALID_STATE NO_MEMORY"
        " INVALID_SMS_FORMAT SYSTEM_ERROR MODEM_ERROR NETWORK_ERROR ENCODING_ERROR INVALID_SMSC_ADDRESS"
        " OPERATION_NOT_ALLOWED INTERNAL_ERROR NO_RESOURCES CANCELLED REQUEST_NOT_SUPPORTED NO_BLUETOOTH_SERVICE"
        " INVALID_BLUETOOTH_ADDRESS BLUETOOTH_DISCONNECTED UNEXPECTED_EVENT_STOP_SENDING SMS_BLOCKED_DURING_EMERGENCY"
        " SMS_SEND_RETRY_FAILED REMOTE_EXCEPTION NO_DEFAULT_SMS_APP",
    ),
    (
        100,
        "RIL_RADIO_NOT_AVAILABLE RIL_SMS_SEND_FAIL_RETRY RIL_NETWORK_REJECT RIL_INVALID_STATE RIL_INVALID_ARGUMENTS"
        " RIL_NO_MEMORY RIL_REQUEST_RATE_LIMITED RIL_INVALID_SMS_FORMAT RIL_SYSTEM_ERR RIL_ENCODING_ERR"
        " RIL_INVALID_SMSC_ADDRESS RIL_MODEM_ERR RIL_NETWORK_ERR RIL_INTERNAL_ERR RIL_REQUEST_NOT_SUPPORTED"
        " RIL_INVALID_MODEM_STATE RIL_NETWORK_NOT_READY RIL_OPERATION_NOT_ALLOWED RIL_NO_RESOURCES RIL_CANCELLED"
        " RIL_SIM_ABSENT RIL_SIMULTANEOUS_SMS_AND_CALL_NOT_ALLOWED RIL_ACCESS_BARRED RIL_BLOCKED_DUE_TO_CALL"
        " RIL_GENERIC_ERROR",
    ),
)
CODES: Final[Mapping[str, int]] = {
    name: first + place for first, names in _NAMES for place, name in enumerate(names.split())
}
"""`SmsManager.RESULT_<name>` → its number; the names follow each other without a gap."""


def words_of(state: MessageState, device_id: str, arrived: UtcMs) -> tuple[reports.JobWord, ...]:
    """The words of a snapshot, in the order in which they were true. Empty for a text this hub never gave out."""
    ref = read_phone_id(state.id)
    if ref is None:
        return ()
    teller = Teller(*ref, device_id, arrived)
    current = state.recipients[0].state if state.recipients else state.state
    error = state.recipients[0].error if state.recipients else None
    return tuple(teller.words(current, error, state.states))


def word_of_event(
    event: str, phone_id: str, device_id: str, times: Mapping[str, str | None], reason: str | None, arrived: UtcMs
) -> reports.JobWord | None:
    """The word of a posted `sms:…` event about a text; None for other events and texts of others."""
    ref = read_phone_id(phone_id)
    if ref is None:
        return None
    teller = Teller(*ref, device_id, arrived)
    match event:
        case "sms:sent":
            return teller.sent(times.get("sentAt"))
        case "sms:delivered":
            return teller.delivered(times.get("deliveredAt"))
        case "sms:failed":
            return teller.failed(reason, times.get("failedAt"))
        case "sms:cancelled":
            return teller.cancelled(times.get("cancelledAt"))
    return None


class Teller:
    """Makes words about one text that a phone was given."""

    def __init__(self, message_id: str, submission: int, device_id: str, arrived: UtcMs) -> None:
        self._message_id, self._submission = message_id, submission
        self._device_id, self._arrived = device_id, arrived

    def words(self, current: str, error: str | None, times: Mapping[str, str]) -> Iterator[reports.JobWord]:
        """What the present state says, and what it implies."""
        match current:
            case "Sent":
                yield self.sent(times.get("Sent"))
            case "Delivered":
                yield self.sent(times.get("Sent"))
                yield self.delivered(times.get("Delivered"))
            case "Failed":
                if error is not None and _DELIVERY.match(error):
                    yield self.sent(times.get("Sent"))
                yield self.failed(error, times.get("Failed"))
            case "Cancelled":
                yield self.cancelled(times.get("Cancelled"))

    def sent(self, at: str | None) -> reports.JobWord:
        """The radio took it."""
        return self._submitted(at, "sent")

    def delivered(self, at: str | None) -> reports.JobWord:
        """The network reported it delivered."""
        return self._reported(at, is_delivered=True)

    def cancelled(self, at: str | None) -> reports.JobWord:
        """The phone stopped it before the radio."""
        return reports.JobCancelled(
            message_id=self._message_id, device_id=self._device_id, submission=self._submission, at=self._time(at)
        )

    def failed(self, error: str | None, at: str | None) -> reports.JobWord:
        """What a failure's sentence means."""
        told = error or ""
        if told.startswith("TTL expired"):
            return reports.JobExpired(
                message_id=self._message_id, device_id=self._device_id, submission=self._submission, at=self._time(at)
            )
        if delivery := _DELIVERY.match(told):
            status = int(delivery[1])
            return self._reported(at, is_delivered=False, tp_status=status if 0x40 <= status <= 0xFF else None)
        if told.startswith(_BEFORE_RADIO):
            return self._submitted(at, "failed", reason=_reason_before_radio(told))
        code = code_of(told)
        return self._submitted(at, "failed", code=code, reason=None if code is not None else "generic_failure")

    def _submitted(
        self, at: str | None, outcome: reports.Outcome, code: int | None = None, reason: str | None = None
    ) -> reports.SubmitReport:
        return reports.SubmitReport(
            message_id=self._message_id,
            device_id=self._device_id,
            submission=self._submission,
            at=self._time(at),
            outcome=outcome,
            code=code,
            reason=reason,
        )

    def _reported(self, at: str | None, *, is_delivered: bool, tp_status: int | None = None) -> reports.DeliveryReport:
        return reports.DeliveryReport(
            message_id=self._message_id,
            device_id=self._device_id,
            submission=self._submission,
            at=self._time(at),
            is_delivered=is_delivered,
            tp_status=tp_status,
        )

    def _time(self, text: str | None) -> UtcMs:
        return read_time(text, self._arrived)


def code_of(error: str) -> int | None:
    """Android's result code that a sentence names; None when it names none."""
    if number := _CODE_NUMBER.search(error):
        return int(number[1])
    name = _CODE_NAME.search(error)
    return None if name is None else CODES.get(name[1])


def _reason_before_radio(error: str) -> str:
    """Nothing was handed to the radio, so another line may try."""
    told = error.lower()
    if "permission" in told or "read_phone_state" in told:
        return "no_permission"
    if "sim" in told and "not found" in told:
        return "no_such_sim"
    return "no_sim" if "no sims" in told else "phone_error"
