"""`hub serve`: from settings to a hub that listens, and what a person reads meanwhile."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime

import uvloop

from hub.app import Hub, open_services
from hub.clock import SystemClock
from hub.config import Config, ConfigurationError
from hub.log import configure_logs
from hub.operations.first_start import FirstStart, make_first
from hub.operations.people import setup_link
from hub.server import listening_socket, make_server
from hub.tls import TlsFiles, given, self_signed, with_address

COLLECT_EVERY = 20_000
"""New objects that can be in cycles between two looks of the collector; Python's own default is 700."""
TURN_SECONDS = 0.0002
"""How long a thread may keep the interpreter while another wants it, on PostgreSQL; Python's own is 25 times that. The writer wants it
for a moment after each answer of the server, which has nothing to do until then: with shorter turns a tenth more texts are accepted. On
SQLite, whose writer wants it once for every row, they cost a tenth to a fifth."""


def run(config: Config, *, is_lost_key_accepted: bool = False) -> None:
    """Serve until told to stop, on uvloop: the loop the hub is measured and tested with."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, is_lost_key_accepted))


async def _serve(config: Config, is_lost_key_accepted: bool) -> None:
    clock = SystemClock(float(os.environ.get("HUB_TEST_CLOCK_FACTOR", "1")))
    configure_logs(config.log_level, config.log_format, clock.now)
    try:
        listener = listening_socket(config.host, config.port)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {config.host}:{config.port}: {error.strerror}.") from None
    config = with_address(replace(config, port=listener.getsockname()[1]))
    files: TlsFiles | None = None
    if config.tls == "auto":
        files = self_signed(config.data_dir, config.base_url, datetime.now(UTC))
    elif config.tls == "files" and config.tls_certificate and config.tls_key:
        files = given(config.tls_certificate, config.tls_key)
    services = open_services(
        config, clock, tls_pin=files.pin if files else None, is_lost_key_accepted=is_lost_key_accepted
    )
    first = await make_first(services)
    setup = await setup_link(services)
    hub = Hub(services)
    server = make_server(
        hub,
        hub.before_stop,
        shutdown_seconds=config.shutdown_seconds,
        request_seconds=config.request_seconds,
        certificate=files.certificate if files else None,
        key=files.key if files else None,
    )
    print(
        f"Handset Hub listens on {config.listen_url}   data: {config.data_dir.resolve()}   Ctrl-C stops it", flush=True
    )
    if setup is not None:
        print(f"Nobody can sign in yet. Open this once, to make the first user: {setup}", flush=True)
    if first is not None:
        print(_welcome(first), flush=True)
    collect_rarely()
    if services.db.dialect == "postgresql":
        sys.setswitchinterval(TURN_SECONDS)
    await server.serve(sockets=[listener])


def _welcome(first: FirstStart) -> str:
    """What stands on the terminal once in a hub's life."""
    return (
        f"This hub is new. An API key for programs is in {first.key_file}: put it where it is used and remove the file.\n"
        f"A first phone scans this before {first.code_ends}; it works once. Another one: hub enrol\n"
        f"{first.picture}\n{first.code}"
    )


def collect_rarely() -> None:
    """Tune Python's cycle collector to a server whose garbage is nearly all freed by reference counts.

    With the defaults the collector looks at the objects of requests in flight hundreds of times a second: a tenth of the cost
    of an accepted text. What start-up made lives as long as the process and need not be looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 20)
