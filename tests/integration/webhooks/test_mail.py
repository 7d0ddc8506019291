"""Events as mails: what a mail server is handed, and what follows from its answers. The judge is `aiosmtpd`."""

import random
from email.utils import parseaddr
from pathlib import Path

import pytest

from hub.core.commands import CallbackTarget
from hub.core.errors import Code, HubError
from hub.core.events import EventType, ReceivedData
from hub.core.ids import render
from hub.core.mail import Thread, read_reply
from hub.dialects.agile.events import Agile
from hub.webhooks.mail import MailIdentity
from hub.webhooks.mailer import MailServer
from hub.webhooks.outbox import NewEvent
from hub.webhooks.records import EndpointChanges
from tests.integration.webhooks.certificates import Authority
from tests.integration.webhooks.receiver import Receiver, says
from tests.integration.webhooks.world import World, eventually, world
from tests.mail_sink import MailSink, Taken

pytestmark = pytest.mark.anyio

KEY = b"k" * 32
ME = MailIdentity("sms.example.org", "Corner Shop", KEY)
TO = "mailto:shop@example.org"
FIVE = "".join(random.Random(5).choices("abcdefghij &+%=\n🙂日é€", k=330))
"""A text of five segments with everything that forms and mails treat in a way of their own."""


def server(sink: MailSink, **more: object) -> MailServer:
    return MailServer("127.0.0.1", sink.port, **({"tls": "off"} | more))  # type: ignore[arg-type]


def received(hub: World, text: str = "Yes!", sender: str = "+447700900142", **more: object) -> NewEvent:
    message, thread = hub.new_id(), hub.new_id()
    data = ReceivedData(
        id=render("message", message), from_=sender, to="+447700900001", text=text,
        conversation_id=render("conversation", thread), received_at="2026-01-31T09:00:00.123Z",
    )  # fmt: skip
    return NewEvent(
        hub.new_id(), hub.account_id, EventType.SMS_RECEIVED, 1_769_850_000_123, data,
        peer=sender, message_id=message, conversation_id=thread, **more,  # type: ignore[arg-type]
    )  # fmt: skip


async def test_an_inbound_text_is_a_mail_that_can_be_answered(database_url: str) -> None:
    async with MailSink() as sink, world(database_url, mail_server=server(sink), identity=ME) as hub:
        made = await hub.endpoint(TO)
        assert (made.endpoint.kind, made.endpoint.format, made.endpoint.schedule) == ("mail", "mail", "mail")
        (event,) = await hub.publish([received(hub)])
        (delivery,) = await hub.until_settled()
        assert (delivery.state, delivery.attempts) == ("ok", 1)
        (mail,) = sink.taken
        message = mail.message
        assert (mail.sender, mail.recipients) == ("smsin@sms.example.org", ["shop@example.org"])
        assert parseaddr(str(message["From"])) == ("Corner Shop", "smsin@sms.example.org")
        assert (str(message["Subject"]), str(message["Auto-Submitted"])) == ("SMS from +447700900142", "auto-generated")
        assert mail.text.startswith("Yes!\n\n-- \nFrom +447700900142 to +447700900001, 2026-01-31 09:00:00 UTC.")
        thread = Thread(made.endpoint.id, str(event.conversation_id))
        for header in ("Reply-To", "Message-ID", "References"):
            assert read_reply([KEY], str(message[header])) == thread
        detail = await hub.webhooks.delivery(hub.account_id, delivery.id)
        assert detail.body.encode().splitlines() == mail.raw.splitlines()
        assert (detail.attempts[0].status, detail.attempts[0].outcome) == (250, "ok")
        assert detail.attempts[0].request_headers["message-id"] == message["Message-ID"]


