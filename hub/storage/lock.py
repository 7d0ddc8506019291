"""One server per SQLite file: an advisory lock on a file beside the database, held as long as the process lives.

The kernel gives the lock back when the process ends, however it ends, so a lock file that was left behind means nothing.
"""

import fcntl
import os
from pathlib import Path

from hub.config import ConfigurationError


class FileLock:
    """Exclusive lock on `<database>.lock`. The file stays; only the lock comes and goes."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._database = database
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `ConfigurationError` with a sentence that names the process that has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise ConfigurationError(self._sentence(holder)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _sentence(self, holder: str) -> str:
        who = f"by process {holder}" if holder.isdigit() else "by another process"
        return (
            f"The database {self._database} is already in use {who}. One SQLite file serves one hub: "
            "stop that process, or use PostgreSQL to run several."
        )
