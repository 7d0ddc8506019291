"""What long commands show while they work: a line that renews itself on a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO, cast

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.cli import app
from hub.cli.progress import SAY_SECONDS, ProgressLine
from hub.core.errors import Code, HubError
from hub.core.progress import Step, Tell
from hub.operations.admin_socket import AdminSocket, LongCommand, ask_running_hub, socket_path
from hub.services import Services
from hub.stopping import in_thread
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent
DUMP = Path(__file__).parent / "moving" / "former_server_dump.sql"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
SHOWN_CURSOR, HIDDEN_CURSOR = "\x1b[?25h", "\x1b[?25l"
GIB = 1 << 30


class Terminal:
    """A pseudo-terminal: `stream` is what a program has as standard error."""

    def __init__(self, columns: int) -> None:
        self._screen, program = os.openpty()
        fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.stream: TextIO = os.fdopen(program, "w", encoding="utf-8")
        self._written = bytearray()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        try:
            while read := os.read(self._screen, 65536):
                self._written += read
        except OSError:  # Linux's way to say that nobody has the other end any more
            pass

    def written(self) -> str:
        """All that came, once the program has closed its end."""
        self.stream.close()
        self._reading.join()
        os.close(self._screen)
        return self._written.decode()


def shown_lines(written: str) -> list[str]:
    """What stays to be read: of each line its last drawing."""
    *lines, unfinished = written.replace(HIDDEN_CURSOR, "").replace(SHOWN_CURSOR, "").replace("\r\n", "\n").split("\n")
    assert unfinished == ""
    return [line.rpartition("\r")[2].rstrip() for line in lines]


@contextmanager
def shown_on(
    columns: int, monkeypatch: pytest.MonkeyPatch, term: str = "xterm"
) -> Iterator[tuple[Terminal, ProgressLine, FakeClock]]:
    monkeypatch.setenv("TERM", term)
    terminal, clock = Terminal(columns), FakeClock()
    yield terminal, ProgressLine(terminal.stream, clock.monotonic), clock


# --- the drawing ------------------------------------------------------------------------------------------------------------------


def test_on_a_terminal_each_step_is_one_line_that_renews_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with shown_on(80, monkeypatch) as (terminal, line, clock), line:
        line.tell(Step("Copying", 0, 4 * GIB, "bytes"))
        for _ in range(2):  # what is told is there before its time comes, so that it is drawn whoever notices first
            line.tell(Step("Copying", GIB, 4 * GIB, "bytes"))
            clock.advance(10)
        line.tell(Step("Copying", 2 * GIB, 4 * GIB, "bytes"))
        clock.advance(21)
        line.tell(Step("Checking"))
        for _ in range(2):
            line.tell(Step("Checking", 12_345))
            clock.advance(75)
    written = terminal.written()
    assert "  25%  1.0 GiB of 4.0 GiB, 30 s left" in written
    assert "Checking  12,345, 1 min" in written
    copied, checked = shown_lines(written)
    assert re.fullmatch(r"Copying  \[#+\]  100%  4\.0 GiB, done in 41 s", copied)
    assert checked == "Checking  12,345, done in 2 min"
    assert written.count("\n") == 2, "one line for a step"
    assert written.endswith(f"{SHOWN_CURSOR}\r\n")


def test_a_step_that_fails_is_left_where_it_was_and_the_cursor_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(line: ProgressLine) -> None:
        with line:
            line.tell(Step("Moving messages", 30, 60))
            raise KeyboardInterrupt

    with shown_on(80, monkeypatch) as (terminal, line, _), pytest.raises(KeyboardInterrupt):
        interrupted(line)
    written = terminal.written()
    (left,) = shown_lines(written)
    assert left.endswith("50%  30 of 60")
    assert written.rindex(SHOWN_CURSOR) > written.rindex(HIDDEN_CURSOR)


@pytest.mark.parametrize(
    ("what", "total", "unit"), [("Copying the database", 1 << 59, "bytes"), ("Moving messages", 10**9, "rows")]
)
def test_no_line_is_longer_than_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, what: str, total: int, unit: Any
) -> None:
    with shown_on(80, monkeypatch) as (terminal, line, clock), line:
        for tenth in range(11):
            clock.advance(3599 * 3)
            line.tell(Step(what, max(1, total * tenth // 10 - 1), total, unit))
    written = terminal.written().replace(HIDDEN_CURSOR, "").replace(SHOWN_CURSOR, "")
    assert max(len(drawn) for drawn in re.split(r"[\r\n]", written)) < 80
    assert written.count("\n") == 1


@pytest.mark.parametrize(("columns", "term"), [(79, "xterm"), (80, "dumb")])
def test_a_terminal_that_cannot_renew_a_line_gets_plain_ones(
    monkeypatch: pytest.MonkeyPatch, columns: int, term: str
) -> None:
    with shown_on(columns, monkeypatch, term) as (terminal, line, _), line:
        line.tell(Step("Moving messages", 30, 60))
    assert terminal.written() == "Moving messages: 60\r\n"


def test_a_log_gets_a_line_for_each_step_and_one_now_and_then() -> None:
    log, clock = io.StringIO(), FakeClock()
    with ProgressLine(log, clock.monotonic) as line:
        line.tell(Step("Copying", 1, 4 * GIB, "bytes"))
        for _ in range(4):
            clock.advance(SAY_SECONDS / 2)
            line.tell(Step("Copying", GIB, 4 * GIB, "bytes"))
        line.tell(Step("Checking"))
        line.tell(Step("Checking", 5))
        clock.advance(SAY_SECONDS)
        line.tell(Step("Checking", 5))
    assert log.getvalue().splitlines() == [
        "Copying: 4.0 GiB",
        "Copying: 25 %, 1.0 GiB of 4.0 GiB, 30 s left",
        "Copying: 25 %, 1.0 GiB of 4.0 GiB, 1 min left",
        "Checking",
        "Checking: 5, 10 s",
    ]


def test_a_log_that_takes_nothing_more_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    clock = FakeClock()
    log = os.fdopen(writing, "w", encoding="utf-8")
    with ProgressLine(log, clock.monotonic) as line:
        for done in range(3):
            line.tell(Step(f"step {done}"))
            clock.advance(SAY_SECONDS)
    with pytest.raises(BrokenPipeError):
        log.close()


# --- the commands -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a hub with an account, which does not run."""
    there = {"HUB_DATA_DIR": str(tmp_path / "data"), "HUB_PUBLIC_URL": "https://sms.example.org"}
    assert run(there, "migrate").exit_code == 0
    return there


