"""Formats: how an event is told. Three are built in; each vendor dialect brings its own (`hub.core.ports.WebhookFormat`)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hub.core.ports import WebhookFormat
from hub.webhooks.formats.mail import PlainMail
from hub.webhooks.formats.smsgate import SmsGate
from hub.webhooks.formats.standard import Standard


def formats_with(*more: WebhookFormat) -> Mapping[str, WebhookFormat]:
    """The built-in formats and those of the dialects, by name. Raises ValueError when two have one name."""
    found: dict[str, WebhookFormat] = {}
    for item in _built_in(more):
        if item.name in found:
            raise ValueError(f"two webhook formats are called {item.name!r}")
        found[item.name] = item
    return MappingProxyType(found)


def _built_in(more: Iterable[WebhookFormat]) -> tuple[WebhookFormat, ...]:
    return (Standard(), SmsGate(), PlainMail(), *more)


BUILT_IN = formats_with()
