"""Every setting of the hub: one frozen record, read once from `HUB_*` environment variables and a file (`hub.config_file`).

Each field carries its own documentation; `docs/configuration.md` is made from it (`hub config --markdown`) and a test compares
the two. A field marked secret can also be given as a file: `HUB_X_FILE=/run/secrets/x`.
"""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from hub.config_file import USUAL, read_settings
from hub.core.mail import is_domain
from hub.core.media import KNOWN_TYPES, declared_type


class ConfigurationError(Exception):
    """A setting that cannot be used; its text names the variable, what it holds and what it may hold."""


def setting(doc: str, default: Any, *, secret: bool = False, group: str = "General") -> Any:
    """A `Config` field: what it does, its default, whether it is secret, and under which heading it is documented."""
    return field(default=default, metadata={"doc": doc, "secret": secret, "group": group})


@dataclass(frozen=True, slots=True)
class Config:
    """The hub's settings. Times are seconds, sizes bytes, unless the name says otherwise."""

    data_dir: Path = setting("Where the database, the key file and generated certificates live.", Path("data"))
    database_url: str = setting(
        "`sqlite:///path` or `postgresql://user:password@host/name`. Empty: a SQLite file in the data directory.",
        "",
        secret=True,
    )
    key_file: Path | None = setting(
        "The file with the key that encrypts signing secrets; made on first start. Empty: `hub.key` in the data directory. "
        "Keep a copy: without it stored webhook secrets and phone tokens cannot be read.",
        None,
    )
    node: str = setting("This process's name in logs, lanes and phone sessions. Empty: host name and process id.", "")
    default_region: str = setting(
        "Two-letter country whose national number format is understood when an account sets none (ISO 3166).", "US"
    )

    host: str = setting("Address to listen on.", "127.0.0.1", group="Network")
    port: int = setting("Port to listen on; 0 takes a free one.", 8080, group="Network")
    public_url: str = setting(
        "The address phones and browsers reach the hub by, e.g. `https://sms.example.org`. It stands in every QR code. "
        "Empty: made from host and port; of a hub that listens on all addresses, from this machine's own one on the network.",
        "",
        group="Network",
    )
    tls: str = setting(
        "`off` (plain HTTP, for loopback or behind a proxy), `auto` (make a key and a certificate, and put the key's pin into "
        "the QR code) or `files`.",
        "off",
        group="Network",
    )
    tls_certificate: Path | None = setting(
        "Certificate chain (PEM), for `files`. Renewed files are used within seconds, without a restart.",
        None,
        group="Network",
    )
    tls_key: Path | None = setting("Private key (PEM), for `files`.", None, group="Network")
    max_body_bytes: int = setting("Largest request body of the API; larger is answered 413.", 1 << 20, group="Network")
    request_seconds: float = setting(
        "How long a request may take to arrive, to the last byte of its body; then the answer is 408 and the connection ends. A mail by "
        "SMTP has as long.",
        300.0,
        group="Network",
    )
    requests_per_second: int = setting(
        "Requests a second one API key may make, with bursts of four times as many; over it the answer is 429.",
        2000,
        group="Network",
    )
    sign_in_idle_hours: float = setting(
        "Hours after which a browser that was not used is signed out of the dashboard.", 168.0, group="Network"
    )
    sign_in_days: float = setting(
        "Days after which a browser is signed out of the dashboard, however busy it was.", 30.0, group="Network"
    )
    sign_up: str = setting(
        "`on` lets anybody make an account of their own on the dashboard's sign-up page, with a mail address that they confirm. "
        "`off`: people are invited.",
        "off",
        group="Network",
    )
    metrics_token: str = setting(
        "Bearer token that `/metrics` asks for. Empty: `/metrics` answers only callers on this machine.",
        "",
        secret=True,
        group="Network",
    )
    shutdown_seconds: float = setting("How long a stop waits for work in flight.", 25.0, group="Network")

    log_level: str = setting("`debug`, `info`, `warning` or `error`.", "info", group="Logs")
    log_format: str = setting("`json` (one object a line) or `console` (for people).", "json", group="Logs")

    max_segments: int = setting("Longest text, in segments.", 20, group="Messages")
    max_recipients: int = setting("Most recipients of one request.", 1000, group="Messages")
    default_ttl_seconds: int = setting(
        "How long a text may wait for a phone when the request does not say.", 3 * 24 * 3600, group="Messages"
    )
    max_tries: int = setting(
        "Submissions of one text before it is given up as a dead letter; only passing faults are tried again.",
        5,
        group="Messages",
    )
    offers_per_phone: int = setting("Unaccepted jobs a phone may hold at once.", 8, group="Messages")
    offers_when_silent: int = setting("The same for a phone that has been silent for 15 seconds.", 2, group="Messages")
    offer_timeout_seconds: float = setting(
        "After this an offer that was not accepted is taken back and may go to another phone.", 15.0, group="Messages"
    )
    failover_seconds: float = setting(
        "How long a text waits for its chosen line when that phone is away, before another line takes it.",
        60.0,
        group="Messages",
    )
    uncertain_days: int = setting(
        "Days until a text whose fate is unknown ends as failed `outcome_unknown` (phones remember ids for 7).",
        7,
        group="Messages",
    )

    media_types: str = setting(
        "Types of attachments that are kept, as a comma-separated list; what the bytes are has to agree (docs/media.md).",
        "image/jpeg,image/png,image/gif,image/webp,image/bmp,image/heic,image/heif,audio/amr,audio/amr-wb,audio/mpeg,audio/mp4,"
        "audio/aac,audio/ogg,audio/wav,audio/3gpp,video/mp4,video/3gpp,video/3gpp2,video/webm,video/quicktime,application/pdf,"
        "text/plain,text/vcard,text/calendar",
        group="Media",
    )
    media_max_bytes: int = setting("Largest attachment.", 5 << 20, group="Media")
    media_max_message_bytes: int = setting("All attachments of one message together.", 10 << 20, group="Media")
    carrier_login_hosts: str = setting(
        "Hosts of carriers that want the gateway's SID and token before they hand over what is attached to a text they posted, "
        "as a comma-separated list. The hosts of the gateway's own URLs are asked with them anyway, no others are (docs/media.md).",
        "api.twilio.com",
        group="Media",
    )
    media_link_hours: int = setting(
        "How long a signed link to an attachment works, counted from when a webhook was made, or the link asked for.",
        168,
        group="Media",
    )

    offline_after_seconds: float = setting(
        "How long a phone must be away before `device:offline` is told; one that is back sooner was never away for webhooks.",
        60.0,
        group="Phones",
    )
    sandbox_phones: int = setting(
        "Most sandbox phones: emulated ones that this hub starts itself when somebody asks for one in the dashboard or by the "
        "API. What they send reaches nobody. 0 allows none.",
        2,
        group="Phones",
    )

    smsgate_ping_seconds: int = setting(
        "How often the sms-gate.app app on a phone shows that it lives and asks for texts, whatever wakes it; 0 leaves it to the phone.",
        300,
        group="Phones",
    )

    webhook_allow_networks: str = setting(
        "Private networks webhooks may reach, as a comma-separated list of CIDRs, e.g. `192.168.0.0/16,127.0.0.0/8`. "
        "Link-local addresses only count when named one by one.",
        "",
        group="Webhooks",
    )
    webhook_max_in_flight: int = setting("Webhook requests open at once, over all endpoints.", 1024, group="Webhooks")
    webhook_proxy: str = setting(
        "HTTP proxy for webhooks. The proxy then has to guard private networks itself.",
        "",
        secret=True,
        group="Webhooks",
    )

    smtp_host: str = setting(
        "Mail server (a relay, or a provider's submission host) that webhooks with a `mailto:` address are sent by. Empty: none.",
        "",
        group="E-mail",
    )
    smtp_port: int = setting("Its port.", 587, group="E-mail")
    smtp_tls: str = setting(
        "`starttls` (insisted on), `tls` (from the first byte, usually port 465) or `off` (on this machine only, when there is a "
        "password).",
        "starttls",
        group="E-mail",
    )
    smtp_user: str = setting("User name at the mail server. Empty: none is asked for.", "", group="E-mail")
    smtp_password: str = setting("Its password.", "", secret=True, group="E-mail")
    smtp_ca_file: Path | None = setting(
        "Certificates (PEM) that are trusted for the mail server beside the system's.", None, group="E-mail"
    )
    mail_domain: str = setting(
        "The domain whose mail reaches this hub, e.g. `sms.example.org`: mails come from `smsin@` it, and can be answered. Empty: "
        "the host of the public URL, and no mail can be answered.",
        "",
        group="E-mail",
    )
    smtp_listen: str = setting(
        "`address:port` to take mails at by SMTP, e.g. `0.0.0.0:25`; needs the extra `smtp`. Empty: mails come by HTTP only.",
        "",
        group="E-mail",
    )
    smtp_certificate: Path | None = setting(
        "Certificate chain (PEM) for STARTTLS at that address, which signing in needs; renewed files are used from the next connection on. "
        "Empty: the one of `HUB_TLS_CERTIFICATE`, or none.",
        None,
        group="E-mail",
    )
    smtp_key: Path | None = setting("Its private key (PEM).", None, group="E-mail")
    mail_max_bytes: int = setting("Largest mail that is taken, by SMTP or HTTP.", 5 << 20, group="E-mail")
    mail_brand: str = setting("The sender's name in mails.", "Handset Hub", group="E-mail")

    writer_queue: int = setting(
        "Writes that may wait for the database; beyond it the answer is 503.", 20000, group="Storage"
    )
    writer_window_ms: float = setting(
        "The longest that the writer gathers commands into one commit.", 3.0, group="Storage"
    )
    reader_threads: int = setting("Threads that read the database.", 4, group="Storage")
    keep_messages_days: int = setting("Days a finished text is kept.", 365, group="Storage")
    keep_events_days: int = setting("Days customer events and their deliveries are kept.", 30, group="Storage")
    keep_attempts_days: int = setting("Days webhook attempts are kept.", 14, group="Storage")
    keep_device_events_days: int = setting("Days the raw events of phones are kept.", 30, group="Storage")

    @property
    def listen_url(self) -> str:
        """The address the hub answers on, from this machine."""
        scheme = "http" if self.tls == "off" else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The address that stands in QR codes and links, without a slash at its end."""
        return (self.public_url or self.listen_url).rstrip("/")

    @property
    def local_url(self) -> str:
        """The address this machine reaches the hub by. With a certificate of the operator's own it is the one in its name."""
        if self.tls == "files":
            return self.base_url
        here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        scheme = "http" if self.tls == "off" else "https"
        return f"{scheme}://{f'[{here}]' if ':' in here else here}:{self.port}"

    @property
    def mail_host(self) -> str:
        """The domain of the hub's own mail addresses."""
        host = urlsplit(self.base_url).hostname or ""
        return self.mail_domain.lower() or (host if is_domain(host) else "localhost")

    @property
    def storage_url(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'hub.db'}"

    @property
    def key_path(self) -> Path:
        """The key file, with the default filled in."""
        return self.key_file or self.data_dir / "hub.key"

    @property
    def node_name(self) -> str:
        """This process's name."""
        return self.node or f"{os.uname().nodename}-{os.getpid()}"


def variable(name: str) -> str:
    """The environment variable of a field."""
    return f"HUB_{name.upper()}"


def read_config(environ: Mapping[str, str]) -> Config:
    """`Config` from `HUB_*` variables and the settings file: the one that `HUB_CONFIG` names, else `hub.toml` in this folder.

    Raises `ConfigurationError`.
    """
    path = settings_file(environ)
    written = {} if path is None else _written(path, environ)
    try:
        return _config_of({**written, **environ})
    except ConfigurationError as error:
        blamed = [name for name in written if name in str(error)]
        if path is None or not blamed:
            raise
        raise ConfigurationError(f"{error} {path} says so: {_in_file(blamed[0])} is set there.") from None


def settings_file(environ: Mapping[str, str]) -> Path | None:
    """The file that settings are read from; None when there is none."""
    if named := environ.get("HUB_CONFIG"):
        return Path(named)
    return USUAL if USUAL.exists() else None


def _written(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What the file says, by variable, without what the environment says differently."""
    try:
        texts = read_settings(path, {_in_file(name) for name in _variables()})
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    by_variable = {f"HUB_{name.upper()}": text for name, text in texts.items()}
    overruled = {name.removesuffix("_FILE") for name in environ}
    return {name: text for name, text in by_variable.items() if name.removesuffix("_FILE") not in overruled}


def _in_file(name: str) -> str:
    """What a variable is called in the file."""
    return name.removeprefix("HUB_").lower()


def _config_of(environ: Mapping[str, str]) -> Config:
    hints = get_type_hints(Config)
    values: dict[str, Any] = {}
    for item in fields(Config):
        text = _text_of(item, environ)
        if text is not None and text != "":
            values[item.name] = _parse(variable(item.name), text, hints[item.name])
    _refuse_unknown(environ)
    config = Config(**values)
    _check(config)
    return config


def _variables() -> set[str]:
    """Every variable that is a setting."""
    names = {variable(item.name) for item in fields(Config)}
    return names | {f"{variable(item.name)}_FILE" for item in fields(Config) if item.metadata["secret"]}


def _text_of(item: Field[Any], environ: Mapping[str, str]) -> str | None:
    name = variable(item.name)
    path = environ.get(f"{name}_FILE") if item.metadata["secret"] else None
    if path is None:
        return environ.get(name)
    if environ.get(name):
        raise ConfigurationError(f"{name} and {name}_FILE are both set: keep one of them.")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error


def _parse(name: str, text: str, kind: Any) -> Any:
    try:
        if kind is int:
            return int(text)
        if kind is float:
            return float(text)
    except ValueError:
        raise ConfigurationError(f"{name} is {text!r}: give a number.") from None
    return Path(text) if kind in (Path, Path | None) else text


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """A misspelt variable must not be ignored silently: the hub would run with a default nobody asked for."""
    known = _variables() | {"HUB_CONFIG", "HUB_FAILPOINTS"}
    for name in sorted(environ):
        if name.startswith("HUB_") and not name.startswith("HUB_TEST_") and name not in known:
            raise ConfigurationError(f"{name} is not a setting: see docs/configuration.md for the list.")


CHOICES = {
    "tls": ("off", "auto", "files"),
    "sign_up": ("off", "on"),
    "smtp_tls": ("starttls", "tls", "off"),
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("json", "console"),
}


FROM_ZERO = frozenset(
    {
        "port",
        "sandbox_phones",
        "smsgate_ping_seconds",
        "shutdown_seconds",
        "failover_seconds",
        "offline_after_seconds",
        "writer_window_ms",
    }
)
"""Numbers that may be 0; every other one is above it."""


def _check_numbers(config: Config) -> None:
    for item in fields(config):
        value = getattr(config, item.name)
        if not isinstance(value, (int, float)):
            continue
        is_above = value >= 0 if item.name in FROM_ZERO else value > 0
        if not is_above or not math.isfinite(value):
            least = "0 or more" if item.name in FROM_ZERO else "a number above 0"
            raise ConfigurationError(f"{variable(item.name)} is {value}: give {least}.")


def _check(config: Config) -> None:
    _check_numbers(config)
    for name, choices in CHOICES.items():
        if getattr(config, name) not in choices:
            raise ConfigurationError(f"{variable(name)} is {getattr(config, name)!r}: use {' or '.join(choices)}.")
    if not 0 <= config.port <= 65535:
        raise ConfigurationError(f"HUB_PORT is {config.port}: use 0 to 65535.")
    _check_mail(config)
    if config.tls == "files" and not (config.tls_certificate and config.tls_key):
        raise ConfigurationError("HUB_TLS is files: set HUB_TLS_CERTIFICATE and HUB_TLS_KEY.")
    if not config.storage_url.startswith(("sqlite:///", "postgresql://")):
        raise ConfigurationError("HUB_DATABASE_URL: use sqlite:///path or postgresql://user:password@host/name.")
    unknown = sorted(
        one for text in config.media_types.split(",") if (one := declared_type(text)) and one not in KNOWN_TYPES
    )
    if unknown:
        raise ConfigurationError(
            f"HUB_MEDIA_TYPES holds {unknown[0]!r}, whose bytes the hub cannot tell from another's: leave it out."
        )
    for network in filter(None, config.webhook_allow_networks.split(",")):
        try:
            ipaddress.ip_network(network.strip())
        except ValueError:
            raise ConfigurationError(
                f"HUB_WEBHOOK_ALLOW_NETWORKS holds {network!r}: give CIDRs such as 192.168.0.0/16."
            ) from None


LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _check_mail(config: Config) -> None:
    if config.mail_domain and not is_domain(config.mail_domain):
        raise ConfigurationError(f"HUB_MAIL_DOMAIN is {config.mail_domain!r}: give a domain such as sms.example.org.")
    if not 1 <= config.smtp_port <= 65535:
        raise ConfigurationError(f"HUB_SMTP_PORT is {config.smtp_port}: use 1 to 65535.")
    if bool(config.smtp_certificate) != bool(config.smtp_key):
        raise ConfigurationError("Set HUB_SMTP_CERTIFICATE and HUB_SMTP_KEY, both or neither.")
    if config.smtp_listen:
        _check_listener(config)
    if config.smtp_password and config.smtp_tls == "off" and config.smtp_host not in LOOPBACK:
        raise ConfigurationError("HUB_SMTP_TLS is off: HUB_SMTP_PASSWORD would cross the network in the clear.")


def _check_listener(config: Config) -> None:
    _, _, port = config.smtp_listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(f"HUB_SMTP_LISTEN is {config.smtp_listen!r}: give address:port, such as 0.0.0.0:25.")
    if not config.mail_domain:
        raise ConfigurationError(
            "HUB_SMTP_LISTEN is set: set HUB_MAIL_DOMAIN too, the domain whose mail is taken there."
        )
    if find_spec("aiosmtpd") is None:
        raise ConfigurationError("HUB_SMTP_LISTEN needs aiosmtpd: install it with pip install 'handset-hub[smtp]'.")


def as_markdown() -> str:
    """The text of docs/configuration.md."""
    lines = [
        "# Configuration",
        "",
        "The hub reads its settings from environment variables when it starts. None is needed: the defaults run a hub on",
        "SQLite that answers on this machine only. Where a line says *secret*, the variable's name with `_FILE` at its end may",
        "name a file that holds the value instead. A misspelt setting stops the start with a sentence that names it.",
        "",
        "Settings may also stand in a file: `hub.toml` in the folder the hub is started in, or the one that `HUB_CONFIG` names.",
        "There a setting is called as its variable is, without `HUB_` and in small letters; a variable wins over the file.",
        "",
        "```",
        'data_dir = "/var/lib/handset-hub"',
        "port = 8443",
        'tls = "auto"',
        "```",
        "",
        "`hub config` prints what a hub would start with, and `hub doctor` looks whether that works.",
        "",
        "Where several hubs share a database, requests a second of a key, wrong passwords and mails are counted by each of them:",
        "with three hubs, three times as many may pass.",
        "",
        "This page is made from the code (`hub config --markdown`).",
    ]
    group = None
    for item in fields(Config):
        if item.metadata["group"] != group:
            group = item.metadata["group"]
            lines += ["", f"## {group}", "", "| variable | default | what it does |", "| --- | --- | --- |"]
        default = "" if item.default in (None, "", MISSING) else f"`{item.default}`"
        secret = " *secret*" if item.metadata["secret"] else ""
        lines.append(f"| `{variable(item.name)}` | {default} | {item.metadata['doc']}{secret} |")
    return "\n".join(lines) + "\n"
