"""A socket between the hub and PostgreSQL that fails where a test wants it to: before, in the middle of, or after COMMIT."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine import make_url

Rule = Callable[["Link", bytes], bool]
"""Sees what a client sends before the server does; returns whether to pass it on."""


_COMMIT = re.compile(rb"\bCOMMIT\b")


def is_commit(data: bytes) -> bool:
    """Whether a message to the server asks for a COMMIT (a BEGIN at level READ COMMITTED does not)."""
    return _COMMIT.search(data) is not None


class Link:
    """One client's connection through the proxy."""

    def __init__(self, number: int, client: socket.socket, server: socket.socket) -> None:
        self.number = number
        self.client = client
        self.server = server
        self.answers_reach_client = True

    def cut_client(self) -> None:
        """The client sees a broken connection; the server still has its own."""
        self.answers_reach_client = False
        self.client.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Both ends see a broken connection."""
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):  # this end may be gone already
                end.shutdown(socket.SHUT_RDWR)


class PostgresqlProxy:
    """Listens on a unix socket in `directory`; `rule` decides about what clients send."""

    def __init__(self, url: str, directory: Path, rule: Rule) -> None:
        self.rule = rule
        self.links: list[Link] = []
        self.refuse_new = False
        target = make_url(url)
        host = target.query.get("host", target.host)
        assert isinstance(host, str)
        self._port = target.port or 5432
        self._target: str | tuple[str, int] = (
            f"{host}/.s.PGSQL.{self._port}" if host.startswith("/") else (host, self._port)
        )
        self.url = target.set(host=None, query={"host": str(directory)}).render_as_string(hide_password=False)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / f".s.PGSQL.{self._port}"))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for link in self.links:
            link.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        for link in self.links:
            link.client.close()
            link.server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse_new:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
            server.connect(self._target)
            link = Link(len(self.links), client, server)
            self.links.append(link)
            for pump in (self._to_server, self._to_client):
                thread = threading.Thread(target=pump, args=(link,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _to_server(self, link: Link) -> None:
        try:
            while data := link.client.recv(1 << 16):
                if self.rule(link, data):
                    link.server.sendall(data)
        except OSError:
            pass  # the link was cut
        if link.answers_reach_client:
            link.cut()

    def _to_client(self, link: Link) -> None:
        try:
            while data := link.server.recv(1 << 16):
                if link.answers_reach_client:
                    link.client.sendall(data)
        except OSError:
            pass  # the link was cut
        if link.answers_reach_client:
            link.cut()
