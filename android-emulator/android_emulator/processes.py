"""Phones and radio logs as processes of their own, for tests that kill them.

async with RadioLogProcess(folder) as log, PhoneProcess(folder / "phone.db", ["--sim", "+14155550101"], log=log) as phone:
    await phone.wait_line("online")
    await phone.tell("text +14155550199 Hello")     # returns once it is on the phone's disk
    phone.kill()
    await phone.start()                              # the same phone, from its memory
    assert log.texts() …
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from android_emulator.air import Aired, read_log
from android_emulator.conditions import PATIENCE_SECONDS, Conditions
from android_emulator.failpoints import VARIABLE
from android_emulator.report import texts_of


class RadioLogProcess:
    """What the air saw, in a process no phone's death reaches; it ends with the one that started it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        # Not beside the file: the path of a Unix socket has at most 107 bytes.
        self._folder = tempfile.mkdtemp(prefix="air-")
        self.socket = Path(self._folder) / "air.sock"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        command = (sys.executable, "-m", "android_emulator.radio_log", str(self.file), str(self.socket))
        self._process = await asyncio.create_subprocess_exec(
            *command, "--while-stdin", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._process.stdout.readline()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def segments(self) -> list[Aired]:
        """Every segment that went on air so far, in order."""
        return read_log(self.file)

    def texts(self) -> Counter[tuple[str, str]]:
        """(recipient, text) → how often it went on air."""
        return texts_of(self.segments())


class PhoneProcess:
    """`handset-emulator phone` on one memory file; it may be killed and started again as often as a test likes."""

    def __init__(
        self,
        store: Path,
        arguments: Sequence[str] = (),
        *,
        log: RadioLogProcess | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.lines: list[str] = []
        """Everything it printed, over all its lives."""
        radio_log = ("--radio-log", str(log.socket)) if log is not None else ()
        self._command = (
            *(sys.executable, "-m", "android_emulator", "phone", "--store", str(store), "--hasty", "--console"),
            *radio_log,
            *arguments,
        )
        self._environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._conditions = Conditions(lambda: "It printed: " + " | ".join(self.lines[-20:]))
        self._begin = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        await self.wait_end()

    async def start(self, *, failpoints: str = "") -> None:
        """Start it, to die at `failpoints` (`radio.called`, `event.sent:3` …)."""
        await self.wait_end()
        self._begin = len(self.lines)
        environment = {**os.environ, **self._environment, VARIABLE: failpoints}
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        assert self._process.stdout is not None
        self._reading = asyncio.create_task(self._read(self._process.stdout))

    def kill(self) -> None:
        """`kill -9`, now."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
        return await self.wait_end() or 0

    async def wait_end(self) -> int | None:
        """Until it is gone; the exit code, -9 after SIGKILL, None when it never ran."""
        if self._process is None:
            return None
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self._process.wait()
            if self._reading is not None:
                await self._reading
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code

    async def wait_killed(self) -> None:
        """Until a failpoint, or `kill`, has ended it. RuntimeError: it ended in some other way."""
        code = await self.wait_end()
        if code != -signal.SIGKILL:
            raise RuntimeError(f"it ended with {code}: {' | '.join(self.lines[-20:])}")

    async def tell(self, line: str) -> str:
        """Give its console one line; returns the answer. Raises ConnectionError when it died instead of answering."""
        assert self._process is not None
        assert self._process.stdin is not None
        answered = self._answers()
        self._process.stdin.write(line.encode() + b"\n")
        await self._conditions.until(
            lambda: len(self._answers()) > len(answered) or self._is_over, f"an answer to {line!r}"
        )
        if len(self._answers()) == len(answered):
            raise ConnectionError(f"it died before it answered {line!r}")
        return self._answers()[-1]

    async def wait_line(self, words: str, count: int = 1) -> str:
        """Until this life of it has printed so many lines with these words; the last of them."""
        await self._conditions.until(lambda: len(self._with(words)) >= count, f"{count} line(s) with {words!r}")
        return self._with(words)[-1]

    @property
    def _is_over(self) -> bool:
        return self._reading is None or self._reading.done()

    def _with(self, words: str) -> list[str]:
        return [line for line in self.lines[self._begin :] if words in line]

    def _answers(self) -> list[str]:
        return [line for line in self.lines if line.startswith(("done:", "error:"))]

    async def _read(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self.lines.append(line.decode(errors="replace").rstrip())
            self._conditions.look_again()
        asyncio.get_running_loop().call_soon(self._conditions.look_again)