def run(environment: Mapping[str, str], *words: str) -> Result:
    return CliRunner().invoke(app, list(words), env=environment)


def test_in_a_pipe_the_steps_are_plain_lines_and_the_result_is_alone(
    environment: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (tmp_path / "data" / "hub.db").stat().st_size
    saved = run(environment, "backup", str(tmp_path / "backup"))
    assert saved.stdout.startswith(f"The database is in {tmp_path / 'backup'}. The key file is NOT in it:")
    copying, *rest = saved.stderr.splitlines()
    assert (copying, rest) == (
        f"Copying the database: {size / 1024:.0f} KiB",
        ["Checking the copy", "Writing it to disk"],
    )
    put_back = run(environment, "restore", str(tmp_path / "backup"))
    assert put_back.stdout.startswith("The backup is in place.")
    assert put_back.stderr.splitlines() == [f"Reading the backup: {size / 1024:.0f} KiB", "Writing it to disk"]
    moved = run(environment, "import", "smsgate", str(DUMP), "--json")
    assert json.loads(moved.stdout)["counts"]["messages"] == {"new": 6, "left out": 1}
    steps = [
        f"Reading the dump: {DUMP.stat().st_size / 1024:.0f} KiB",
        "Moving users: 4",
        "Moving phones: 3",
        "Moving webhooks: 5",
        "Moving settings: 1",
        "Moving messages: 7",
    ]
    assert moved.stderr.splitlines() == steps
    assert "Looking at messages: 7" in run(environment, "import", "smsgate", str(DUMP), "--dry-run").stderr
    monkeypatch.setattr("hub.storage.check_up.TOLD_FROM", 0)
    looked = run(environment, "doctor", "--json")
    assert re.fullmatch(r"Reading the database through, \d+ KiB\n", looked.stderr)
    assert json.loads(looked.stdout)["findings"]
    for done in (saved, put_back, moved, looked):
        assert CONTROL.search(done.stderr + done.stdout) is None


def test_short_commands_show_nothing(environment: Mapping[str, str]) -> None:
    assert run(environment, "account", "create", "main").stderr == ""
    assert run(environment, "doctor").stderr == ""


def test_on_a_terminal_the_result_still_goes_to_standard_output_alone(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    terminal = Terminal(100)
    command = [sys.executable, "-m", "hub", "backup", str(tmp_path / "backup")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=terminal.stream,
        text=True,
        check=True,
    )
    copied, checked, written = shown_lines(terminal.written())
    assert re.match(r"Copying the database  \[#{5,}\]  100%  \d+ KiB, done", copied)
    assert checked.startswith("Checking the copy  done")
    assert written.startswith("Writing it to disk  done")
    assert done.stdout.startswith("The database is in ")
    assert CONTROL.search(done.stdout) is None


# --- a command that the running hub does ------------------------------------------------------------------------------------------


@pytest.fixture
async def serving(tmp_path: Path) -> Any:
    """Starts the operator's door of a hub that knows these commands."""
    doors: list[AdminSocket] = []

    async def serve(commands: Mapping[str, Any]) -> Path:
        services = cast(Services, SimpleNamespace(config=SimpleNamespace(data_dir=tmp_path)))
        doors.append(AdminSocket(services, commands))
        await doors[-1].start()
        return tmp_path

    yield serve
    for door in doors:
        await door.stop()


async def test_a_running_hub_tells_who_asked(serving: Callable[..., Any]) -> None:
    async def copy(services: Services, tell: Tell, much: int) -> Mapping[str, Any]:
        def work(tell: Tell) -> str:
            for done in range(much + 1):
                tell(Step("Copying", done, much, "bytes"))
            return "whole"

        text = await in_thread(work, tell)
        tell(Step("Done"))
        return {"text": text}

    folder = await serving({"copy": LongCommand(copy)})
    told: list[Step] = []
    answer = await asyncio.to_thread(ask_running_hub, folder, "copy", {"much": 10_000}, told.append)
    assert answer == {"text": "whole"}
    assert told[0].what == "Copying"
    assert told[-2:] == [Step("Copying", 10_000, 10_000, "bytes"), Step("Done")]
    assert len(told) < 10_000, "what nobody could read is not sent"
    reader, writer = await asyncio.open_unix_connection(socket_path(folder))
    writer.write(b'{"command": "copy", "arguments": {"much": 1}}\n')
    assert json.loads(await reader.read()) == {"result": {"text": "whole"}}, "an older program reads one line"
    writer.close()


async def test_when_who_asked_goes_away_the_work_ends_cleanly(serving: Callable[..., Any]) -> None:
    begun, cleaned_up, is_over = threading.Event(), threading.Event(), threading.Event()

    async def copy(services: Services, tell: Tell) -> Mapping[str, Any]:
        def work(tell: Tell) -> None:
            try:
                while not is_over.is_set():
                    tell(Step("Copying"))
                    begun.set()
            finally:
                cleaned_up.set()

        await in_thread(work, tell)
        return {}

    folder = await serving({"copy": LongCommand(copy)})
    _, writer = await asyncio.open_unix_connection(socket_path(folder))
    writer.write(b'{"command": "copy", "progress": true}\n')
    try:
        assert await asyncio.to_thread(begun.wait, 60)
        assert not cleaned_up.is_set()
        writer.close()
        assert await asyncio.to_thread(cleaned_up.wait, 60)
    finally:
        is_over.set()


async def test_a_refusal_comes_through_after_what_was_told(serving: Callable[..., Any]) -> None:
    async def move(services: Services, tell: Tell) -> Mapping[str, Any]:
        tell(Step("Reading"))
        raise HubError(Code.VALIDATION, "There is no user in this source.")

    folder = await serving({"move": LongCommand(move)})
    told: list[Step] = []
    with pytest.raises(HubError, match="There is no user"):
        await asyncio.to_thread(ask_running_hub, folder, "move", {}, told.append)
    assert told == [Step("Reading")]
