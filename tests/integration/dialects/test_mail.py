"""Mails that go out as texts, by SMTP and by HTTP: who may, to whom, once, and what every refusal says. The judge is `aiosmtplib`."""

import dataclasses

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.accounts.scopes import Scope
from hub.config import ConfigurationError, read_config
from hub.core.errors import Code, HubError
from hub.core.events import EventType, ReceivedData, encode
from hub.core.ports import EndpointView, EventView
from hub.dialects.mail.listener import Listener
from hub.messages import accept
from hub.storage.schema.messages import Conversation
from hub.webhooks.formats.mail import PlainMail
from hub.webhooks.mail import compose
from tests.integration.api.hub_api import problem
from tests.integration.dialects.mail_house import ANNA, DOMAIN, PEER, House, letter
from tests.integration.messages.world import STRANGER, Phones

pytestmark = pytest.mark.anyio
NULL_PDU = 3


async def test_a_mail_is_a_text_by_both_doors_and_a_repeat_is_the_same_text(house_anywhere: House) -> None:
    house = house_anywhere
    code, said = await house.hand_in(letter(message_id="1"))
    assert (code, said) == (250, "2.0.0 The text is stored and will be sent.")
    assert (await house.hand_in(letter(message_id="1")))[0] == 250
    answer = await house.post(letter(message_id="1"), to=PEER)
    assert answer.status_code == 200
    (text,) = house.texts()
    assert (text["peer"], text["text"], text["door"]) == (PEER, "See you at nine 🙂", "mail")
    shown = await house.api.get(f"/v1/messages/{answer.json()['message_ids'][0]}")
    assert shown["metadata"] == {"mail_from": ANNA}
    told = msgspec.json.decode(text["callback"])  # by mail, if it fails
    assert (told["format"], told["url"]) == ("mail", f"mailto:{ANNA}")
    assert "sms:failed" in told["events"]
    assert "sms:delivered" not in told["events"]
    assert (await house.post(letter("Other", message_id="2"), f"{house.local}{PEER}")).status_code == 200
    named = letter("Third", message_id="3", To=house.address())
    assert (await house.post(named)).status_code == 200
    assert [row["text"] for row in house.texts()] == ["See you at nine 🙂", "Other", "Third"]


async def test_several_numbers_of_a_mailbox_are_one_request_and_a_bad_one_refuses_all(house: House) -> None:
    bad = await house.hand_in(letter(), house.address(), house.address("+12"))
    assert bad[0] == 554
    assert not house.texts()
    assert (await house.hand_in(letter(), house.address(), house.address("+447700900124")))[0] == 250
    assert len(house.texts()) == 2


async def test_an_answer_to_a_mail_goes_out_in_its_conversation_by_its_line(house_anywhere: House) -> None:
    house = house_anywhere
    local, line = await house.reply_local()
    quoting = "At nine.\n\nOn Mon, Handset Hub <smsin@sms.example.org> wrote:\n\n> When?\n"
    assert (await house.hand_in(letter(quoting), f"{local}@{DOMAIN.upper()}"))[0] == 250
    # The address was lost on the way, and what the mail refers to was not.
    stray = letter("Or ten?", message_id="2", In_Reply_To=f"<{'0' * 24}.{local}@{DOMAIN}>")
    assert (await house.post(stray)).status_code == 200
    assert [(row["text"], row["peer"], row["line_id"]) for row in house.texts()] == [
        ("At nine.", PEER, line),
        ("Or ten?", PEER, line),
    ]
    assert all(row["is_pinned"] for row in house.texts())  # by that line and no other
    assert len(house.api.world.rows(Conversation)) == 1
    assert (await house.hand_in(letter("I?", "bert@example.org", "3"), f"{local}@{DOMAIN}"))[0] == 554


async def test_who_may_answer_is_the_webhooks_to_say(house: House) -> None:
    local, _ = await house.reply_local(reply_from="bert@example.org, @shop.example.org")
    assert (await house.hand_in(letter("Me", "carl@shop.example.org", "1"), f"{local}@{DOMAIN}"))[0] == 250
    assert (await house.hand_in(letter("Not me", ANNA, "2"), f"{local}@{DOMAIN}"))[0] == 554
    (webhook,) = (await house.api.get("/v1/webhooks"))["items"]
    change = {"settings": {"replies": "off"}}
    assert (await house.api.http.patch(f"/v1/webhooks/{webhook['id']}", json=change)).status_code == 200
    code, said = await house.hand_in(letter("Me", "carl@shop.example.org", "3"), f"{local}@{DOMAIN}")
    assert (code, said) == (550, "5.1.1 This address opens nothing at this hub.")
    assert len(house.texts()) == 1


