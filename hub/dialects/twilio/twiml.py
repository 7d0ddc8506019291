"""TwiML: the XML with which a receiver answers an inbound text (https://www.twilio.com/docs/messaging/twiml).

Read are `<Message>` (its text or `<Body>`, its `<Media>`, with `to`, `from`, `action`, `statusCallback`) and `<Redirect>`, which names the
next document. Anything else is passed over. A document type declaration is refused whole: it is how XML is made to explode.
"""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec

from hub.core.media import MOST_MEDIA
from hub.core.ports import ReplyText

XML_TYPES = ("text/xml", "application/xml")
MOST_MESSAGES = 10
"""Texts one answer may ask for."""


class Script(msgspec.Struct, frozen=True):
    """What an answer asks for."""

    texts: tuple[ReplyText, ...] = ()
    next_url: str | None = None
    """Where the next document is."""


NOTHING = Script()


def read_script(content_type: str, body: bytes) -> Script:
    """What a document says; nothing for another content type, and for what is no TwiML."""
    if content_type.partition(";")[0].strip().lower() not in XML_TYPES:
        return NOTHING
    if b"<!" in body.replace(b"<![CDATA[", b"").replace(b"<!--", b""):
        return NOTHING
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError):
        return NOTHING
    if root.tag != "Response":
        return NOTHING
    texts: list[ReplyText] = []
    for verb in root:
        if verb.tag == "Message" and len(texts) < MOST_MESSAGES:
            reply = _reply(verb)
            if reply is not None:
                texts.append(reply)
        elif verb.tag == "Redirect":
            return Script(tuple(texts), (verb.text or "").strip() or None)
    return Script(tuple(texts))


def _reply(verb: ElementTree.Element) -> ReplyText | None:
    bodies = [child.text or "" for child in verb if child.tag == "Body"]
    text = "".join(bodies) if bodies else (verb.text or "").strip()
    media = [url for child in verb if child.tag == "Media" and (url := (child.text or "").strip())]
    if not text and not media:
        return None
    return ReplyText(
        text=text,
        to=verb.get("to") or None,
        sender=verb.get("from") or None,
        callback_url=verb.get("statusCallback") or verb.get("action") or None,
        media_urls=tuple(media[:MOST_MEDIA]),
    )
