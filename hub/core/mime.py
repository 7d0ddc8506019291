"""Reads a mail (RFC 5322, MIME): who wrote it, what it answers, and its text. Whatever the bytes are, a mail or `BadMail` comes of them.

The plain text of a mail is read where there is one, else its HTML without the markup. Lines that a program broke for display
(`format=flowed`, RFC 3676) are put together again: a text on a phone has no columns. An unknown charset is read as UTF-8, else Latin-1.

A file that somebody attached cannot go out as a text, so such a mail is refused rather than sent without it; pictures of a signature
(`inline`) and electronic signatures are not what was meant to be sent.
"""

import contextlib
import email
import hashlib
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses
from html.parser import HTMLParser
from itertools import islice

import msgspec

from hub.core.mail import mail_address, one_line
from hub.core.quotes import own_words
from hub.core.text import sanitise

MOST_PARTS = 200
MOST_BOUNDARIES = 60
"""Parts within parts: each line of a mail is held against all boundaries that are open, so that many of them cost much time."""
LONGEST_TEXT = 100_000
"""Characters of a body that are looked at: no text is longer, and a mail may be."""
_NOT_CONTENT = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "application/pgp-keys",
        "text/vcard",
        "text/x-vcard",
    }
)
"""Attachments that mail programs add by themselves."""
_BOUNCES = ("multipart/report", "message/delivery-status", "message/disposition-notification")
_BOUNDARY = re.compile(rb"boundary[*\d\s]*=", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f\v]+")


class BadMail(ValueError):
    """A mail that cannot be used; its sentence is for whoever sent it."""


