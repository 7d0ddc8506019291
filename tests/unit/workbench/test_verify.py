"""What the developer's receiver says of a request, against the hub's own signatures and against tampering."""

import pytest

from hub.webhooks.signing import SigningKey, hmac_sha256, public_key_text, secret_text, sign
from hub.workbench.verify import judge, read_secret

NOW = 1_790_000_000_000
KEY, OLD = SigningKey(bytes(range(32)), NOW, ed25519=bytes(32)), SigningKey(bytes(32), NOW)
BODY = '{"type":"sms:received","data":{"text":"Grüße"}}'.encode()


def headers(*keys: SigningKey, at: int = NOW, body: bytes = BODY) -> dict[str, str]:
    stamp = at // 1000
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(keys or (KEY,), "evt_1", stamp, body),
    }


@pytest.mark.parametrize(
    ("secrets", "told", "body", "is_genuine", "says"),
    [
        ([secret_text(KEY.hmac)], headers(), BODY, True, "(v1) fits the secret …"),
        ([secret_text(OLD.hmac)], headers(KEY, OLD), BODY, True, "fits"),
        ([secret_text(OLD.hmac), secret_text(KEY.hmac)], headers(), BODY, True, "fits"),
        ([public_key_text(bytes(32))], headers(), BODY, True, "(v1a) fits"),
        ([public_key_text(bytes([1] * 32))], headers(), BODY, False, "no signature in webhook-signature fits"),
        (
            [secret_text(OLD.hmac)],
            headers(),
            BODY,
            False,
            "it is another webhook's, or the body is not what was signed",
        ),
        ([secret_text(KEY.hmac)], headers(), BODY + b" ", False, "the body is not what was signed"),
        ([secret_text(KEY.hmac)], headers(at=NOW - 301_000), BODY, False, "301 s old"),
        ([secret_text(KEY.hmac)], headers(at=NOW + 301_000), BODY, False, "301 s in the future"),
        ([secret_text(KEY.hmac)], headers(at=NOW - 299_000), BODY, True, "fits"),
        ([secret_text(KEY.hmac)], {}, BODY, False, "the header webhook-id is missing"),
        ([secret_text(KEY.hmac)], {**headers(), "webhook-timestamp": "soon"}, BODY, False, "not a number of seconds"),
        ([secret_text(KEY.hmac)], {**headers(), "webhook-signature": "v1"}, BODY, False, "no signature"),
        ([secret_text(KEY.hmac)], {**headers(), "webhook-signature": "v1a,é"}, BODY, False, "no signature"),
        (["any text"], headers(), BODY, None, "is no whsec_"),
        ([], headers(), BODY, None, "no secret was given"),
    ],
)
def test_judge_says_whether_and_why_not(
    secrets: list[str], told: dict[str, str], body: bytes, is_genuine: bool | None, says: str
) -> None:
    verdict = judge(told, body, [read_secret(text) for text in secrets], NOW)
    assert verdict.is_genuine is is_genuine
    assert says in verdict.sentence
    for text in secrets:
        assert text not in verdict.sentence


@pytest.mark.parametrize(("stamp_off", "extra", "is_genuine"), [(0, b"", True), (0, b" ", False), (-400, b"", False)])
def test_smsgate_signature_is_judged_too(stamp_off: int, extra: bytes, is_genuine: bool) -> None:
    secret = secret_text(KEY.hmac)
    stamp = str(NOW // 1000 + stamp_off)
    told = {**headers(), "x-timestamp": stamp, "x-signature": hmac_sha256(secret.encode(), BODY + stamp.encode()).hex()}
    told |= headers(body=BODY + extra)  # the other signature fits: this one decides
    verdict = judge(told, BODY + extra, [read_secret(secret)], NOW)
    assert verdict.is_genuine is is_genuine
    app = {name: value for name, value in told.items() if name.startswith("x-")}
    alone = judge({**headers(), **app}, BODY, [read_secret("short")], NOW)
    assert alone.is_genuine is False


@pytest.mark.parametrize("text", ["", "  ", "whsec_", "whsec_!!", "whpk_AAAA", "whsec_AAA"])
def test_a_secret_that_was_cut_off_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|cut off"):
        read_secret(text)
