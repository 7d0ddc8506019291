"""`hub.core.results`: Android's numbers and the network's bytes, as one reason and one action."""

import pytest

from device_protocol.states import AT_RADIO_REASON, REFUSALS, UNCERTAIN_REASONS
from hub.core import results
from hub.core.results import RETRYABLE, Action, DlrState
from hub.messages.words import reason_of

TABLE = {
    -1: ("sent", Action.NONE),
    2: ("radio_off", Action.RETRY_LATER),
    3: ("bad_request", Action.FAIL),
    4: ("no_service", Action.RETRY_LATER),
    5: ("os_rate_limit", Action.PAUSE_LINE),
    6: ("blocked_by_phone_policy", Action.FAIL),
    7: ("blocked_by_phone_policy", Action.FAIL),
    8: ("blocked_by_phone_policy", Action.FAIL),
    9: ("radio_off", Action.RETRY_LATER),
    10: ("network", Action.RETRY_LATER),
    11: ("bad_request", Action.FAIL),
    12: ("phone_error", Action.RETRY_OTHER),
    13: ("phone_error", Action.RETRY_OTHER),
    14: ("bad_request", Action.FAIL),
    15: ("phone_error", Action.RETRY_OTHER),
    16: ("phone_error", Action.RETRY_OTHER),
    17: ("network", Action.RETRY_LATER),
    18: ("bad_request", Action.FAIL),
    19: ("bad_smsc", Action.FAIL),
    20: ("not_supported", Action.FAIL),
    21: ("phone_error", Action.RETRY_OTHER),
    22: ("phone_error", Action.RETRY_OTHER),
    24: ("not_supported", Action.FAIL),
    28: ("os_rate_limit", Action.PAUSE_LINE),
    29: ("busy", Action.RETRY_LATER),
    30: ("network", Action.RETRY_LATER),
    100: ("radio_off", Action.RETRY_LATER),
    101: ("network", Action.RETRY_LATER),
    102: ("network", Action.RETRY_LATER),
    106: ("busy", Action.RETRY_LATER),
    112: ("network", Action.RETRY_LATER),
    116: ("network", Action.RETRY_LATER),
    120: ("no_sim", Action.DISABLE_LINE),
    121: ("busy", Action.RETRY_LATER),
    122: ("network", Action.RETRY_LATER),
    123: ("busy", Action.RETRY_LATER),
    125: ("no_sim", Action.DISABLE_LINE),
    126: ("no_sim", Action.DISABLE_LINE),
    127: ("no_sim", Action.DISABLE_LINE),
    128: ("no_sim", Action.DISABLE_LINE),
    129: ("no_sim", Action.DISABLE_LINE),
    132: ("busy", Action.RETRY_LATER),
    134: ("no_sim", Action.DISABLE_LINE),
    135: ("network", Action.RETRY_LATER),
}


@pytest.mark.parametrize("code", TABLE)
def test_each_code_has_its_reason_and_action(code: int) -> None:
    result = results.of_code(code)
    assert (result.reason, result.action) == TABLE[code]


def test_no_code_is_in_the_table_by_accident() -> None:
    assert set(results.BY_CODE) == set(TABLE) - {-1}


def test_a_generic_failure_is_uncertain_unless_the_network_named_a_cause() -> None:
    assert results.of_code(1).action is Action.UNCERTAIN
    assert results.of_code(1, 0).action is Action.UNCERTAIN
    assert results.of_code(1, 38).reason == "carrier_reject"
    assert results.of_code(1, 38).action is Action.FAIL


def test_retry_generic_makes_only_the_unexplained_failure_retryable() -> None:
    retried = results.of_code(1, retry_generic=True)
    assert (retried.reason, retried.action, retried.uses_try) == ("generic_failure", Action.RETRY_LATER, True)
    assert results.of_code(1, 38, retry_generic=True).action is Action.FAIL
    assert results.of_reason("generic_failure", retry_generic=True) == retried


@pytest.mark.parametrize("code", [0, 23, 31, 99, 124, 133, 9999, -7])
def test_an_unknown_code_fails_and_is_kept(code: int) -> None:
    result = results.of_code(code)
    assert (result.reason, result.action) == (f"unknown_{code}", Action.FAIL)
    assert str(code) in result.why


def test_an_unknown_word_of_a_newer_phone_is_kept_and_another_phone_may_try() -> None:
    unknown = results.of_reason("gremlins")
    assert (unknown.reason, unknown.action, unknown.uses_try) == ("gremlins", Action.RETRY_OTHER, True)


@pytest.mark.parametrize("word", [*REFUSALS, *UNCERTAIN_REASONS])
def test_every_reason_of_the_device_protocol_has_a_meaning_here(word: str) -> None:
    result = results.BY_REASON[reason_of(word)]
    if word in UNCERTAIN_REASONS or word == AT_RADIO_REASON:
        assert result.action is Action.UNCERTAIN
    else:
        assert result.action is not Action.UNCERTAIN
    if REFUSALS.get(word):
        assert result.action in RETRYABLE, "the phone says that it may be asked again"


def test_only_what_is_worth_a_try_uses_one_up() -> None:
    counted = {word for word, result in results.BY_REASON.items() if result.uses_try}
    assert counted == {"network", "phone_error", "generic_failure"}
    assert all(results.BY_REASON[word].action in RETRYABLE | {Action.UNCERTAIN} for word in counted)


@pytest.mark.parametrize(
    ("tp_status", "state"),
    [
        (0x00, DlrState.DELIVERED),
        (0x1F, DlrState.DELIVERED),
        (0x20, DlrState.PENDING),
        (0x3F, DlrState.PENDING),
        (0x40, DlrState.UNDELIVERED),
        (0x60, DlrState.UNDELIVERED),
        (0x7F, DlrState.UNDELIVERED),
        (0xFF, DlrState.UNDELIVERED),
    ],
)
def test_tp_status(tp_status: int, state: DlrState) -> None:
    assert results.of_tp_status(tp_status).state is state


def test_every_byte_has_a_meaning_with_a_sentence() -> None:
    for tp_status in range(256):
        dlr = results.of_tp_status(tp_status)
        assert dlr.reason
        assert dlr.why.endswith(".")


def test_every_reason_word_can_be_explained() -> None:
    for word in results.reasons():
        sentence = results.why(word)
        assert sentence is not None, word
        assert sentence.endswith("."), word
    assert results.why("partial 1/3") == results.BY_REASON["partial"].why
    assert results.why("gremlins") is None
    assert results.why(None) is None
