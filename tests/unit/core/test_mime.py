"""Mails as they come: charsets, parts and quotes are read, and whatever the bytes are, a mail or a refusal comes of them."""

from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.mime import BadMail, read_mail
from hub.core.quotes import own_words

WHATEVER_IT_TAKES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What is tested does not depend on how fast the machine is."""
HEAD = b"From: Ana <ana@example.org>\r\nMessage-ID: <1@example.org>\r\n"


def plain(body: bytes, kind: bytes = b"text/plain; charset=utf-8", more: bytes = b"") -> str:
    return read_mail(HEAD + more + b"Content-Type: " + kind + b"\r\n\r\n" + body).text


def test_what_a_mail_says_is_read() -> None:
    message = EmailMessage()
    message["From"] = "Ana Ünal <Ana@Example.org>"
    message["To"] = "box+1@sms.example.org"
    message["Subject"] = "Grüße 🙂"
    message["In-Reply-To"], message["References"] = "<a@x>", "<b@x> <c@x>"
    message["Message-ID"] = "<1@example.org>"
    message.set_content("Ja 🙂 & +100 %\n")
    message.add_alternative("<p>No</p>", subtype="html")
    (_, marked_up) = message.iter_parts()
    assert isinstance(marked_up, EmailMessage)
    marked_up.add_related(b"GIF", "image", "gif", disposition="inline", cid="<logo>")
    mail = read_mail(message.as_bytes())
    assert (mail.sender, mail.subject, mail.text) == ("Ana@example.org", "Grüße 🙂", "Ja 🙂 & +100 %")
    assert mail.recipients == ("box+1@sms.example.org",)
    assert mail.references == "<a@x> <b@x> <c@x>"
    assert not mail.is_automatic


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("Grüße €".encode("windows-1252"), b"text/plain; charset=windows-1252", "Grüße €"),
        ("日本".encode("iso-2022-jp"), b"text/plain; charset=iso-2022-jp", "日本"),
        ("日本".encode(), b"text/plain; charset=nonsense", "日本"),
        (b"caf\xe9", b"text/plain", "café"),
        (b"aGk=", b"text/plain; charset=zip\r\nContent-Transfer-Encoding: base64", "hi"),
        (b"=F0=9F=99=82 a=3Db=\r\nc", b"text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable", "🙂 a=bc"),
        (b"one line \r\nbroken \r\nhere\r\nnext", b"text/plain; format=flowed", "one line broken here\nnext"),
        (b"<p>Hi&nbsp;you<br>there</p><style>x{}</style><blockquote>old</blockquote>", b"text/html", "Hi you\nthere"),
    ],
)  # fmt: skip
def test_its_letters_come_out_whatever_they_were_written_in(body: bytes, kind: bytes, text: str) -> None:
    assert plain(body, kind) == text


def test_what_is_broken_beside_the_words_does_not_lose_them() -> None:
    broken = read_mail(HEAD + b"Subject: =?utf-8?b?a?=\r\nContent-Type: text/html\r\n\r\n<p>Hi</p><![x[ more")
    assert (broken.subject, broken.text) == ("=?utf-8?b?a?=", "Hi")


def test_a_fault_of_the_parser_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.core.mime.own_words", lambda _text: 1 / 0)
    with pytest.raises(BadMail, match="read"):
        read_mail(HEAD + b"\r\nHi")


QUOTED = "> Yes, see you\n> at nine\n>\n>> older\n"


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("Fine!\n\nOn Mon, 3 Feb 2026 at 10:00, Hub <smsin@sms.example.org> wrote:\n\n" + QUOTED, "Fine!"),
        ("Fine!\n\nAm 03.02.26 um 10:00 schrieb Handset Hub\n<smsin@sms.example.org>:\n" + QUOTED, "Fine!"),
        ("Fine!\n\n-----Original Message-----\nFrom: Hub\nlong", "Fine!"),
        ("Fine!\n\nFrom: Hub <smsin@sms.example.org>\nSent: Monday\nTo: Ana\nSubject: SMS\n\nold", "Fine!"),
        ("Fine!\n________________________________\nVon: Hub <a@b.example>\n", "Fine!"),
        ("Fine!\n\n-- \nAna\n+49 30 123", "Fine!"),
        ("Fine!\n\nSent from my iPhone\n\nOn 3 Feb, Hub <a@b.example> wrote:\n" + QUOTED, "Fine!"),
        ("Gerne\n\nVon meinem iPhone gesendet", "Gerne"),
        ("Fine!\n\nOn 03/02/2026 10:00, Handset Hub wrote:\n" + QUOTED, "Fine!"),
        ("Fine!\n\nAm 03.02.26 um 10:00 schrieb Handset Hub:\n" + QUOTED, "Fine!"),
        # What may be theirs stays.
        ("I saw what 3 people wrote:\n" + QUOTED, "I saw what 3 people wrote:"),
        ("> Nine?\nYes.\n> Or ten?\nNo.", "> Nine?\nYes.\n> Or ten?\nNo."),
        ("Note:\n1 > 0\nOn it: call a@b.example", "Note:\n1 > 0\nOn it: call a@b.example"),
        ("From: the shop\nTo: you", "From: the shop\nTo: you"),
        ("a -- b\n--- c", "a -- b\n--- c"),
        ("Sent from my heart to you all\nreally", "Sent from my heart to you all\nreally"),
        (QUOTED, ""),
        ("", ""),
    ],
)  # fmt: skip
def test_quotes_and_signatures_are_left_out_and_nothing_else(body: str, own: str) -> None:
    assert own_words(body) == own
    assert own_words(body.replace("\n", "\r\n")) == own
    assert own_words(own) == own


@WHATEVER_IT_TAKES
@given(st.text(st.characters(exclude_characters=">@_-\r\n \t", exclude_categories=["Z", "C"]), min_size=1, max_size=60))
def test_a_line_of_words_is_never_shortened(line: str) -> None:
    assert own_words(line) == line


def test_a_file_is_refused_and_an_electronic_signature_is_not() -> None:
    message = EmailMessage()
    message["From"] = "ana@example.org"
    message.set_content("Look")
    message.add_attachment(b"sig", "application", "pgp-signature", filename="s.asc")
    assert read_mail(message.as_bytes()).text == "Look"
    message.add_attachment(b"%PDF", "application", "pdf", filename="offer.pdf")
    with pytest.raises(BadMail, match="attached"):
        read_mail(message.as_bytes())


@pytest.mark.parametrize(
    ("more", "is_answer", "is_automatic"),
    [
        (b"Auto-Submitted: auto-replied\r\n", True, True),
        (b"Precedence: auto_reply\r\n", True, True),
        (b"X-Autoreply: yes\r\n", True, True),
        (b"Auto-Submitted: auto-generated (cron)\r\n", False, True),
        (b"List-Id: <l.example.org>\r\n", False, True),
        (b"Auto-Submitted: no\r\n", False, False),
    ],
)
def test_machines_are_told_from_people(more: bytes, is_answer: bool, is_automatic: bool) -> None:
    mail = read_mail(HEAD + more + b"\r\nbody")
    assert (mail.is_answer_of_machine, mail.is_automatic) == (is_answer, is_automatic)


@pytest.mark.parametrize("head", [b"", b"From: \r\n", b"From: a@example.org, b@example.org\r\n", b"From: nobody\r\n"])
def test_a_mail_needs_one_sender(head: bytes) -> None:
    with pytest.raises(BadMail, match="From"):
        read_mail(head + b"\r\nbody")


def test_nesting_without_end_is_refused() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (at, at) for at in range(3000))
    with pytest.raises(BadMail):
        read_mail(HEAD + deep)


PIECES = st.sampled_from(
    [
        b"From: ana@example.org\r\n", b"Subject: =?utf-8?q?=ff?=\r\n", b"Subject: =?x?b?a?=\r\n", b"\r\n", b"\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n", b"Content-Type: text/html; charset=\xff\r\n", b"--x\r\n", b"--x--",
        b"Content-Type: message/rfc822\r\n", b"Content-Type: ;;=\"\r\n", b"Content-Transfer-Encoding: base64\r\n", b"<p>&#0;&#xd800;<!",
        b"Content-Disposition: attachment; filename*=utf-8''%ff\r\n", b"Content-Transfer-Encoding: uuencode\r\n", b"begin 644 x\r\n",
        b"Content-Type: text/plain; charset*=x''%ff; format=flowed\r\n", b"> ", b" \r\n", b"\0", b"\x80", b"\r", b"\n", b"To: a@b <\r\n",
    ]
)  # fmt: skip


@WHATEVER_IT_TAKES
@given(st.lists(PIECES | st.binary(max_size=20), max_size=30))
def test_any_bytes_are_a_mail_or_a_refusal(pieces: list[bytes]) -> None:
    try:
        mail = read_mail(b"".join(pieces))
    except BadMail:
        return
    assert mail.sender
    assert "\0" not in mail.text
    (mail.text + mail.subject + mail.references).encode()