async def test_only_the_allowed_get_in_and_another_address_ends_the_first(house_anywhere: House) -> None:
    house = house_anywhere
    api = house.api
    for sender in ("bert@example.org", "anna@example.org.evil.example", "anna@shop.example.org.evil.example"):
        assert (await house.hand_in(letter(sender=sender)))[0] == 554
        problem(await house.post(letter(sender=sender), to=PEER), Code.SCOPE_MISSING)
    for local in ("s." + "a" * 44, house.local[:-3] + "aaa", "nobody", "r." + "a" * 61):
        assert (await house.hand_in(letter(), f"{local}{PEER}@{DOMAIN}"))[0] == 550
        problem(await house.post(letter(), local, to=PEER), Code.UNAUTHENTICATED)
    assert (await house.hand_in(letter(), f"{house.local}{PEER}@other.example"))[0] == 550
    old = house.address()
    renewed = await api.post(f"/v1/mailboxes/{house.info['id']}/address")
    assert (await house.hand_in(letter(), old))[0] == 550
    assert not house.texts()
    house.local = renewed["address"].partition("+")[0]
    assert (await house.hand_in(letter(sender="x@Shop.Example.ORG")))[0] == 250
    assert (await api.http.delete(f"/v1/mailboxes/{house.info['id']}")).status_code == 204
    assert (await house.hand_in(letter(message_id="9")))[0] == 550
    assert {row["account_id"] for row in house.texts()} != {STRANGER}


async def test_a_mailbox_is_made_by_those_who_may_send_and_says_what_is_wrong_with_it(house: House) -> None:
    api = house.api
    weak = api.client(api.make_key(scopes=frozenset({Scope.KEYS_WRITE})))
    asked = {"name": "x", "allowed_senders": [ANNA]}
    problem(await weak.post("/v1/mailboxes", json=asked), Code.SCOPE_MISSING)
    for senders in ([], ["anna"], ["@"], ["a@b, c@d"]):
        problem(await api.http.post("/v1/mailboxes", json={"name": "x", "allowed_senders": senders}), Code.VALIDATION)
    nowhere = {**asked, "line_id": "lin_" + "0" * 24}
    problem(await api.http.post("/v1/mailboxes", json=nowhere), Code.VALIDATION)
    listed = await api.get("/v1/mailboxes")
    assert [one["name"] for one in listed["items"]] == ["Desk"]
    assert house.local not in str(listed)


async def test_the_subject_is_text_where_the_mailbox_says_so_and_where_there_is_nothing_else(house: House) -> None:
    await house.hand_in(letter("\n", message_id="1", Subject="Only this"))
    await house.hand_in(letter("Disk full", message_id="2", Subject="ALERT", Auto_Submitted="auto-generated"))
    change = {"has_subject": True}
    assert (await house.api.http.patch(f"/v1/mailboxes/{house.info['id']}", json=change)).status_code == 200
    await house.hand_in(letter("Disk full", message_id="3", Subject="ALERT"))
    assert [row["text"] for row in house.texts()] == ["Only this", "Disk full", "ALERT\nDisk full"]


async def test_what_is_never_taken_is_refused_with_a_sentence_and_stored_nowhere(house: House) -> None:
    local, _ = await house.reply_local()
    reply = f"{local}@{DOMAIN}"
    refusals = [
        (await house.hand_in(letter(Auto_Submitted="auto-replied")), 554, "Automatic answers"),
        (await house.hand_in(letter(Auto_Submitted="auto-generated"), reply), 554, "Automatic answers"),
        (await house.hand_in(letter(), sender=""), 550, "Bounces"),
        (await house.hand_in(letter("\n")), 554, ""),
        (await house.hand_in(letter("x" * 5000)), 554, "segments"),
        (await house.hand_in(b"no mail at all"), 554, "From"),
        (await house.hand_in(letter(), house.address("")), 554, "number"),
    ]
    for (code, said), wanted, words in refusals:
        assert code == wanted, said
        assert words in said
    assert not house.texts()


async def test_a_mail_that_is_too_large_is_552_and_413(house: House) -> None:
    large = letter("x" * 70 + "\n") + b"y" * 60 + b"\r\n" * 20_000
    assert (await house.hand_in(large))[0] == 552
    problem(await house.post(large, to=PEER), Code.BODY_TOO_LARGE)
    assert not house.texts()