async def test_G5_agile_mail_has_its_four_lines_and_survives_a_451_and_a_restart(database_url: str) -> None:
    def busy(_sink: MailSink, _taken: Taken) -> str:
        return "451 4.7.1 greylisted, try later"

    text = "Yes!\r\nBcc: everybody@example.org\r\n\r\nwhat follows"
    async with MailSink(answer=busy) as sink:
        where = server(sink)
        async with world(database_url, mail_server=where, identity=ME, formats=[Agile()]) as hub:
            await hub.endpoint(TO, format="agile", settings={"time_zone": "Europe/Rome"})
            await hub.publish([received(hub, text)])

            async def is_tried() -> object:
                (delivery,) = await hub.deliveries()
                return delivery.attempts >= 1 or delivery.attempts

            await eventually(is_tried)
            (delivery,) = await hub.deliveries()
            assert (delivery.state, delivery.last_try and delivery.last_try.outcome) == ("pending", "mail_later")
            account_id = hub.account_id
        first = sink.tries[0]
        sink.answer = lambda _sink, _taken: "250 taken"
        again = world(
            database_url, mail_server=where, identity=ME, formats=[Agile()], account_id=account_id, factor=600.0
        )
        async with again as hub:
            (delivery,) = await hub.until_settled()
            assert delivery.state == "ok"
        (mail,) = sink.taken
        assert mail.raw == first.raw  # its Message-ID too
        assert parseaddr(str(mail.message["From"]))[1] == "smsin@sms.example.org"
        assert mail.message["Subject"] == "Corner Shop -- SMS received"
        assert mail.message["Bcc"] is None
        lines = ["From: +447700900142", "To: +447700900001", "Date/Time: 20260131100000", "Body: Yes!"]
        assert mail.text.split("\n")[:4] == lines


async def test_G7_all_letters_arrive_intact_by_mail(database_url: str) -> None:
    async with MailSink() as sink:
        async with world(database_url, mail_server=server(sink), identity=ME, formats=[Agile()]) as hub:
            await hub.endpoint(TO, format="agile")
            texts = [FIVE, "日本語 🙂👨‍👩‍👧 & + % =41 .", ".\n..\nFrom me\n\n", "ends with spaces   "]
            await hub.publish([received(hub, text) for text in texts])
            await hub.until_settled()
        bodies = {mail.text.partition("Body: ")[2] for mail in sink.taken}
        assert bodies == {text + "\n" for text in texts}


async def test_a_refusal_for_good_ends_it_at_once_and_delays_no_other(database_url: str) -> None:
    def only_here(_sink: MailSink, taken: Taken) -> str:
        return "550 5.1.1 no such user" if "gone" in taken.recipients[0] else "250 taken"

    async with MailSink(answer=only_here) as sink:
        async with world(database_url, mail_server=server(sink), identity=ME) as hub:
            gone = await hub.endpoint("mailto:gone@example.org")
            here = await hub.endpoint(TO)
            await hub.publish([received(hub)])
            await hub.until_settled()
            (refused,) = await hub.deliveries(endpoint_id=gone.endpoint.id)
            (taken,) = await hub.deliveries(endpoint_id=here.endpoint.id)
            assert (refused.state, refused.why, refused.attempts) == ("dead", "refused", 1)
            assert taken.state == "ok"
            detail = await hub.webhooks.delivery(hub.account_id, refused.id)
            assert "550 5.1.1 no such user" in detail.attempts[0].explanation
            sink.answer = lambda _sink, _taken: "250 taken"
            await hub.webhooks.replay(hub.account_id, refused.id)
            await hub.until_settled()
        replayed, tried = sink.taken[-1], sink.tries[0 if "gone" in sink.tries[0].recipients[0] else 1]
        assert replayed.message["Message-ID"] == tried.message["Message-ID"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("certificates")))


async def test_tls_and_password_are_used_and_a_wrong_one_loses_nothing(authority: Authority, sqlite_url: str) -> None:
    async with MailSink(tls=authority.server("127.0.0.1"), password="open sesame") as sink:
        secure = {"tls": "starttls", "user": "hub", "ca_file": str(authority.path)}
        wrong = server(sink, **secure, password="mellon")
        async with world(sqlite_url, mail_server=wrong, identity=ME) as hub:
            made = await hub.endpoint(TO)
            result = await hub.webhooks.test(hub.account_id, made.endpoint.id)
            assert (result.is_success, result.attempt.outcome, result.attempt.status) == (False, "mail_server", 535)
            assert "mellon" not in repr(result)
            stranger = server(sink, tls="starttls")
        async with world(sqlite_url, mail_server=stranger, account_id=hub.account_id, running=False) as hub:
            result = await hub.webhooks.test(hub.account_id, made.endpoint.id)
            assert result.attempt.outcome == "tls_untrusted"
        assert not sink.tries
        right = server(sink, **secure, password="open sesame")
        async with world(sqlite_url, mail_server=right, identity=ME, account_id=hub.account_id) as hub:
            await hub.publish([received(hub)])
            (delivery,) = await hub.until_settled()
            assert delivery.state == "ok"
        assert (sink.taken[0].has_tls, sink.taken[0].login) == (True, "hub")


