"""What every word of the command line shares: having a command done, by the running hub or here, and showing the answer."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hub.cli.progress import ProgressLine
from hub.config import Config, ConfigurationError, read_config
from hub.core.progress import Tell, unheard
from hub.operations.admin_socket import ask_running_hub, run_command

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
InAccount = Annotated[
    str | None, typer.Option("--account", help="Account, by name or id; not needed when there is one.")
]


def ask(command: str, /, **arguments: Any) -> Mapping[str, Any]:
    """Have a command done by the running hub, or here when none runs; what it tells meanwhile is shown on standard error."""
    config = read_config(os.environ)
    with ProgressLine() as line:
        answer = ask_running_hub(config.data_dir, command, arguments, line.tell)
        return answer if answer is not None else asyncio.run(ask_here(config, command, arguments, line.tell))


async def ask_here(config: Config, name: str, arguments: Mapping[str, Any], tell: Tell = unheard) -> Mapping[str, Any]:
    """Have a command done in this process, on data that no hub serves. Raises ConfigurationError where there is no hub's data."""
    from hub.app import open_services
    from hub.clock import SystemClock
    from hub.operations.commands import COMMANDS
    from hub.storage.migrate import revision_of
    from hub.tls import self_signed, with_address

    if revision_of(config.storage_url) is None:
        raise ConfigurationError(no_hub_at(config))
    config = with_address(config)
    pin = self_signed(config.data_dir, config.base_url, datetime.now(UTC)).pin if config.tls == "auto" else None
    services = open_services(config, SystemClock(), tls_pin=pin)
    try:
        return await run_command(services, COMMANDS, name, arguments, tell)
    finally:
        services.db.close()


def no_hub_at(config: Config) -> str:
    """What to say where no hub has been started yet: nearly always it is the wrong folder."""
    where = (
        "The database of HUB_DATABASE_URL is empty"
        if config.database_url
        else f"There is no hub's database in {config.data_dir.absolute()}"
    )
    return (
        f"{where}: no hub was started with it yet. Go to the folder of your hub, or name its data by HUB_DATA_DIR or "
        "HUB_CONFIG. To begin a new hub here: hub serve"
    )


def show(answer: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Print an answer for a program or for a person."""
    print(json.dumps(answer) if as_json else text)
