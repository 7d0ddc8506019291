"""The whole hub in one process: opens its parts, mounts its adapters, starts its loops, and stops them in the opposite order."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from hub import dashboard, health
from hub.accounts.credentials import Credentials
from hub.accounts.front_desk import FrontDesk
from hub.accounts.login_desk import LoginDesk
from hub.accounts.secretbox import SecretBox, open_key_file
from hub.accounts.signed_in import SignedIn
from hub.clock import SystemClock
from hub.config import Config, ConfigurationError
from hub.core.effects import ClosePhone, CredentialsChanged, LiveHint, Publish, ToPhone
from hub.core.errors import Code, HubError
from hub.core.ids import IdSource
from hub.core.ports import Worker
from hub.dialects.native_v1.serving import PathRoute
from hub.edge import Edge
from hub.gateways.desk import open_gateways
from hub.http import problem_response
from hub.live import Hint, Live
from hub.log import get_logger
from hub.media.links import MediaLinks
from hub.messages.carried_loop import CarriedMedia
from hub.messages.loops import message_loops
from hub.messages.replies import Replies
from hub.metrics import EVENT_COUNTERS
from hub.operations.admin_socket import AdminSocket
from hub.operations.commands import COMMANDS
from hub.phones.sessions import Sessions
from hub.registry import dialects, phone_transports, refuse_double_claims
from hub.route_index import RouteIndex
from hub.sandbox import SandboxPhones
from hub.services import EffectRunner, Services
from hub.storage.database import Database
from hub.storage.facts import find_fact, put_facts
from hub.storage.loops import storage_loops
from hub.storage.transaction import Done, Tx
from hub.webhooks.loops import open_webhooks, webhook_loops
from hub.workers import Workers

log = get_logger("app")

GOODBYE_SECONDS = 2.0
"""How long a stop waits for phones to be told: uvicorn closes their sockets after that, whatever stands in their outboxes."""


def open_services(
    config: Config, clock: SystemClock, *, tls_pin: str | None = None, is_lost_key_accepted: bool = False
) -> Services:
    """Open the data and make the parts; nothing listens and no loop runs yet.

    Raises ConfigurationError, whose sentence says what to do: when another hub serves this data, it is newer than this program, its
    key file is another one (unless `is_lost_key_accepted`), or it cannot be opened.
    """
    effects = EffectRunner()
    ids = IdSource(0, secrets.token_bytes)
    had_key = config.key_path.exists()
    box, db = _open_data(config, clock, ids)
    try:
        _refuse_other_key(db, box, config.key_path, is_lost_key_accepted)
    except ConfigurationError:
        db.close()
        if not had_key:
            config.key_path.unlink(missing_ok=True)  # the right one is to be put there, by hand or by `hub restore`
        raise
    db.writer.on_effects = effects
    live = Live()
    credentials = Credentials(db, clock, requests_per_second=config.requests_per_second)
    signed_in = SignedIn(
        db,
        clock,
        box,
        credentials,
        idle_seconds=config.sign_in_idle_hours * 3600,
        requests_per_second=config.requests_per_second,
    )
    media_links = MediaLinks(box, config.base_url, config.media_link_hours * 3600)
    forms = [form for dialect in dialects() for form in dialect.webhook_formats]
    webhooks = open_webhooks(config, db, clock, ids, box, forms, media_links.complete)
    services = Services(
        config=config,
        clock=clock,
        ids=ids,
        db=db,
        effects=effects,
        live=live,
        secrets=box,
        credentials=credentials,
        logins=LoginDesk(db, clock, ids, credentials, requests_per_second=config.requests_per_second),
        signed_in=signed_in,
        front_desk=FrontDesk(db, clock, ids, box, signed_in, lives_seconds=config.sign_in_days * 86_400),
        gateways=open_gateways(config, db, clock, ids, box, credentials, webhooks),
        sessions=Sessions(clock),
        webhooks=webhooks,
        media_links=media_links,
        hub_epoch=_hub_epoch(db, ids, clock),
        tls_pin=tls_pin,
    )
    _connect_effects(services)
    return services


def _open_data(config: Config, clock: SystemClock, ids: IdSource) -> tuple[SecretBox, Database]:
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
        box = open_key_file(config.key_path)
        db = Database.open(
            config.storage_url,
            clock=clock,
            ids=ids,
            reader_threads=config.reader_threads,
            writer_queue=config.writer_queue,
            writer_window_ms=config.writer_window_ms,
        )
    except OSError as error:
        raise ConfigurationError(
            f"The data in {config.data_dir.absolute()} cannot be used: {error.strerror}: {error.filename}. "
            "Give this user the right to write there, or name another folder by HUB_DATA_DIR."
        ) from error
    db.migrate()
    return box, db


def _refuse_other_key(db: Database, box: SecretBox, path: Path, is_accepted: bool) -> None:
    """With another key file the hub would run and fail at one secret after the other: webhooks, gateways, second factors."""

    def same_key(tx: Tx, boxes: Sequence[SecretBox]) -> list[Done[str | None]]:
        known = find_fact(tx.conn, "key_id")
        if known is not None and not boxes[0].holds(known) and not is_accepted:
            return [Done(known)]
        if known != boxes[0].key_id:
            put_facts(tx.conn, {"key_id": boxes[0].key_id})
        return [Done(None)]

    sealed_with = db.write_now(same_key, box)
    if sealed_with is not None:
        raise ConfigurationError(
            f"The secrets in this database are sealed with key {sealed_with}, which the key file {path} does not hold. Put the "
            "right key file there. If it is lost for good: hub serve --accept-lost-key goes on without those secrets."
        )


def _hub_epoch(db: Database, ids: IdSource, clock: SystemClock) -> str:
    """This life of the data; made with the data, and anew by a restore."""

    def first_epoch(tx: Tx, epochs: Sequence[str]) -> list[Done[str]]:
        known = find_fact(tx.conn, "hub_epoch")
        if known is None:
            put_facts(tx.conn, {"hub_epoch": epochs[0]})
        return [Done(known or epochs[0])]

    return db.write_now(first_epoch, ids.next(clock.now()))


def _connect_effects(services: Services) -> None:
    """Who hears what after a commit; loops add themselves when they are made."""
    live = services.live

    def published(effect: Publish) -> None:
        for event, times in Counter(effect.types).items():
            EVENT_COUNTERS[event].inc(times)
        if effect.event_ids:
            live.publish(effect.account_id, Hint("event", effect.event_ids[-1]))

    def changed(effect: LiveHint) -> None:
        if live.watching(effect.account_id):
            live.publish(effect.account_id, Hint(effect.kind, effect.id))

    services.effects.on(Publish, published)
    services.effects.on(LiveHint, changed)
    services.effects.on(CredentialsChanged, services.credentials.forget)
    services.effects.on(ToPhone, services.sessions.to_phone)
    services.effects.on(ClosePhone, services.sessions.close_phone)


class Hub:
    """The ASGI application: adapters' routes, and phones' sockets beside them."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._admin = AdminSocket(services, COMMANDS)
        self._dialects = dialects()
        self._transports = phone_transports()
        self._sockets: Mapping[str, ASGIApp] = {
            path: app for transport in self._transports for path, app in transport.sockets(services).items()
        }
        self._workers = Workers(self._background_loops())
        routes = self._routes()
        self._index = RouteIndex(routes)
        self._routed = Starlette(
            routes=[self._index],
            exception_handlers={404: _not_found, 405: _wrong_method},
            lifespan=self._lifespan,
        )
        self._direct: Mapping[str, ASGIApp] = {
            route.path: route.app for route in routes if isinstance(route, PathRoute) and "{" not in route.path
        }
        self._http = Edge(self._dispatch)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        socket = self._sockets.get(scope["path"]) if scope["type"] == "websocket" else None
        # A phone's socket goes past Starlette: its WebSocket object and routing would cost 6 KiB for each idle phone.
        return (socket or self._http)(scope, receive, send)

    def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """A path that stands for a whole application goes straight to it: Starlette's layers would cost a tenth of an accepted text."""
        if scope["type"] != "http":
            return self._routed(scope, receive, send)
        app = self._direct.get(scope["path"])
        if app is not None:
            scope["path_params"] = {}
        else:
            app = self._index.application_for(scope) or self._routed
        return app(scope, receive, send)

    async def before_stop(self) -> None:
        """The server is about to stop: end what would otherwise stay open for ever, phones with a goodbye."""
        self.services.live.close()
        await self.services.sessions.say_goodbye("The hub goes down and comes back.", GOODBYE_SECONDS)

    def _background_loops(self) -> list[Worker]:
        services = self.services
        loops: list[Worker] = [
            *storage_loops(services),
            *webhook_loops(services, Replies(services)),
            *message_loops(services),
            CarriedMedia(services),
            services.credentials,
            SandboxPhones(services),
            services.signed_in,
        ]
        for dialect in self._dialects:
            loops.extend(dialect.workers(services))
        for transport in self._transports:
            loops.extend(transport.workers(services))
        return loops

    def _routes(self) -> list[BaseRoute]:
        services = self.services
        claims: list[tuple[str, Sequence[BaseRoute]]] = [
            ("the hub", health.routes(services, self._workers)),
            ("the dashboard", dashboard.routes(services)),
        ]
        claims += [(f"dialect {dialect.name}", dialect.routes(services)) for dialect in self._dialects]
        claims += [(f"phone transport {one.name}", one.routes(services)) for one in self._transports]
        refuse_double_claims(claims)
        return [route for _, routes in claims for route in routes]

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        services = self.services
        self._workers.start()
        await self._admin.start()
        log.info("started", database=services.db.dialect, node=services.config.node_name)
        try:
            yield
        finally:
            await self._admin.stop()
            await self._workers.stop(services.config.shutdown_seconds)
            services.db.close()
            log.info("stopped")


async def _not_found(request: Request, _error: Exception) -> Response:
    detail = f"Nothing answers at {request.url.path}. The API is under /v1; /docs describes it."
    return problem_response(HubError(Code.NOT_FOUND, detail), request.scope.get("trace_id"))


async def _wrong_method(request: Request, error: Exception) -> Response:
    response = problem_response(HubError(Code.METHOD_NOT_ALLOWED), request.scope.get("trace_id"))
    if allowed := getattr(error, "headers", None):
        response.headers.update(allowed)
    return response