async def test_other_methods_types_and_floods_are_answered_as_they_should_be(house: House) -> None:
    url = f"/mail/{house.local}"
    problem(await house.http.get(url), Code.METHOD_NOT_ALLOWED)
    problem(await house.http.post(url, content=letter()), Code.UNSUPPORTED_MEDIA_TYPE)
    answers = [await house.post(letter(message_id=str(count)), to=PEER) for count in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    codes = [(await house.hand_in(letter(message_id=str(count))))[0] for count in range(21)]
    assert codes == [250] * 20 + [451]
    assert len(house.texts()) == 20
    house.api.clock.advance(10)
    assert (await house.hand_in(letter(message_id="21")))[0] == 250


async def test_what_cannot_be_stored_now_is_not_acknowledged(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise HubError(Code.QUEUE_FULL)

    with monkeypatch.context() as patch:
        patch.setattr(house.api.db.writer, "submit_soon", full)
        assert (await house.hand_in(letter()))[0] == 451
        assert (await house.post(letter(), to=PEER)).status_code == 503
    with monkeypatch.context() as patch:
        patch.setattr(accept, "insert_accepted", full)
        assert (await house.hand_in(letter()))[0] == 451
    assert not house.texts()
    assert (await house.hand_in(letter()))[0] == 250
    assert len(house.texts()) == 1


async def test_however_many_write_from_a_domain_are_answered_through_one_webhook(house: House) -> None:
    world = house.api.world
    device, phones = world.phone("Pixel"), Phones(world)
    for count in range(12):
        forged = letter(f"Text {count}", f"forged{count}@shop.example.org", str(count))
        assert (await house.post(forged, to=PEER)).status_code == 200
        (job,) = phones.offers(device)
        phones.accept(device, job)
        phones.failed(device, job, NULL_PDU)
    listed = (await house.api.get("/v1/webhooks", include_implicit="true"))["items"]
    assert [one["url"] for one in listed] == ["mailto:shop.example.org"]
    told = (await house.api.get("/v1/deliveries"))["items"]
    assert len({one["url"] for one in told}) == 12


async def test_recipients_of_two_mailboxes_are_two_mails(house: House) -> None:
    first = house.address()
    await house.open(name="Other")
    assert (await house.hand_in(letter(), first, house.address()))[0] == 452
    assert not house.texts()


async def test_a_listener_that_cannot_listen_says_why(tls_house: House) -> None:
    services = tls_house.api.services
    taken = dataclasses.replace(services.config, smtp_listen=f"127.0.0.1:{tls_house.listener.port}")
    with pytest.raises(ConfigurationError, match=f"HUB_SMTP_LISTEN is {taken.smtp_listen}: "):
        await Listener(dataclasses.replace(services, config=taken)).run()
    wrong = dataclasses.replace(taken, smtp_key=services.config.data_dir / "nowhere.pem")
    with pytest.raises(
        ConfigurationError, match=r"The certificate for mails .*nowhere\.pem\) cannot be used: No such file"
    ):
        await Listener(dataclasses.replace(services, config=wrong)).run()


def test_a_listener_without_its_extra_or_domain_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="HUB_MAIL_DOMAIN"):
        read_config({"HUB_SMTP_LISTEN": "127.0.0.1:2525"})
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0:25"):
        read_config({"HUB_SMTP_LISTEN": "25x", "HUB_MAIL_DOMAIN": DOMAIN})
    monkeypatch.setattr("hub.config.find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match="smtp"):
        read_config({"HUB_SMTP_LISTEN": "127.0.0.1:2525", "HUB_MAIL_DOMAIN": DOMAIN})
    with pytest.raises(ConfigurationError, match="clear"):
        read_config({"HUB_SMTP_HOST": "mail.example.org", "HUB_SMTP_TLS": "off", "HUB_SMTP_PASSWORD": "x"})


async def test_the_hub_never_answers_its_own_mails(house: House) -> None:
    await house.open(allowed_senders=["@" + DOMAIN])
    data = ReceivedData(id="msg", from_=PEER, text="ping", received_at="2026-01-31T09:00:00.000Z")
    event = EventView(
        event_id="0" * 24,
        seq=1,
        type=EventType.SMS_RECEIVED,
        account_id="0" * 24,
        occurred_at=0,
        data=encode(data).encode(),
    )
    view = EndpointView(endpoint_id="0" * 24, account_id="0" * 24, url=f"mailto:{house.address()}", kind="mail")
    own = compose(house.api.services.webhooks.identity, PlainMail(), view, event)
    assert (await house.hand_in(own.body))[0] == 554


HEADERS = st.sampled_from(
    [b"From: anna@example.org\r\n", b"From: bert@example.org\r\n", b"Message-ID: <1@x>\r\n", b"Subject: \xff=?utf-8?b?/w==?=\r\n"]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"\r\nwords", b"\r\n.\r\n..\r\n", b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nwords\r\n--x--", b"\r\n\0\r\n"]
)  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    pieces=st.lists(HEADERS | st.binary(max_size=10), max_size=4),
    body=BODIES | st.binary(max_size=40),
    to=st.sampled_from([PEER, "+1", "", "\r", "x"]) | st.text(max_size=6),
    is_post=st.booleans(),
)
async def test_whatever_comes_in_is_answered_and_stored_whole_or_not_at_all(
    house: House, pieces: list[bytes], body: bytes, to: str, is_post: bool
) -> None:
    house.api.clock.advance(1)
    before = len(house.texts())
    raw = b"".join(pieces) + body
    if is_post:
        answer = await house.post(raw, to=to.encode("utf-8", "replace").decode())
        assert answer.status_code < 500, answer.text
        is_taken = answer.status_code == 200
    else:
        code, said = await house.hand_in(raw)
        assert code == 250 or 500 <= code < 600, said
        is_taken = code == 250
    after = house.texts()
    assert len(after) - before in ((0, 1) if is_taken else (0,))
    assert all(row["text"] and row["peer"] for row in after)