async def test_a_server_that_is_away_or_silent_is_a_failed_try(sqlite_url: str) -> None:
    silent = Receiver(script=says())  # accepts, and waits for a request that a mail client never begins with
    async with MailSink() as sink:
        away = server(sink)
    async with world(sqlite_url, mail_server=away, running=False) as hub:
        made = await hub.endpoint(TO, timeout_seconds=1)
        result = await hub.webhooks.test(hub.account_id, made.endpoint.id)
        assert (result.is_success, result.attempt.outcome) == (False, "refused")
    async with silent:
        quiet = MailServer("127.0.0.1", silent.port, tls="off")
        async with world(sqlite_url, mail_server=quiet, account_id=hub.account_id, running=False) as hub:
            result = await hub.webhooks.test(hub.account_id, made.endpoint.id)
            assert (result.is_success, result.attempt.outcome) == (False, "timeout")


async def test_G6_from_webhook_to_mail_and_back_nothing_under_way_is_lost(database_url: str) -> None:
    async with MailSink() as sink, Receiver(script=says(500)) as receiver:
        where = server(sink)
        async with world(database_url, mail_server=where, identity=ME, formats=[Agile()], factor=60.0) as hub:
            made = await hub.endpoint(receiver.url(), format="agile", schedule=(60.0, 60.0))
            account_id, endpoint_id = hub.account_id, made.endpoint.id
            await hub.publish([received(hub, f"text {number}") for number in range(3)])
            await receiver.until_count(1)
            changed = await hub.webhooks.update(account_id, endpoint_id, EndpointChanges(url=TO))
            assert (changed.kind, changed.format, changed.schedule) == ("mail", "agile", "mail")
            done = await hub.until_settled()
            assert [delivery.state for delivery in done] == ["ok"] * 3
            receiver.script = says(200, b"+OK")
            back = await hub.webhooks.update(account_id, endpoint_id, EndpointChanges(url=receiver.url()))
            assert (back.kind, back.schedule) == ("http", "agile")
            await hub.publish([received(hub, "by form again")])
            assert {delivery.state for delivery in await hub.until_settled()} == {"ok"}
        assert {mail.text.partition("Body: ")[2] for mail in sink.taken} == {f"text {number}\n" for number in range(3)}
        assert b"by+form+again" in receiver.posts[-1].body


async def test_a_text_may_have_its_own_address_and_formats_without_words_for_mails_get_some(database_url: str) -> None:
    async with MailSink() as sink, world(database_url, mail_server=server(sink), identity=ME) as hub:
        target = CallbackTarget("mail", "mailto:me@example.org", ("sms:failed",))
        hub.webhooks.check_callback(target)
        await hub.happen(type=EventType.SMS_FAILED, callback=target)
        await hub.happen(type=EventType.SMS_SENT, callback=target)
        made = await hub.endpoint(TO, event_types=("device:offline", "sms:sent"))
        await hub.happen(type=EventType.SMS_SENT)
        await hub.until_settled()
        subjects = sorted(str(mail.message["Subject"]) for mail in sink.taken)
        assert subjects == ["Your SMS to +15550123 was not sent", "Your SMS to +15550123 was sent"]
        assert {delivery.url for delivery in await hub.deliveries()} == {TO, "mailto:me@example.org"}
        assert made.endpoint.event_types == ("device:offline", "sms:sent")


async def test_what_no_mail_can_have_is_refused_with_a_sentence(sqlite_url: str) -> None:
    async with MailSink() as sink, world(sqlite_url, mail_server=server(sink), running=False) as hub:
        bad = (
            {"url": "mailto:"},
            {"url": "mailto:a@example.org,b@example.org"},
            {"url": "mailto:a@example.org?bcc=b@example.org"},
            {"url": "mailto:a\r\nBcc: b@example.org"},
            {"url": TO, "format": "smsgate"},
            {"url": TO, "headers": {"x-a": "b"}},
        )
        for fields in bad:
            with pytest.raises(HubError) as caught:
                await hub.endpoint(**fields)  # type: ignore[arg-type]
            assert caught.value.code is Code.VALIDATION
    async with world(sqlite_url, account_id=hub.account_id, running=False) as hub:
        with pytest.raises(HubError, match="HUB_SMTP_HOST"):
            await hub.endpoint(TO)
