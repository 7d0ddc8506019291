"""What a person sees while a long command works, on standard error; standard output is left to the result.

On a terminal a step is one line that renews itself, drawn by typer's own bar:

    Copying the database  [########----------]   45%  1.2 GiB of 2.6 GiB, 14 s left

Anywhere else (a pipe, cron, a log) it is plain lines without a control character: one when a step begins, and one now and then
while it lasts.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any, Protocol, TextIO

import typer

from hub.core.amounts import size_in_words, span_in_words
from hub.core.progress import Step

RENEW_SECONDS = 0.2
"""On a terminal; the line is renewed without news too, so that one sees that it lives."""
SAY_SECONDS = 10.0
"""Between two lines of one step where there is no terminal."""
NARROWEST = 80
"""Columns below which a line could break in two, and could not be renewed."""
WIDEST_BAR, SHORTEST_BAR = 30, 5
ROOM_FOR_TIME = len(", 9 h 59 min left")


class Drawing(Protocol):
    """One way to show a step. `seconds` is how long it has lasted."""

    every_seconds: float

    def begin(self, step: Step) -> None:
        """Show a step's beginning."""

    def renew(self, step: Step, seconds: float) -> None:
        """Show how far it is."""

    def end(self, step: Step, seconds: float) -> None:
        """Show its end."""

    def leave(self) -> None:
        """Leave it where it is: the command ends here."""


class ProgressLine:
    """Listens to a command, as a context; `tell` may be called from any thread.

    A step ends when the next one begins, at `finish`, or with the context. A stream that takes nothing more is no reason to stop
    what is being done: what is told then is not shown.
    """

    def __init__(self, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic) -> None:
        stream = sys.stderr if stream is None else stream
        self._drawing: Drawing = OneLine(stream) if _can_renew(stream) else PlainLines(stream)
        self._now = now
        self._step: Step | None = None
        self._is_readable = True
        self._began_at = self._shown_at = 0.0
        self._lock = RLock()
        self._is_over = Event()
        self._ticking = Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._ticking.is_alive():
            self._ticking.join()
        if kind is None:
            self.finish()
        elif self._step is not None:
            with self._lock:
                self._show(self._drawing.leave)

    def tell(self, step: Step) -> None:
        """Take news of what is being done."""
        with self._lock:
            if self._step is None or step.what != self._step.what:
                self._begin(step)
            else:
                self._step = step
                self._renew()

    def finish(self) -> None:
        """The step is done, and something else is printed next."""
        with self._lock:
            step, self._step = self._step, None
            if step is not None:
                self._show(self._drawing.end, step, self._now() - self._began_at)

    def _begin(self, step: Step) -> None:
        self.finish()
        self._step, self._began_at, self._shown_at = step, self._now(), self._now()
        if not self._ticking.is_alive():
            self._ticking.start()
        self._show(self._drawing.begin, step)

    def _renew(self) -> None:
        now = self._now()
        if self._step is not None and now - self._shown_at >= self._drawing.every_seconds:
            self._shown_at = now
            self._show(self._drawing.renew, self._step, now - self._began_at)

    def _show(self, draw: Callable[..., None], *what: Any) -> None:
        if self._is_readable:
            try:
                draw(*what)
            except OSError:
                self._is_readable = False

    def _tick(self) -> None:
        while not self._is_over.wait(RENEW_SECONDS):
            with self._lock:
                self._renew()


class OneLine:
    """A line of a terminal for each step."""

    every_seconds = RENEW_SECONDS

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Any = None

    def begin(self, step: Step) -> None:
        """Draw the line for the first time."""
        width = _bar_width(step, _columns(self._stream))
        self._bar = typer.progressbar(
            length=step.total or 1,
            label=step.what,
            file=self._stream,
            width=max(width, 1),
            bar_template="%(label)s  [%(bar)s]  %(info)s" if width else "%(label)s  %(info)s",
            show_percent=step.total is not None,
            show_eta=False,
            item_show_func=_as_it_is,
        )
        self._draw(step, _amount(step))

    def renew(self, step: Step, seconds: float) -> None:
        """Draw it over itself."""
        self._draw(step, _with_time(step, seconds))

    def end(self, step: Step, seconds: float) -> None:
        """Draw it as done, and go to the next line."""
        whole = Step(step.what, step.done if step.total is None else step.total, step.total, step.unit)
        done = f"done in {span_in_words(seconds)}" if seconds >= 1 else "done"
        self._draw(whole, ", ".join(filter(None, (_amount(whole, is_whole=True), done))))
        self.leave()

    def leave(self) -> None:
        """Go to the next line, and give the cursor back."""
        self._bar.render_finish()

    def _draw(self, step: Step, info: str) -> None:
        ahead = step.done - self._bar.pos if step.total is not None else 0
        self._bar.current_item = info
        self._bar.update(max(ahead, 0))
        self._bar.render_progress()


class PlainLines:
    """Lines for a log."""

    every_seconds = SAY_SECONDS

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, step: Step) -> None:
        """Say what is being done, and how much of it there is."""
        self._say(step.what, "" if step.total is None else _number(step.total, step.unit))

    def renew(self, step: Step, seconds: float) -> None:
        """Say how far it is."""
        percent = "" if step.total is None else f"{step.done * 100 // step.total} %, "
        self._say(step.what, percent + _with_time(step, seconds))

    def end(self, step: Step, seconds: float) -> None:
        """Nothing: the next line says it."""

    def leave(self) -> None:
        """Nothing: every line is whole."""

    def _say(self, what: str, more: str) -> None:
        print(f"{what}: {more}" if more else what, file=self._stream, flush=True)


def _can_renew(stream: TextIO) -> bool:
    if os.environ.get("TERM", "dumb") == "dumb" or not stream.isatty():
        return False
    return _columns(stream) >= NARROWEST


def _columns(stream: TextIO) -> int:
    return os.get_terminal_size(stream.fileno()).columns or NARROWEST  # some terminals do not say


def _bar_width(step: Step, columns: int) -> int:
    """0 where there is no bar: nobody knows the total, or there is no room."""
    if step.total is None:
        return 0
    longest = 2 * len(_number(step.total, step.unit)) + len(" of ") + 1 + ROOM_FOR_TIME
    room = columns - 1 - len(step.what) - len("  []  100%  ") - longest
    return min(room, WIDEST_BAR) if room >= SHORTEST_BAR else 0


def _as_it_is(info: str | None) -> str | None:
    return info


def _with_time(step: Step, seconds: float) -> str:
    """How much, and how long: still, where there is a total; else until now."""
    time_ = ""
    if step.total is None:
        time_ = span_in_words(seconds)
    elif step.done and seconds >= 1:
        time_ = f"{span_in_words(seconds / step.done * (step.total - step.done))} left"
    return ", ".join(filter(None, (_amount(step), time_)))


def _amount(step: Step, *, is_whole: bool = False) -> str:
    if step.total is None:
        return _number(step.done, step.unit) if step.done else ""
    total = _number(step.total, step.unit)
    return total if is_whole else f"{_number(step.done, step.unit)} of {total}"


def _number(count: int, unit: str) -> str:
    return size_in_words(count) if unit == "bytes" else f"{count:,}"
