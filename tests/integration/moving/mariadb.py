"""A MariaDB server of our own for a test: on a unix socket and a free port, in a temporary directory, gone with the test."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from tests.acceptance.processes import free_port

PATIENCE_SECONDS = 60.0


def is_installed() -> bool:
    """Whether the server's programs are here."""
    return all(shutil.which(name) for name in ("mariadbd", "mariadb-install-db", "mariadb-dump"))


@contextmanager
def throw_away_server(script: Path) -> Iterator[str]:
    """Start one whose database `sms` was made by this script; yields its `mysql://` address."""
    user = "mysql" if os.geteuid() == 0 else None
    run_as: dict[str, Any] = (
        {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    )
    with tempfile.TemporaryDirectory(prefix="hub-mariadb-") as folder:
        if user is not None:
            shutil.chown(folder, user)
        data, port = f"{folder}/data", free_port()
        install = [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
        ]
        subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True, cwd=folder, **run_as)
        command = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={folder}/sock", f"--port={port}"]
        command += ["--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--innodb-flush-log-at-trx-commit=0"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **run_as)
        try:
            _fill(f"{folder}/sock", script, server)
            yield f"mysql://hub:a%20secret@127.0.0.1:{port}/sms"
        finally:
            server.terminate()
            server.wait()


def dump(url: str, target: Path) -> None:
    """What `mariadb-dump` writes of it."""
    port = url.rpartition(":")[2].partition("/")[0]
    command = [
        "mariadb-dump",
        "--no-defaults",
        "--host=127.0.0.1",
        f"--port={port}",
        "--user=hub",
        "--password=a secret",
    ]
    target.write_bytes(subprocess.run([*command, "sms"], check=True, capture_output=True).stdout)


def _fill(path: str, script: Path, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not _is_listening(path):
        assert server.poll() is None, "mariadbd ended"
        assert time.monotonic() < end, "mariadbd did not come up"
        time.sleep(0.05)
    flags = pymysql.constants.CLIENT.MULTI_STATEMENTS
    connection = pymysql.connect(unix_socket=path, user="root", client_flag=flags)
    with connection, connection.cursor() as cursor:
        cursor.execute("create database sms character set utf8mb4")
        cursor.execute("create user hub@'%' identified by 'a secret'")
        cursor.execute("grant select, lock tables, show view on sms.* to hub@'%'")
        cursor.execute("use sms")
        cursor.execute(script.read_text(encoding="utf-8"))
        while cursor.nextset():
            pass
        connection.commit()


def _is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
