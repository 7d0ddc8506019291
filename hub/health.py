"""`/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from hub.core.errors import Code, HubError
from hub.http import problem_response
from hub.metrics import PHONES_ONLINE, STREAMS_OPEN, WRITES_WAITING
from hub.services import Services
from hub.storage.facts import find_fact
from hub.workers import Workers


def routes(services: Services, workers: Workers) -> Sequence[BaseRoute]:
    """The three paths a monitor asks."""

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        missing = await _missing(services, workers)
        return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)

    async def metrics(request: Request) -> Response:
        if not _may_read_metrics(request, services.config.metrics_token):
            detail = (
                "Send the token of HUB_METRICS_TOKEN as Authorization: Bearer …, or ask from the hub's own machine."
            )
            return problem_response(HubError(Code.UNAUTHENTICATED, detail))
        PHONES_ONLINE.set(len(services.sessions.online_devices()))
        STREAMS_OPEN.set(services.live.count)
        WRITES_WAITING.set(services.db.writer.waiting)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/livez", live, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


async def _missing(services: Services, workers: Workers) -> list[str]:
    """What keeps the hub from doing its job; a restored hub that holds sending is ready, and says so elsewhere."""
    missing = [f"background loop {name} is not running" for name in workers.failed]
    try:
        await services.db.read(find_fact, "hub_epoch")
    except Exception:
        missing.append("the database does not answer")
    if services.db.writer.is_failing:
        missing.append("the database takes no writes")
    return missing


def _may_read_metrics(request: Request, token: str) -> bool:
    if token:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
