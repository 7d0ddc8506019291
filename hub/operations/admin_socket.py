"""What the operator's commands do, in one table, whether a hub is running or not.

`hub serve` holds the lock on its data and listens on a local socket that only its own user can open (mode 0600). Every other command
sends one JSON line there, or, when no hub runs, opens the database itself and does the same thing.

    → {"command": "backup", "arguments": {...}, "progress": true}
    ← {"progress": {"what": "Copying the database", "done": 4096, "total": 8192, "unit": "bytes"}}    only where they were asked for
    ← {"result": {...}} or {"error": {"code": "...", "detail": "..."}}
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from hub.config import ConfigurationError
from hub.core.errors import Code, HubError
from hub.core.progress import Step, Tell, unheard
from hub.log import get_logger
from hub.services import Services

log = get_logger("admin")

Command: TypeAlias = Callable[..., Awaitable[Mapping[str, Any]]]
"""`async (services, **arguments) -> JSON object`; refuses by raising HubError."""


class LongCommand(NamedTuple):
    """One that tells meanwhile how far it is: it takes one argument more, `tell`."""

    run: Command


LONGEST_LINE = 1 << 20
TELL_EVERY_SECONDS = 0.2
CONFIGURATION = "configuration"
"""The code on the socket for what is the operator's own machine's fault (`ConfigurationError`)."""
STOPPED: Mapping[str, Any] = {"error": {"code": CONFIGURATION, "detail": "It was stopped."}}
GONE = b'{"error": {"code": "internal", "detail": "The hub went away."}}'


def socket_path(data_dir: Path) -> Path:
    """Where a running hub listens for its operator."""
    return data_dir / "hub.sock"


class AdminSocket:
    """The operator's door of a running hub."""

    def __init__(self, services: Services, commands: Mapping[str, Command | LongCommand]) -> None:
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
            is_long = isinstance(self._commands.get(str(request.get("command"))), LongCommand)
            if is_long and request.get("progress"):
                answer = await _while_asked(reader, self._run(request, _told_to(writer)))
            else:
                answer = await self._run(request, unheard)
        except (ValueError, OSError) as error:
            answer = {"error": {"code": "bad_request", "detail": str(error)}}
        if writer.is_closing():
            return
        with suppress(OSError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
            writer.close()

    async def _run(self, request: Mapping[str, Any], tell: Tell) -> Mapping[str, Any]:
        name, arguments = str(request.get("command")), request.get("arguments", {})
        try:
            return {"result": await run_command(self._services, self._commands, name, arguments, tell)}
        except HubError as error:
            return {"error": {"code": error.code, "detail": error.detail}}
        except ConfigurationError as error:
            return {"error": {"code": CONFIGURATION, "detail": str(error)}}
        except Exception:
            log.exception("an operator's command failed", command=name)
            return {"error": {"code": "internal", "detail": f"{name} failed inside the hub; its log says why."}}


async def _while_asked(reader: asyncio.StreamReader, work: Coroutine[Any, Any, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The work's answer. Who asked says nothing more; when it goes away (Ctrl-C), the work is cancelled."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(reader.read(1))
    await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait((working,))
    return STOPPED if working.cancelled() else working.result()


def _told_to(writer: asyncio.StreamWriter) -> Tell:
    """Passes news on to who asked: each step's beginning and end, and a few times a second what is between."""
    loop = asyncio.get_running_loop()
    told, told_at = Step(""), 0.0

    def write(step: Step) -> None:
        if not writer.is_closing() and writer.transport.get_write_buffer_size() < LONGEST_LINE:
            writer.write(json.dumps({"progress": msgspec.to_builtins(step)}).encode() + b"\n")

    def tell(step: Step) -> None:
        nonlocal told, told_at
        now = loop.time()
        if step.what != told.what or step.done == step.total or now - told_at >= TELL_EVERY_SECONDS:
            told, told_at = step, now
            loop.call_soon_threadsafe(write, step)

    return tell


async def run_command(
    services: Services,
    commands: Mapping[str, Command | LongCommand],
    name: str,
    arguments: Mapping[str, Any],
    tell: Tell = unheard,
) -> Mapping[str, Any]:
    """Run one command here, in this process."""
    if name not in commands:
        raise HubError(Code.NOT_FOUND, f"This hub has no command {name!r}: it may be older than the program that asks.")
    command = commands[name]
    if isinstance(command, LongCommand):
        return await command.run(services, **arguments, tell=tell)
    return await command(services, **arguments)


def ask_running_hub(
    data_dir: Path, name: str, arguments: Mapping[str, Any], tell: Tell = unheard
) -> Mapping[str, Any] | None:
    """What the running hub answers; None when none runs on this data. Raises HubError or ConfigurationError when it refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(socket_path(data_dir)))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        request = {"command": name, "arguments": dict(arguments), "progress": True}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as stream:
            answer = json.loads(stream.readline() or GONE)
            while "progress" in answer:
                tell(msgspec.convert(answer["progress"], Step))
                answer = json.loads(stream.readline() or GONE)
    if "error" in answer:
        if answer["error"]["code"] == CONFIGURATION:
            raise ConfigurationError(answer["error"]["detail"])
        raise HubError(Code(answer["error"]["code"]), answer["error"]["detail"])
    result: Mapping[str, Any] = answer["result"]
    return result
