"""The demo's bicycle shop: its one person, who may sign in to the dashboard, and customers who keep texting while it stays up."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PERSON, USERNAME = "Ines Calder", "demo"
CONTACTS: tuple[tuple[str, str, list[str]], ...] = (
    ("Maya Okafor", "+447700900142", ["Trek"]),
    ("Tom Reyes", "+447700900151", ["Club"]),
    ("Priya Shah", "+447700900163", []),
)
WAITING = (
    ("+447700900151", "Do you true wheels while people wait?"),
    ("+447700900163", "Hello! Is the blue Brompton in the window still there?"),
    ("+447700900187", "Wie viel kostet ein neuer Schlauch für 28 Zoll? 🚲"),
)
"""What came in and nobody has answered yet."""
LATER = (
    ("+447700900142", "On my way!"),
    ("+447700900151", "No hurry, Saturday is fine too."),
    ("+447700900163", "I would like to try it this afternoon."),
    ("+447700900142", "Could you put a new bell on it as well?"),
)
"""What comes in while somebody looks."""
UNREACHABLE = "+12125550120"
"""A number whose carrier refuses every text (docs/emulator.md): shows what a failed text looks like."""
EVERY_SECONDS = 25.0
_SETUP = re.compile(r"/ui/setup#([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class WayIn:
    """How somebody gets into the demo's dashboard."""

    username: str
    password: str


def make_person(address: str, hub_log: Path) -> WayIn:
    """Use the set-up link that the hub printed, as the page does."""
    token = _SETUP.findall(hub_log.read_text(encoding="utf-8", errors="replace"))[-1]
    password = secrets.token_urlsafe(9)
    body = {
        "token": token,
        "username": USERNAME,
        "name": PERSON,
        "password": password,
        "account_name": "Northgate Cycles",
        "time_zone": "Europe/London",
        "default_region": "GB",
    }
    own = {"X-Requested-With": "handset-hub", "Origin": address}
    httpx.post(f"{address}/session/setup", json=body, headers=own, timeout=30).raise_for_status()
    return WayIn(USERNAME, password)


def furnish(api: httpx.Client, phone: subprocess.Popen[bytes]) -> None:
    """Contacts, texts that wait for an answer, and one that did not arrive."""
    for name, number, tags in CONTACTS:
        body: dict[str, Any] = {"name": name, "tags": tags, "numbers": [{"peer": number}]}
        api.post("/v1/contacts", json=body).raise_for_status()
    failing = {"to": UNREACHABLE, "text": "Your deposit has arrived, thank you."}
    api.post("/v1/messages", json=failing).raise_for_status()
    for sender, text in WAITING:
        text_in(phone, sender, text)


def text_in(phone: subprocess.Popen[bytes], sender: str, text: str) -> None:
    """A customer's text arrives at the emulated phone."""
    assert phone.stdin is not None
    phone.stdin.write(f"text {sender} {text}\n".encode())
    phone.stdin.flush()


def later_texts() -> Iterator[tuple[str, str]]:
    """What comes in next, each once: a demo that is left alone does not fill its disk."""
    yield from LATER
