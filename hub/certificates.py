"""A server's certificate that is read again when its files change: whoever renews it (certbot, Caddy, a person) need not stop the hub."""

from __future__ import annotations

import ssl
from pathlib import Path

from hub.log import get_logger

log = get_logger("certificates")

Stamp = tuple[tuple[int, int, int], ...]


def load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Raises OSError, which ssl's own errors are. An empty password: a key that has one would ask for it on the terminal."""
    context.load_cert_chain(certificate, key, password="")


class Certificate:
    """Keeps a context's certificate as its files say. New connections have the new one; those that are open keep what they began with."""

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        """The context has been given these files' content by now."""
        self._context = context
        self._files = (certificate, key)
        self._seen = self._stamp()

    def read_if_changed(self) -> bool:
        """Whether there was a new certificate. One that cannot be used is logged once, and the hub goes on with what it had.

        Two files are never replaced at one moment: a certificate whose key is still the old one is such a case, and heals by itself.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *self._files)  # what fails half-way would leave no key
            load_pair(self._context, *self._files)
        except OSError as error:
            log.warning("a renewed certificate cannot be used", file=str(self._files[0]), why=str(error))
            return False
        log.info("a renewed certificate is used from now on", file=str(self._files[0]))
        return True

    def _stamp(self) -> Stamp:
        """What tells a file that was written or replaced from the one before."""
        return tuple(_stamp_of(path) for path in self._files)


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_size)
