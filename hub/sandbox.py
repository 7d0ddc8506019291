"""Runs the sandbox phones of this hub: one emulator process for each folder, for as long as its phone is wanted.

The emulator is another program (the hub never imports it). Its standard input is a pipe that the hub holds: when the hub dies, however
it dies, the pipe ends and the emulator with it. It is given no secret of the hub, and its words go nowhere: they name numbers.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hub.devices.sandbox import EMULATOR, SandboxPhone, clear_away, folder_of, sandbox_phones, standing_of
from hub.log import get_logger
from hub.services import Services

log = get_logger("sandbox")

ROUND_SECONDS = 0.5
STOP_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
REPLY = "You said: {text}"
KEPT_VARIABLES = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
"""What the emulator's process sees of the hub's environment: none of its settings, which hold secrets."""


class _Run:
    """One emulator, and when it may be started again."""

    def __init__(self) -> None:
        self.process: Process | None = None
        self.lock: int | None = None
        """Held while this hub process looks after the folder: two hubs on PostgreSQL may share a data directory."""
        self.may_start_at = 0.0
        self.pause = 1.0


class SandboxPhones:
    """A background loop (`hub.core.ports.Worker`)."""

    name = "sandbox phones"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._runs: dict[str, _Run] = {}

    async def run(self) -> None:
        """Look at the folders until cancelled; then stop what runs."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(ROUND_SECONDS)
        finally:
            await asyncio.gather(*(self._stop(run) for run in self._runs.values()))
            for run in self._runs.values():
                _let_go(run)

    async def _look(self) -> None:
        services = self._services
        for phone in list(sandbox_phones(services.config.data_dir)):
            run = self._runs.setdefault(phone.enrolment_id, _Run())
            if not _take(run, folder_of(services.config.data_dir, phone.enrolment_id) / "lock"):
                continue
            standing = await services.db.read(standing_of, phone, services.clock.now())
            if not standing.is_wanted:
                await self._stop(run)
                _let_go(run)
                del self._runs[phone.enrolment_id]
                clear_away(services.config.data_dir, phone)
                log.info("a sandbox phone is gone", enrolment=phone.enrolment_id)
                continue
            if standing.is_enrolled:
                (folder_of(services.config.data_dir, phone.enrolment_id) / "code.txt").unlink(missing_ok=True)
            await self._keep_running(phone, run)

    async def _keep_running(self, phone: SandboxPhone, run: _Run) -> None:
        now = self._services.clock.monotonic()
        if run.process is not None:
            if run.process.returncode is None:
                return
            log.warning("a sandbox phone ended and will start again", code=run.process.returncode, seconds=run.pause)
            run.process = None
            run.may_start_at, run.pause = now + run.pause, min(run.pause * 2, LONGEST_PAUSE_SECONDS)
        if now >= run.may_start_at:
            run.process = await asyncio.create_subprocess_exec(
                *self._command(phone), stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, env=child_environment(os.environ)
            )
            log.info("a sandbox phone was started", enrolment=phone.enrolment_id)

    def _command(self, phone: SandboxPhone) -> list[str]:
        folder = folder_of(self._services.config.data_dir, phone.enrolment_id)
        words = [sys.executable, "-m", EMULATOR, "phone", "--console"]
        words += ["--store", str(folder / "phone.db"), "--number", phone.number, "--reply", REPLY]
        code = folder / "code.txt"
        return [*words, "--qr-file", str(code)] if code.exists() else words

    async def _stop(self, run: _Run) -> None:
        process, run.process = run.process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _take(run: _Run, path: Path) -> bool:
    """Whether the folder is ours to look after."""
    if run.lock is None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        run.lock = descriptor
    return True


def _let_go(run: _Run) -> None:
    if run.lock is not None:
        os.close(run.lock)
        run.lock = None


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the environment that the emulator is given."""
    return {name: environ[name] for name in KEPT_VARIABLES if name in environ}
