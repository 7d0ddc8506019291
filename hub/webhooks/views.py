"""Endpoints as their owners see them: everything but the secrets."""

import msgspec

from hub.core.clock import UtcMs
from hub.storage.webhooks_endpoints import StoredEndpoint
from hub.webhooks.breaker import BreakerState
from hub.webhooks.records import BasicAuth, Endpoint, EndpointHealth, SecretInfo
from hub.webhooks.sealer import Sealer, if_readable
from hub.webhooks.signing import Keys, public_key_text, secret_text
from hub.webhooks.watch import decode_watch, sums


def shown(stored: StoredEndpoint, sealer: Sealer, now: UtcMs) -> Endpoint:
    """An endpoint as its owner sees it."""
    row = stored.row
    keys = if_readable(lambda: sealer.keys(row["id"], row["secrets"]), Keys(())).alive(now)
    auth = if_readable(lambda: sealer.auth(row["id"], row["auth"]), None)
    none: dict[str, str] = {}
    headers = if_readable(lambda: sealer.headers(row["id"], row["headers"]), none)
    private = keys[0].ed25519 if keys else None
    same = ("id", "account_id", "kind", "url", "is_implicit", "description", "format", "template", "version")
    more = (
        "state",
        "state_reason",
        "forwards_line_id",
        "signing",
        "timeout_seconds",
        "max_inflight",
        "rate_per_second",
        "order_mode",
    )
    rest = ("max_age_seconds", "success_rule", "created_at", "updated_at")
    return Endpoint(
        **{name: row[name] for name in (*same, *more, *rest)},
        settings=msgspec.json.decode(row["settings"]),
        event_types=listed(row["event_types"]),
        device_ids=listed(row["device_ids"]),
        line_ids=listed(row["line_ids"]),
        peer_prefixes=listed(row["peer_prefixes"]),
        header_names=tuple(headers),
        auth_kind=None if auth is None else "basic" if isinstance(auth, BasicAuth) else "bearer",
        public_key=None if private is None else public_key_text(private),
        schedule=schedule_setting(row["schedule"]),
        secrets=tuple(
            SecretInfo(
                created_at=key.created_at, expires_at=key.expires_at, hint=secret_text(key.hmac).rstrip("=")[-4:]
            )
            for key in keys
        ),
        health=_health(stored, now),
    )


def _health(stored: StoredEndpoint, now: UtcMs) -> EndpointHealth:
    lane = stored.lane
    breaker = msgspec.json.decode(lane["breaker"], type=BreakerState)
    # Both are waits of the whole endpoint: what the receiver asked for, and the cool-down before the next probe.
    paused_until = max(lane["paused_until"] or 0, breaker.open_until)
    return EndpointHealth(
        failing_since=lane["failing_since"],
        last_ok_at=lane["last_ok_at"],
        tries_since_ok=lane["tries_since_ok"],
        paused_until=paused_until if paused_until > now else None,
        breaker="closed" if breaker.openings == 0 else "open" if breaker.open_until > now else "half_open",
        pending=stored.pending,
        held=stored.held,
        watch=sums(decode_watch(lane["watch"]), now),
    )


def listed(stored: str) -> tuple[str, ...]:
    return msgspec.json.decode(stored, type=tuple[str, ...])


def schedule_setting(stored: str) -> str | tuple[float, ...]:
    return msgspec.json.decode(stored, type=str | tuple[float, ...])
