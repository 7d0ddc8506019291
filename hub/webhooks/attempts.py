"""A try, from the sender's answer to the row in the log and back to what support reads."""

from typing import Any

import msgspec

from hub.core.clock import UtcMs
from hub.core.ports import RenderedRequest
from hub.core.text import sanitise, sanitise_or_none
from hub.storage.webhooks_outcomes import AttemptRow
from hub.webhooks.answer import Answer, Timing
from hub.webhooks.headers import ANSWER_SECRETS, shown_headers
from hub.webhooks.records import Attempt
from hub.webhooks.sentences import explain_try

_ENCODER = msgspec.json.Encoder()


def attempt_row(
    answer: Answer,
    request: RenderedRequest | None,
    secret_names: frozenset[str],
    *,
    account_id: str,
    endpoint_id: str,
    delivery_id: int,
    n: int,
    is_probe: bool,
    started_at: UtcMs,
    node: str,
) -> AttemptRow:
    """What is stored of a try. `request` is None when none could be made."""
    timing = answer.timing
    sent = None if request is None else _encoded(_sent(request, secret_names))
    came = _encoded(shown_headers(answer.headers, ANSWER_SECRETS)) if answer.headers else None
    return AttemptRow(
        account_id,
        delivery_id,
        endpoint_id,
        n,
        is_probe,
        started_at,
        timing.dns,
        timing.connect,
        timing.tls,
        timing.first,
        timing.total,
        answer.address,
        answer.status,
        answer.result.value,
        sanitise_or_none(answer.error),
        sent,
        came,
        answer.body or None,
        node,
    )


def _sent(request: RenderedRequest, secret_names: frozenset[str]) -> dict[str, str]:
    """Without a secret among them, the headers as they are: their names are lower case and stand once."""
    return shown_headers(request.headers, secret_names) if secret_names else dict(request.headers)


def _encoded(headers: dict[str, str]) -> str:
    return sanitise(_ENCODER.encode(headers).decode())


def shown_attempt(row: Any, attempt_id: str) -> Attempt:
    """A stored try as its owner sees it; `row` has the columns of `AttemptRow`."""
    return Attempt(
        id=attempt_id,
        n=row.n,
        is_probe=bool(row.is_probe),
        started_at=row.started_at,
        timing=Timing(row.ms_dns, row.ms_connect, row.ms_tls, row.ms_first, row.ms_total),
        address=row.address,
        status=row.status,
        outcome=row.outcome,
        explanation=explain_try(row.outcome, row.status, row.error),
        error=row.error,
        request_headers=msgspec.json.decode(row.request_headers) if row.request_headers else {},
        response_headers=msgspec.json.decode(row.response_headers) if row.response_headers else {},
        response_body=shown_body(row.response_body),
        node=row.node,
    )


def shown_body(body: bytes | None) -> str | None:
    """The bytes of an answer as text; what is no UTF-8 shows as U+FFFD."""
    return None if body is None else body.decode("utf-8", "replace").replace("\x00", "\ufffd")
