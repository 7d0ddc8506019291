"""What an account may send: its own settings, and the hub's where it has none. One rule for every door."""

from hub.accounts.settings import AccountSettings
from hub.config import Config
from hub.messages.prepare import SendLimits


def send_limits(config: Config, settings: AccountSettings, *, max_characters: int | None = None) -> SendLimits:
    """The limits of a request; `max_characters` is the door's own, where its dialect has one."""
    return SendLimits(
        default_region=settings.default_region or config.default_region,
        default_ttl_seconds=settings.default_ttl_seconds or config.default_ttl_seconds,
        max_segments=config.max_segments,
        max_characters=max_characters,
        max_recipients=config.max_recipients,
        max_tries=config.max_tries,
        quiet_hours=settings.quiet_hours,
        time_zone=settings.time_zone,
    )
