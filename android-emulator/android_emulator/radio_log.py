"""The process that remembers what the air saw: `python -m android_emulator.radio_log FILE SOCKET`.

Phones connect to the Unix socket SOCKET and write one JSON segment a line; each is answered `ok` once its line is in FILE and
FILE is on disk (fsync). What a phone has written before a `kill -9` is still read and kept, in order. SIGTERM, or the end of
standard input with `--while-stdin`, stops the process after everything it was given by then.
"""

import argparse
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from android_emulator.air import Aired, Segment, aired


@dataclass(slots=True)
class _Phone:
    connection: socket.socket
    unread: bytes = b""
    """The beginning of a line whose end has not come."""


class RadioLog:
    """Appends segments to a file; everything that waits shares one fsync. Works without threads and without a loop of tasks."""

    def __init__(self, path: Path, socket_path: Path, stops: Iterable[socket.socket | int]) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(socket_path))
        self._door.listen(128)
        self._door.setblocking(False)
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._door, selectors.EVENT_READ)
        self._stops = [self._ready.register(stop, selectors.EVENT_READ) for stop in stops]

    def run(self) -> None:
        """Until one of `stops` becomes readable."""
        while self._serve(timeout=None):
            pass
        while self._serve(timeout=0):
            pass
        for key in list(self._ready.get_map().values()):
            if isinstance(key.data, _Phone):
                key.data.connection.close()
        self._ready.close()
        self._door.close()
        os.close(self._file)

    def _serve(self, timeout: float | None) -> bool:
        """One round. False when it is time to stop or, without waiting, when nothing is left to do."""
        ready = [key for key, _ in self._ready.select(timeout)]
        if timeout == 0:
            ready = [key for key in ready if key not in self._stops]
        batch: list[tuple[socket.socket, Segment]] = []
        for key in ready:
            if key.fileobj is self._door:
                self._admit()
            elif key not in self._stops:
                batch += self._read(key.data)
        self._append(batch)
        return bool(ready) and not any(key in self._stops for key in ready)

    def _admit(self) -> None:
        connection, _ = self._door.accept()
        self._ready.register(connection, selectors.EVENT_READ, _Phone(connection))

    def _read(self, phone: _Phone) -> list[tuple[socket.socket, Segment]]:
        try:
            piece = phone.connection.recv(1 << 16)
        except ConnectionResetError:
            # Killed before it read its confirmations; what it had written was read before this.
            piece = b""
        if not piece:
            self._ready.unregister(phone.connection)
            phone.connection.close()
            return []
        *lines, phone.unread = (phone.unread + piece).split(b"\n")
        return [(phone.connection, msgspec.json.decode(line, type=Segment)) for line in lines]

    def _append(self, batch: list[tuple[socket.socket, Segment]]) -> None:
        if not batch:
            return
        at = time.time_ns() // 1_000_000
        os.write(self._file, b"".join(msgspec.json.encode(_aired(segment, at)) + b"\n" for _, segment in batch))
        os.fsync(self._file)
        for connection, _ in batch:
            _confirm(connection)


def _confirm(connection: socket.socket) -> None:
    try:
        connection.sendall(b"ok\n")
    except OSError as error:
        print(f"radio log: a phone died before its text was confirmed: {error}", file=sys.stderr)


def _aired(segment: Segment, at: int) -> Aired:
    return aired(segment, at)


def bell(*numbers: signal.Signals) -> socket.socket:
    """A socket that becomes readable at any of these signals.

    The bytes are written by the interpreter's own C handler (`signal.set_wakeup_fd`). A handler in Python runs between two
    instructions, so a signal that came after the last of them and before `select` would ring only when something else woke it.
    """
    listening, ringing = socket.socketpair()
    ringing.setblocking(False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(ringing.detach())
    return listening


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m android_emulator.radio_log", description=__doc__)
    parser.add_argument("file", type=Path, help="where segments are appended, one JSON object a line")
    parser.add_argument("socket", type=Path, help="Unix socket that phones connect to")
    parser.add_argument("--while-stdin", action="store_true", help="stop when standard input ends")
    arguments = parser.parse_args()
    stops: list[socket.socket | int]
    if arguments.while_stdin:
        # Ctrl-C reaches this process too, before the phone that started it is done.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stops = [bell(signal.SIGTERM), sys.stdin.fileno()]
    else:
        stops = [bell(signal.SIGTERM, signal.SIGINT)]
    log = RadioLog(arguments.file, arguments.socket, stops)
    print("ready", flush=True)
    log.run()


if __name__ == "__main__":
    main()
