"""What `hub doctor` looks at: first this machine and its settings, then, in the running hub or in its data, phones and webhooks."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import msgspec
from cryptography import x509

from hub.config import Config, ConfigurationError
from hub.core.amounts import size_in_words
from hub.core.ids import render
from hub.core.progress import Tell
from hub.devices import list_devices
from hub.services import Services
from hub.storage.accounts import AccountRow, list_accounts
from hub.storage.check_up import Looked, look_at
from hub.storage.facts import find_fact
from hub.storage.high_water import highest_id_ms
from hub.storage.users import is_anybody_there
from hub.tls import given, with_address

Level = Literal["ok", "warning", "problem"]

LITTLE_ROOM = 1 << 30
NO_ROOM = 100 << 20
CERTIFICATE_DAYS = 14
CLOCK_BEHIND_MS = 60_000
ANSWER_SECONDS = 5.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")
OTHERS_ACCESS = 0o077


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at. `fix` says what to do, where something is to be done."""

    level: Level
    what: str
    text: str
    fix: str = ""


def look_at_machine(config: Config, tell: Tell) -> Iterator[Finding]:
    """Folder, key file, database, certificate and address: what can be seen without the hub, one after the other."""
    folder = _folder(config.data_dir)
    yield folder
    if folder.level != "problem" or config.database_url:
        yield _database(config, tell)
        yield _key_file(config)
    yield from _certificate(config)
    yield from _address(config)


