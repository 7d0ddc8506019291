"""What the operator's commands do, in one table, whether a hub is running or not.

`hub serve` holds the lock on its data and listens on a local socket that only its own user can open (mode 0600). Every other command
sends one JSON line there, or, when no hub runs, opens the database itself and does the same thing.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from hub.config import ConfigurationError
from hub.core.errors import Code, HubError
from hub.log import get_logger
from hub.services import Services

log = get_logger("admin")

Command: TypeAlias = Callable[..., Awaitable[Mapping[str, Any]]]
"""`async (services, **arguments) -> JSON object`; refuses by raising HubError."""

LONGEST_LINE = 1 << 20
CONFIGURATION = "configuration"
"""The code on the socket for what is the operator's own machine's fault (`ConfigurationError`)."""


def socket_path(data_dir: Path) -> Path:
    """Where a running hub listens for its operator."""
    return data_dir / "hub.sock"


class AdminSocket:
    """The operator's door of a running hub."""

    def __init__(self, services: Services, commands: Mapping[str, Command]) -> None:
        self._services = services
        self._commands = commands
        self._path = socket_path(services.config.data_dir)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. The lock on the data is ours, so a socket file that is there belongs to a hub that died."""
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._answer, self._path, limit=LONGEST_LINE)
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            answer = await self._run(request)
        except (ValueError, OSError) as error:
            answer = {"error": {"code": "bad_request", "detail": str(error)}}
        with suppress(OSError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
            writer.close()

    async def _run(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name = str(request.get("command"))
        try:
            return {"result": await run_command(self._services, self._commands, name, request.get("arguments", {}))}
        except HubError as error:
            return {"error": {"code": error.code, "detail": error.detail}}
        except ConfigurationError as error:
            return {"error": {"code": CONFIGURATION, "detail": str(error)}}
        except Exception:
            log.exception("an operator's command failed", command=name)
            return {"error": {"code": "internal", "detail": f"{name} failed inside the hub; its log says why."}}


async def run_command(
    services: Services, commands: Mapping[str, Command], name: str, arguments: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Run one command here, in this process."""
    if name not in commands:
        raise HubError(Code.NOT_FOUND, f"This hub has no command {name!r}: it may be older than the program that asks.")
    return await commands[name](services, **arguments)


def ask_running_hub(data_dir: Path, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the running hub answers; None when none runs on this data. Raises HubError or ConfigurationError when it refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(socket_path(data_dir)))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        connection.sendall(json.dumps({"command": name, "arguments": dict(arguments)}).encode() + b"\n")
        with connection.makefile("rb") as stream:
            answer = json.loads(stream.readline() or b'{"error": {"code": "internal", "detail": "The hub went away."}}')
    if "error" in answer:
        if answer["error"]["code"] == CONFIGURATION:
            raise ConfigurationError(answer["error"]["detail"])
        raise HubError(Code(answer["error"]["code"]), answer["error"]["detail"])
    result: Mapping[str, Any] = answer["result"]
    return result
