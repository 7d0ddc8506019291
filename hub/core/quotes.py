"""What somebody wrote in a mail, without what the mail program added. Conservative: what might be theirs stays.

1. A line `-- ` ends the mail (RFC 3676 §4.3), and so does the line Outlook writes above what is answered.
2. What is quoted at the *end* is left out, with the line that introduces it ("On Monday Ana <ana@example.org> wrote:").
   Quotes between a person's own lines stay: without them those lines may say nothing.
3. The closing words of telephones ("Sent from my iPhone") are left out when they are the last line.
"""

import re

_SIGNATURE = re.compile(r"--[ \t]?")
_ORIGINAL = (
    "Original Message",
    "Ursprüngliche Nachricht",
    "Message d'origine",
    "Mensaje original",
    "Messaggio originale",
)
_FROM = ("From", "Von", "De", "Da", "Van", "Från", "Fra", "Od")
_OTHERS = (
    *("Sent", "Date", "To", "Subject", "Gesendet", "Datum", "An", "Betreff", "Envoyé", "À", "Objet", "Enviado", "Para"),
    *("Asunto", "Inviato", "A", "Oggetto", "Verzonden", "Aan", "Onderwerp"),
)
"""The words of the languages that mail programs write above what they quote."""


def _one_of(words: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, words))


_OUTLOOK = re.compile(rf"[ \t]*(-{{2,}} ?({_one_of(_ORIGINAL)}) ?-{{2,}}|_{{20,}})[ \t]*", re.IGNORECASE)
_FIRST_OF_BLOCK = re.compile(rf"[ \t]*\*?({_one_of(_FROM)})[ \t]*:\*?.*@.*", re.IGNORECASE)
_NEXT_OF_BLOCK = re.compile(rf"[ \t]*\*?({_one_of(_OTHERS)})[ \t]*:.*", re.IGNORECASE)
_DATED_INTRODUCTION = re.compile(r"[^<]*\d.*@.*:[ \t]*")
_INTRODUCTION = re.compile(r"[^<].*@.*:[ \t]*")
_WRITTEN = re.compile(
    r"[ \t]*(On|Am|Le|El|Il|Op|Em|Den)\b.*\d.*\b(wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev)\b.*:[ \t]*"
)
"""Thunderbird names nobody's address: "On 03/02/2026 10:00, Handset Hub wrote:"."""
_TELEPHONE = re.compile(
    r"(Sent from my \S.{0,40}|Get Outlook for (iOS|Android).*|Von meinem \S.{0,30} gesendet|Envoyé de mon \S.{0,30}"
    r"|Enviado desde mi \S.{0,30}|Inviato da \S.{0,30}|Verstuurd vanaf mijn \S.{0,30}|Sent via \S.{0,40})\.?",
    re.IGNORECASE,
)
_MOST_INTRODUCING = 3
"""Lines that an introduction may be broken into."""


def own_words(text: str) -> str:
    """A person's own words in the plain text of a mail; empty when there are none."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = lines[: _end_of_own(lines)]
    lines = _without_quote_at_end(lines)
    _drop_blank(lines)
    if lines and _TELEPHONE.fullmatch(lines[-1].strip()):
        lines.pop()
    return "\n".join(line.rstrip() for line in lines).strip()


def _end_of_own(lines: list[str]) -> int:
    """The number of the line that ends the mail."""
    for place, line in enumerate(lines):
        if _SIGNATURE.fullmatch(line) or _OUTLOOK.fullmatch(line):
            return place
        if _FIRST_OF_BLOCK.fullmatch(line) and any(map(_NEXT_OF_BLOCK.fullmatch, lines[place + 1 : place + 4])):
            return place
    return len(lines)


def _without_quote_at_end(lines: list[str]) -> list[str]:
    kept = list(lines)
    _drop_blank(kept)
    if not kept or not kept[-1].lstrip().startswith(">"):
        return kept
    while kept and (not kept[-1].strip() or kept[-1].lstrip().startswith(">")):
        kept.pop()
    for introduction in (_DATED_INTRODUCTION, _INTRODUCTION, _WRITTEN):
        for count in range(1, min(_MOST_INTRODUCING, len(kept)) + 1):
            if introduction.fullmatch(" ".join(kept[-count:])):
                return kept[:-count]
    return kept


def _drop_blank(lines: list[str]) -> None:
    while lines and not lines[-1].strip():
        lines.pop()
