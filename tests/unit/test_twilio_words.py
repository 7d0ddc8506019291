"""Twilio's signature, statuses and TwiML, against the vendor's own code and its published vector."""

from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from hub.core.ids import first_id_at
from hub.core.status import Status
from hub.dialects.twilio.signature import is_genuine, is_genuine_body, signature
from hub.dialects.twilio.twiml import NOTHING, read_script
from hub.dialects.twilio.words import STATUSES, message_id_of, message_sid, status_word

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
TOKEN = "12345"
FIELDS = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+12349013030"),
    ("Digits", "1234"),
    ("From", "+12349013030"),
    ("To", "+18005551212"),
]


def test_the_published_vector_is_met() -> None:
    assert signature(TOKEN, URL, FIELDS) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=8), st.text(min_size=1, max_size=40).map(str.encode))
def test_twilios_own_validator_takes_our_signatures(fields: dict[str, str], token_bytes: bytes) -> None:
    token = token_bytes.hex()
    made = signature(token, URL, list(fields.items()))
    assert RequestValidator(token).validate(URL, fields, made)
    assert is_genuine(made, [token], URL, list(fields.items()))


def test_a_changed_field_an_other_token_and_an_other_url_are_refused() -> None:
    made = signature(TOKEN, URL, FIELDS)
    assert not is_genuine(made, [TOKEN], URL, [*FIELDS[:-1], ("To", "+18005551213")])
    assert not is_genuine(made, ["12346"], URL, FIELDS)
    assert not is_genuine(made, [TOKEN], URL + "0", FIELDS)
    assert is_genuine(made, ["12346", TOKEN], URL, FIELDS)


def test_the_default_port_may_be_signed_or_not() -> None:
    with_port = URL.replace("mycompany.com", "mycompany.com:443")
    assert is_genuine(signature(TOKEN, with_port, FIELDS), [TOKEN], URL, FIELDS)
    assert is_genuine(signature(TOKEN, URL, FIELDS), [TOKEN], with_port, FIELDS)
    other = URL.replace("mycompany.com", "mycompany.com:8443")
    assert not is_genuine(signature(TOKEN, other, FIELDS), [TOKEN], URL, FIELDS)


def test_a_json_body_is_signed_by_its_hash() -> None:
    body = b'{"a":1}'
    url = URL + "&bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    made = signature(TOKEN, url, ())
    assert RequestValidator(TOKEN).validate(url, body.decode(), made)
    assert is_genuine_body(made, [TOKEN], url, body)
    assert not is_genuine_body(made, [TOKEN], url, b'{"a":2}')
    assert not is_genuine_body(signature(TOKEN, URL, ()), [TOKEN], URL, body)


def test_every_state_has_a_word() -> None:
    assert set(STATUSES) == {status.value for status in Status}


def test_a_sid_names_its_message() -> None:
    id_ = first_id_at(1_763_000_000_000)
    assert len(message_sid(id_)) == 34
    assert message_id_of(message_sid(id_)) == message_id_of(message_sid(id_, has_media=True)) == id_
    for bad in ("", "SM", "SM" + "0" * 31, "SM11" + "0" * 30, "XX00" + "0" * 30, "SM00" + "G" * 30):
        assert message_id_of(bad) is None


def test_twiml_asks_for_texts_and_leads_on() -> None:
    body = b"""<?xml version="1.0"?><Response><Message to="+1415" from="+1202" statusCallback="https://x.example/cb">plain</Message>
      <Message><Body>in a body</Body><Media>https://x.example/a.png</Media></Message><Message><Media>only</Media></Message>
      <Redirect>/next</Redirect><Message>never</Message></Response>"""
    script = read_script("text/xml; charset=utf-8", body)
    assert [(one.text, one.to, one.sender, one.callback_url, one.media_urls) for one in script.texts] == [
        ("plain", "+1415", "+1202", "https://x.example/cb", ()),
        ("in a body", None, None, None, ("https://x.example/a.png",)),
        ("", None, None, None, ("only",)),
    ]
    assert script.next_url == "/next"


def test_what_is_no_twiml_asks_for_nothing() -> None:
    good = b"<Response><Message>hi</Message></Response>"
    assert read_script("text/html", good) == NOTHING
    assert read_script("text/plain", good) == NOTHING
    for bad in (b"", b"<Response>", b"hello", b"<Reply><Message>hi</Message></Reply>", b"\xff\xfe\x00"):
        assert read_script("text/xml", bad) == NOTHING
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><Response><Message>&a;&a;</Message></Response>'
    assert read_script("text/xml", bomb) == NOTHING


@given(st.binary(max_size=300))
def test_no_answer_makes_reading_fail(body: bytes) -> None:
    read_script("application/xml", body)
    read_script("application/xml", b"<Response>" + body + b"</Response>")


def test_a_text_that_expired_is_undelivered_once_it_had_left() -> None:
    assert (status_word("expired"), status_word("expired", has_left=True)) == ("failed", "undelivered")