class ReadMail(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail says."""

    sender: str
    """The one address in `From`."""
    identity: str
    """Knows the mail again: a hash of its Message-ID and sender, or of all of it where it has none."""
    references: str
    """`In-Reply-To` and `References`, as they are."""
    recipients: tuple[str, ...]
    """`To`, `Cc`, and what mail systems note of the envelope."""
    subject: str
    text: str
    """The sender's own words."""
    is_answer_of_machine: bool
    """A holiday notice, a bounce, a receipt."""
    is_automatic: bool
    """Written by a program, such as a watchdog: that, or one of the above."""


def read_mail(raw: bytes) -> ReadMail:
    """Raises `BadMail`."""
    if sum(1 for _ in islice(_BOUNDARY.finditer(raw), MOST_BOUNDARIES + 1)) > MOST_BOUNDARIES:
        raise BadMail("The mail is nested too deeply.")
    try:
        message = email.message_from_bytes(raw, policy=compat32)
        return _read(message, raw)
    except BadMail:
        raise
    except Exception as error:  # the standard library's parser meets hostile bytes here, and fails in many ways
        raise BadMail("This is not a mail that can be read.") from error


def _read(message: Message, raw: bytes) -> ReadMail:
    headers = _Headers(message)
    senders = headers.addresses("from")
    if len(senders) != 1:
        raise BadMail("The mail names no sender, or several: one address has to stand in From.")
    (sender,) = senders
    message_id = _SPACES.sub("", headers.text("message-id"))
    identified = f"{sender.lower()}\n{message_id}".encode() if message_id else raw
    is_answer = headers.is_answer_of_machine(message)
    return ReadMail(
        sender=sender,
        identity=hashlib.sha256(identified).hexdigest(),
        references=f"{headers.text('in-reply-to')} {headers.text('references')}"[:10_000],
        recipients=tuple(headers.addresses("to", "cc", "delivered-to", "x-original-to", "envelope-to")),
        subject=headers.decoded("subject")[:1000],
        text=own_words(_body(message)[:LONGEST_TEXT]),
        is_answer_of_machine=is_answer,
        is_automatic=is_answer or headers.is_automatic(),
    )


class _Headers:
    """A mail's headers as text."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def text(self, name: str) -> str:
        """All lines of a name, as they were sent."""
        return sanitise(" ".join(str(value) for value in self._message.get_all(name, [])))

    def addresses(self, *names: str) -> list[str]:
        """The addresses in these headers that can be one, each once."""
        values = [self.text(name)[:20_000] for name in names]
        found = (mail_address(address) for _, address in getaddresses([value for value in values if value]))
        return list(dict.fromkeys(address for address in found if address is not None))

    def decoded(self, name: str) -> str:
        """A header with its encoded words read (RFC 2047); as it is, where they are broken."""
        value = self._message.get(name)
        try:
            pieces = decode_header(str(value) if value is not None else "")
        except HeaderParseError:
            return one_line(str(value))
        texts = (piece if isinstance(piece, str) else _text_of(piece, charset) for piece, charset in pieces)
        return one_line("".join(texts))

    def is_answer_of_machine(self, message: Message) -> bool:
        """RFC 3834 §5, RFC 6522, and what came before them."""
        word = self.text("auto-submitted").partition(";")[0].strip().lower()
        answers = (self.text(name) for name in ("x-autoreply", "x-autorespond", "x-auto-reply"))
        is_precedence = self.text("precedence").strip().lower() == "auto_reply"
        return word == "auto-replied" or any(answers) or is_precedence or message.get_content_type() in _BOUNCES

    def is_automatic(self) -> bool:
        """A program wrote it."""
        word = self.text("auto-submitted").partition(";")[0].strip().lower()
        bulk = self.text("precedence").strip().lower() in ("bulk", "junk", "list")
        return word not in ("", "no") or bulk or bool(self.text("list-id"))


# --- the body --------------------------------------------------------------------------------------------------------------------------


def _body(message: Message) -> str:
    plain: list[str] = []
    marked_up: list[str] = []
    for count, part in enumerate(message.walk()):
        if count >= MOST_PARTS:
            raise BadMail(f"The mail has more than {MOST_PARTS} parts.")
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        if part.get_content_disposition() == "attachment":
            if kind not in _NOT_CONTENT:
                raise BadMail("A file is attached to the mail, and files cannot be sent as a text. Send it without.")
        elif kind == "text/plain":
            plain.append(_plain(part))
        elif kind == "text/html":
            marked_up.append(_without_markup(_decoded(part)))
    for texts in (plain, marked_up):
        joined = "\n".join(text for text in texts if text.strip())
        if joined:
            return joined
    return ""


def _plain(part: Message) -> str:
    text = _decoded(part).replace("\r\n", "\n")
    if str(part.get_param("format") or "").lower() != "flowed":
        return text
    return _unflowed(text, drops_space=str(part.get_param("delsp") or "").lower() == "yes")


def _unflowed(text: str, *, drops_space: bool) -> str:
    """Lines put together again that end with a space (RFC 3676 §4.4); a signature's line stays."""
    paragraphs: list[str] = []
    is_open, depth_before = False, 0
    for line in text.split("\n"):
        quoted = line.lstrip(">")
        depth = len(line) - len(quoted)
        quoted = quoted.removeprefix(" ")
        is_signature = quoted == "-- "
        shown = f"{'>' * depth} {quoted}" if depth else quoted
        if is_open and depth == depth_before and not is_signature:
            paragraphs[-1] += quoted
        else:
            paragraphs.append(shown)
        is_open, depth_before = quoted.endswith(" ") and not is_signature, depth
        if is_open and drops_space:
            paragraphs[-1] = paragraphs[-1][:-1]
    return "\n".join(paragraphs)


def _decoded(part: Message) -> str:
    data = part.get_payload(decode=True)
    return _text_of(data if isinstance(data, bytes) else b"", part.get_content_charset())


def _text_of(data: bytes, charset: str | None) -> str:
    for name in (charset, "utf-8"):
        try:
            if name:
                return sanitise(data.decode(name))
        except (LookupError, UnicodeError, ValueError):
            continue
    return sanitise(data.decode("latin-1"))


class _Words(HTMLParser):
    """The words of HTML; what is quoted, hidden or code is left out."""

    BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol"})
    LEFT_OUT = frozenset({"script", "style", "head", "title", "blockquote"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._left_out = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.LEFT_OUT:
            self._left_out += 1
        elif tag in self.BREAKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.LEFT_OUT and self._left_out:
            self._left_out -= 1
        elif tag in self.BREAKS and tag != "br":
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self.pieces.append(_SPACES.sub(" ", data))


def _without_markup(html: str) -> str:
    words = _Words()
    with contextlib.suppress(
        AssertionError
    ):  # what the parser says to sections that no HTML has; the words before them count
        words.feed(html[: 4 * LONGEST_TEXT])
        words.close()
    lines = [line.strip() for line in "".join(words.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).replace("\u00a0", " ")
