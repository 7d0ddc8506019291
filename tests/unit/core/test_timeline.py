"""`hub.core.timeline`: what happened. why. is it safe, what now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core import results, timeline
from hub.core.timeline import Kind, sentence

FACTS = (
    "device line reason segments segment outcome next_at tries by door scheduled_at retry_of sender message "
    "is_safe sentence"
)
facts = st.dictionaries(
    st.sampled_from(FACTS.split()),
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=12),
)


@pytest.mark.parametrize(
    ("kind", "about", "says"),
    [
        (Kind.ACCEPTED, {}, "The hub took it."),
        (Kind.ACCEPTED, {"door": "twilio", "segments": 1}, "The hub took it by twilio. 1 segment."),
        (
            Kind.ROUTED,
            {"line": "Workshop O2", "sentence": "It has the shortest queue."},
            "Workshop O2 was chosen. It has the shortest queue.",
        ),
        (Kind.BOUND, {"device": "Workshop"}, "Workshop has it and may send it."),
        (Kind.SEGMENT, {"segment": 1, "segments": 3, "outcome": "sent"}, "Segment 2 of 3: sent."),
        (
            Kind.SEGMENT,
            {"segment": 0, "outcome": "failed", "reason": "no_service"},
            "Segment 1: not sent. The phone had no mobile service.",
        ),
        (Kind.SENT, {"line": "Workshop O2", "segments": 2}, "Sent from Workshop O2, 2 segments. The network took it."),
        (
            Kind.FAILED,
            {"reason": "no_service"},
            "Not sent. The phone had no mobile service. Nothing left the phone, so it is safe to send again.",
        ),
        (
            Kind.FAILED,
            {"reason": "partial 1/3"},
            "Not sent whole. 1 of 3 segments left the phone and the rest were refused. Sending it again may deliver it twice.",
        ),
        (
            Kind.FAILED,
            {"reason": "outcome_unknown"},
            "It may have been sent. Nobody could tell within seven days whether it was sent. "
            "Sending it again may deliver it twice.",
        ),
        (
            Kind.FAILED,
            {"reason": "bad_request", "is_safe": False},
            "Not sent. The phone could not make an SMS of this text and number. Sending it again may deliver it twice.",
        ),
        (
            Kind.RETRYING,
            {"reason": "os_rate_limit", "next_at": "10:47"},
            "Not sent yet. Android stops apps that send too many segments in a short time. "
            "Nothing left the phone. It goes again at 10:47.",
        ),
        (
            Kind.DEAD_LETTER,
            {"reason": "network", "tries": 3},
            "Gave up. The mobile network did not take it. 3 tries were used up. Nothing left the phone, so it is safe "
            "to send again. It is kept, and can be put back into the queue.",
        ),
        (
            Kind.UNCERTAIN,
            {"reason": "interrupted"},
            "We cannot tell if this was sent. The phone stopped while sending. Sending it again may deliver it twice.",
        ),
        (
            Kind.UNDELIVERED,
            {"reason": "validity_expired"},
            "Not delivered. The network tried until the text's time was over. The network took it, so sending it again is up to you.",
        ),
        (
            Kind.CANCEL_ASKED,
            {"by": "api", "device": "Workshop"},
            "The API asked to cancel it. Workshop has it, so the phone decides.",
        ),
        (
            Kind.FAILED,
            {"reason": "unknown_77"},
            "Not sent. The reason given is unknown_77. Nothing left the phone, so it is safe to send again.",
        ),
        ("from_the_future", {}, "from_the_future."),
    ],
)
def test_sentences(kind: str, about: dict[str, object], says: str) -> None:
    assert sentence(kind, about) == says


def test_what_was_not_applied_says_so() -> None:
    said = sentence(Kind.FAILED, {"reason": "no_service"}, is_applied=False, why_not="ended")
    assert said == "Not sent. Not applied: the text had already ended."
    assert sentence(Kind.SENT, {}, is_applied=False) == "Sent. Not applied: it changes nothing."
    assert sentence(Kind.SENT, {}, is_applied=False, why_not="gremlins") == "Sent. Not applied: gremlins."


@given(st.sampled_from(list(Kind)), facts, st.booleans())
def test_every_kind_makes_a_sentence_of_any_facts(kind: Kind, about: dict[str, object], is_applied: bool) -> None:
    said = sentence(kind, about, is_applied=is_applied)
    assert said
    assert said[0] == said[0].upper() or about
    assert "None" not in said


@pytest.mark.parametrize("word", sorted(results.reasons()))
def test_a_reason_is_told_in_words_not_in_codes(word: str) -> None:
    said = sentence(Kind.FAILED, {"reason": word})
    assert "_" not in said
    assert "The reason given" not in said


def test_reasons_not_to_apply_fit_into_the_sentence() -> None:
    for words in timeline.NOT_APPLIED.values():
        assert words[0].islower()
        assert not words.endswith(".")


@pytest.mark.parametrize("kind", Kind)
def test_no_sentence_says_oops(kind: Kind) -> None:
    said = sentence(kind, {"reason": "network"}).lower()
    for word in ("error", "oops", "please", "successfully", "part "):
        assert word not in said
