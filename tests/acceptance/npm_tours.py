"""Tours of npm packages: each a folder of `tests/clients` with a lock file that pins every package by its hash."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.databases import missing

CLIENTS = Path(__file__).resolve().parent.parent / "clients"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "handset-hub-tests"


def installed(name: str) -> Path:
    """The tour with its dependencies installed, in a cache outside the tree; skips where node or a registry is not there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node", "install Node.js 20 to run the npm clients' tours")
    source = CLIENTS / name
    lock = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    target = CACHE / f"{name.replace('_', '-')}-{lock}"
    if not (target / "ready").exists():
        target.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, target / file)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode != 0:
            missing("npm", f"npm ci did not succeed: {done.stderr[-300:]}")
        (target / "ready").touch()
    shutil.copy(source / "tour.mjs", target / "tour.mjs")
    return target


async def tour_of(name: str, *arguments: str) -> dict[str, Any]:
    """Run the tour; what it printed."""
    package = await asyncio.to_thread(installed, name)
    done = await asyncio.to_thread(
        subprocess.run, ["node", "tour.mjs", *arguments], cwd=package, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed
