"""What a customer asks of an endpoint, checked before anything is queued for writing. Pure but for the sealing."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec import UNSET

from hub.core.errors import invalid
from hub.core.events import EventType
from hub.core.ids import is_id
from hub.core.mail import is_mail
from hub.core.ports import TellsByMail, WebhookFormat
from hub.core.retry import BadSchedule, schedule_of
from hub.storage.webhooks_endpoints import StoredEndpoint
from hub.webhooks.headers import check_auth, check_headers
from hub.webhooks.records import EndpointChanges, NewEndpoint
from hub.webhooks.sealer import Sealer, if_readable
from hub.webhooks.targets import Guard, check_mailto, check_url
from hub.webhooks.template import check_template
from hub.webhooks.views import listed, schedule_setting

MOST_ENDPOINTS = 1000
"""Of one account."""
MOST_IN_FILTER = 200
LIMITS = {"timeout_seconds": (1, 60), "max_inflight": (1, 64), "rate_per_second": (1, 10_000)}
MAX_AGE_SECONDS = (60, 365 * 24 * 3600)
AGILE_SUCCESS = "+OK"
"""What a receiver of the `agile` schedule must answer, unless the endpoint says otherwise."""


@runtime_checkable
class RenamesEvents(Protocol):
    """A format that tells several of our events in one word of its own."""

    words: Mapping[EventType, str]


@runtime_checkable
class HasSchedule(Protocol):
    """A format whose receivers expect a schedule of their own; it judges their answers itself."""

    schedule: str


@runtime_checkable
class ChecksSettings(Protocol):
    """A format that says what is wrong with an endpoint's settings before they are stored."""

    def refusal(self, settings: Mapping[str, str]) -> str | None:
        """A sentence for the customer; None when they can be used."""
        ...


@runtime_checkable
class HasUsualEvents(Protocol):
    """A format whose webhooks, when they name no events, hear of these instead of all."""

    usual_events: Sequence[EventType]


def checked(
    new: NewEndpoint, guard: Guard, formats: Mapping[str, WebhookFormat], *, has_mail: bool = True
) -> NewEndpoint:
    """What will be stored. Raises `HubError` `validation` or `target_refused` naming the field."""
    if not is_mail(new.url):
        check_url(new.url, guard)
    else:
        new = _checked_mail(new, formats, has_mail=has_mail)
    form = formats.get(new.format)
    if form is None:
        raise invalid("format", "unknown", f"{new.format[:40]!r} is no format: use {', '.join(sorted(formats))}.")
    if new.template is not None:
        if new.format != "standard":
            raise invalid("template", "format", "Only the standard format takes a template.")
        check_template(new.template)
    if new.schedule == "default" and isinstance(form, HasSchedule):
        new = msgspec.structs.replace(new, schedule=form.schedule)
    if isinstance(form, ChecksSettings) and (sentence := form.refusal(new.settings)) is not None:
        raise invalid("settings", "value", sentence)
    for name, (least, most) in LIMITS.items():
        value = getattr(new, name)
        if value is not None and not least <= value <= most:
            raise invalid(name, "range", f"Give a number between {least} and {most}.")
    _check_times(new)
    check_headers(new.headers)
    check_auth(new.auth)
    _check_filters(new)
    rule = new.success_rule
    if rule is None and new.schedule == "agile" and not is_mail(new.url) and not isinstance(form, HasSchedule):
        rule = AGILE_SUCCESS
    if rule is not None and (not rule or len(rule) > 200 or not rule.isprintable()):
        raise invalid("success_rule", "value", "Give 1 to 200 printable characters that a good answer begins with.")
    return msgspec.structs.replace(new, event_types=_event_types(new, form), success_rule=rule)


def _checked_mail(new: NewEndpoint, formats: Mapping[str, WebhookFormat], *, has_mail: bool) -> NewEndpoint:
    """What is different for a `mailto:` address: only some formats have words for it, and nothing of HTTP fits."""
    check_mailto(new.url)
    if not has_mail:
        raise invalid(
            "url", "no_mail", "This hub sends no mail: its operator has to name a mail server (HUB_SMTP_HOST)."
        )
    form = "mail" if new.format == "standard" else new.format
    known = sorted(name for name, one in formats.items() if isinstance(one, TellsByMail))
    if form in formats and form not in known:
        raise invalid("format", "mail", f"The {form} format has no words for mails: use {', '.join(known)}.")
    for name in ("headers", "auth", "template", "success_rule"):
        if getattr(new, name):
            raise invalid(name, "mail", "A mail has no such thing: leave it out.")
    schedule = "mail" if new.schedule == "default" else new.schedule
    return msgspec.structs.replace(new, format=form, schedule=schedule)


def _check_times(new: NewEndpoint) -> None:
    try:
        schedule_of(new.schedule, max_age_seconds=new.max_age_seconds)
    except BadSchedule as error:
        raise invalid("schedule", "value", str(error)) from error
    age = new.max_age_seconds
    if age is not None and not MAX_AGE_SECONDS[0] <= age <= MAX_AGE_SECONDS[1]:
        raise invalid(
            "max_age_seconds", "range", f"Give {MAX_AGE_SECONDS[0]} to {MAX_AGE_SECONDS[1]} seconds, or null."
        )


def _check_filters(new: NewEndpoint) -> None:
    for name in ("device_ids", "line_ids", "peer_prefixes", "event_types"):
        if len(getattr(new, name)) > MOST_IN_FILTER:
            raise invalid(name, "too_many", f"At most {MOST_IN_FILTER} values.")
    for name in ("device_ids", "line_ids"):
        if not all(is_id(value) for value in getattr(new, name)):
            raise invalid(name, "value", "One of these is no id.")
    for prefix in new.peer_prefixes:
        if not prefix or len(prefix) > 32 or not prefix.isprintable():
            raise invalid("peer_prefixes", "value", "A prefix is 1 to 32 printable characters, such as +49.")
    if len(new.description) > 200:
        raise invalid("description", "too_long", "At most 200 characters.")
    if len(new.settings) > 20 or any(len(name) > 64 or len(value) > 1024 for name, value in new.settings.items()):
        raise invalid("settings", "too_large", "At most 20 settings of 1024 characters each.")


def _event_types(new: NewEndpoint, form: WebhookFormat) -> tuple[str, ...]:
    """The list that is stored: for a format that does not tell everything it is spelled out."""
    for name in new.event_types:
        if name not in EventType._value2member_map_ or not form.takes(EventType(name)):
            raise invalid("event_types", "unknown", f"{name[:40]!r} is no event that the {new.format} format tells.")
    if isinstance(form, RenamesEvents):
        words = {form.words[EventType(name)] for name in new.event_types} or set(form.words.values())
        return tuple(event for event in EventType if form.words.get(event) in words)
    if not new.event_types and isinstance(form, HasUsualEvents):
        return tuple(form.usual_events)
    if not new.event_types and not all(form.takes(event) for event in EventType):
        return tuple(event for event in EventType if form.takes(event))
    return tuple(dict.fromkeys(new.event_types))


def with_other_kind(stored: StoredEndpoint, changes: EndpointChanges) -> EndpointChanges:
    """The changes, with what no longer fits when a URL becomes a mail address or the other way round: the schedule begins anew."""
    if changes.url is UNSET or is_mail(changes.url) == is_mail(stored.row["url"]) or changes.schedule is not UNSET:
        return changes
    rule = None if changes.success_rule is UNSET else changes.success_rule
    return msgspec.structs.replace(changes, schedule="default", success_rule=rule)


def merged(stored: StoredEndpoint, changes: EndpointChanges, sealer: Sealer) -> NewEndpoint:
    """The endpoint as it would be after the changes, unchecked. Secrets that are not changed are carried along."""
    row = stored.row
    now = NewEndpoint(
        url=row["url"],
        description=row["description"],
        format=row["format"],
        template=row["template"],
        settings=msgspec.json.decode(row["settings"]),
        event_types=listed(row["event_types"]),
        device_ids=listed(row["device_ids"]),
        line_ids=listed(row["line_ids"]),
        peer_prefixes=listed(row["peer_prefixes"]),
        headers=if_readable(lambda: sealer.headers(row["id"], row["headers"]), {}),
        auth=if_readable(lambda: sealer.auth(row["id"], row["auth"]), None),
        signing=row["signing"],
        timeout_seconds=row["timeout_seconds"],
        max_inflight=row["max_inflight"],
        rate_per_second=row["rate_per_second"],
        order_mode=row["order_mode"],
        schedule=schedule_setting(row["schedule"]),
        max_age_seconds=row["max_age_seconds"],
        success_rule=row["success_rule"],
        state="paused" if row["state"] == "paused" else "active",
    )
    changed = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET}
    return msgspec.structs.replace(now, **changed)


def row_of(new: NewEndpoint, endpoint_id: str, sealer: Sealer) -> dict[str, Any]:
    """The columns of a checked endpoint, but for its keys."""
    return {
        "kind": "mail" if is_mail(new.url) else "http",
        "url": new.url,
        "description": new.description,
        "format": new.format,
        "template": new.template,
        "settings": msgspec.json.encode(new.settings).decode(),
        "event_types": msgspec.json.encode(new.event_types).decode(),
        "device_ids": msgspec.json.encode(new.device_ids).decode(),
        "line_ids": msgspec.json.encode(new.line_ids).decode(),
        "peer_prefixes": msgspec.json.encode(new.peer_prefixes).decode(),
        "headers": sealer.seal(endpoint_id, "headers", new.headers),
        "auth": sealer.seal(endpoint_id, "auth", new.auth),
        "signing": new.signing,
        "timeout_seconds": new.timeout_seconds,
        "max_inflight": new.max_inflight,
        "rate_per_second": new.rate_per_second,
        "order_mode": new.order_mode,
        "schedule": msgspec.json.encode(new.schedule).decode(),
        "max_age_seconds": new.max_age_seconds,
        "success_rule": new.success_rule,
        "state": new.state,
    }