def look_at_hub(config: Config, is_running: bool) -> Finding:
    """Whether the hub that runs on this data answers."""
    if not is_running:
        return Finding("warning", "Hub", "No hub runs on this data.", "Start it: hub serve")
    address = f"{config.local_url}/readyz"
    try:
        # Its own certificate is not for this name; nothing secret is asked or sent.
        answer = httpx.get(address, timeout=ANSWER_SECONDS, verify=False)
        missing = ", ".join(answer.json()["missing"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        text = f"A hub runs, but {address} does not answer as one: {error or type(error).__name__}."
        return Finding("problem", "Hub", text, "Run hub doctor with the settings that the hub was started with.")
    if missing:
        return Finding("problem", "Hub", f"It runs, and is not ready: {missing}.", "Its log says why.")
    return Finding("ok", "Hub", f"It runs and answers at {config.local_url}.")


async def doctor(services: Services) -> Mapping[str, Any]:
    """The inside: clock, hold, people, and each account's phones and webhooks."""
    found = [*await _clock(services), *await _hold(services), *await _people(services)]
    for account in await services.db.read(list_accounts):
        found += await _phones(services, account)
        found += await _webhooks(services, account)
    return {"findings": msgspec.to_builtins(found)}


# --- this machine -----------------------------------------------------------------------------------------------------------------


def _folder(folder: Path) -> Finding:
    where = folder.absolute()
    if not folder.is_dir():
        fix = "Go to your hub's folder, or set HUB_DATA_DIR. A new hub makes it: hub serve"
        return Finding("problem", "Data folder", f"There is no folder {where}.", fix)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            "problem", "Data folder", f"{where} cannot be written.", "Give this user the right to write there."
        )
    free = shutil.disk_usage(folder).free
    text = f"{where}, {size_in_words(free)} free."
    if free < LITTLE_ROOM:
        return Finding("problem" if free < NO_ROOM else "warning", "Data folder", text, "Make room on its disk.")
    return Finding("ok", "Data folder", text)


def _database(config: Config, tell: Tell) -> Finding:
    try:
        return _judged(look_at(config.storage_url, tell))
    except ConfigurationError as error:
        return Finding("problem", "Database", str(error))


def _judged(seen: Looked) -> Finding:
    if seen.revision is None:
        text = f"{seen.where} holds nothing of a hub yet."
        return Finding("problem", "Database", text, "Look whether this is the right folder. A new hub: hub serve")
    if not seen.is_known:
        text = f"{seen.where} was used by a newer version of the hub (schema {seen.revision})."
        return Finding("problem", "Database", text, "Install that version again.")
    if seen.faults:
        text = f"{seen.where} is damaged: {'; '.join(seen.faults)}."
        return Finding("problem", "Database", text, "Stop the hub and put a backup in its place: hub restore")
    if not seen.is_newest:
        text = f"{seen.where} is of an older version (schema {seen.revision})."
        return Finding("warning", "Database", text, "Make a backup, then: hub migrate, or hub serve")
    whole = " and whole" if seen.kind == "SQLite" else ""
    return Finding("ok", "Database", f"{seen.kind}, {size_in_words(seen.bytes)}, up to date{whole}.")


def _key_file(config: Config) -> Finding:
    path = config.key_path
    if not path.exists():
        fix = "Put your copy there. A new hub makes one: hub serve"
        return Finding("problem", "Key file", f"{path} is not there.", fix)
    if path.stat().st_mode & OTHERS_ACCESS:
        return Finding("warning", "Key file", f"{path} can be read by other users.", f"chmod 600 {path}")
    return Finding("ok", "Key file", f"{path}. Keep a copy of it apart from the backups.")


def _certificate(config: Config) -> Iterator[Finding]:
    if config.tls != "files" or config.tls_certificate is None or config.tls_key is None:
        return
    try:
        given(config.tls_certificate, config.tls_key)
        ends = x509.load_pem_x509_certificate(config.tls_certificate.read_bytes()).not_valid_after_utc
    except (ConfigurationError, ssl.SSLError, ValueError) as error:
        yield Finding("problem", "Certificate", str(error))
        return
    days = (ends - datetime.now(UTC)).days
    fix = "Renew it, then start the hub again."
    if days < 0:
        yield Finding("problem", "Certificate", f"It was valid until {ends:%Y-%m-%d}: no phone connects.", fix)
    elif days < CERTIFICATE_DAYS:
        yield Finding("warning", "Certificate", f"It ends in {days} days, on {ends:%Y-%m-%d}.", fix)
    else:
        yield Finding("ok", "Certificate", f"Valid until {ends:%Y-%m-%d}.")


def _address(config: Config) -> Iterator[Finding]:
    base_url = with_address(config).base_url
    url = urlsplit(base_url)
    if url.hostname in LOOPBACK:
        text = f"QR codes name {base_url}: only emulated phones on this machine reach that."
        fix = "Set HUB_PUBLIC_URL to the address that phones reach (docs/quickstart.md, step 4)."
        yield Finding("warning", "Address", text, fix)
    elif url.scheme != "https":
        text = f"{base_url} is not encrypted: keys and texts can be read on the way."
        yield Finding(
            "warning", "Address", text, "Use --tls auto, or a proxy that ends TLS (docs/quickstart.md, step 4)."
        )
    else:
        yield Finding("ok", "Address", f"Phones and programs come to {base_url}.")


# --- the hub ----------------------------------------------------------------------------------------------------------------------


async def _clock(services: Services) -> list[Finding]:
    behind = await services.db.read(highest_id_ms) - services.clock.now()
    if behind <= CLOCK_BEHIND_MS:
        return [Finding("ok", "Clock", "Not behind what is stored.")]
    text = f"This machine's clock is {behind // 60_000} min behind the newest row: it was set back."
    return [Finding("warning", "Clock", text, "Set it right; let it be kept by NTP.")]


async def _hold(services: Services) -> list[Finding]:
    if await services.db.read(find_fact, "hold") is None:
        return []
    text = "Sending is held: this hub was restored and waits for its phones."
    return [Finding("warning", "Sending", text, "hub status says which are away; see also: hub resume --help")]


async def _people(services: Services) -> list[Finding]:
    if await services.db.read(is_anybody_there):
        return []
    return [Finding("warning", "People", "Nobody can sign in to the dashboard yet.", "hub user setup shows the link.")]


async def _phones(services: Services, account: AccountRow) -> list[Finding]:
    page = await services.db.read(list_devices, account.id, now=services.clock.now())
    what = f"Phones of {account.name}"
    if not page.items:
        return [Finding("warning", what, "There is none yet.", "hub enrol")]
    online = sum(phone.is_online for phone in page.items)
    more = "the first " if page.next else ""
    found = [Finding("ok" if online else "problem", what, f"{online} of {more}{len(page.items)} online.")]
    risks = [(phone.name, risk) for phone in page.items for risk in phone.risks]
    return found + [
        Finding("problem" if risk.severity == "critical" else "warning", name, risk.text, risk.fix)
        for name, risk in risks
    ]


async def _webhooks(services: Services, account: AccountRow) -> list[Finding]:
    found: list[Finding] = []
    endpoints = await services.webhooks.list(account.id)
    for endpoint in endpoints:
        name, waiting = render("endpoint", endpoint.id), endpoint.health.pending + endpoint.health.held
        fix = f"hub webhook log {name}"
        if endpoint.state == "disabled":
            text = f"{endpoint.url} is disabled: {endpoint.state_reason or 'it was given up'}; {waiting} wait."
            found.append(Finding("problem", "Webhook", text, f"{fix}, then hub webhook enable {name}"))
        elif endpoint.health.failing_since is not None:
            found.append(Finding("problem", "Webhook", f"{endpoint.url} fails; {waiting} wait.", fix))
        elif endpoint.state == "paused":
            text = f"{endpoint.url} is paused; {waiting} wait."
            found.append(Finding("warning", "Webhook", text, f"hub webhook enable {name}"))
    if endpoints and not found:
        found.append(Finding("ok", f"Webhooks of {account.name}", f"{len(endpoints)}, none failing."))
    return found
