"""The layers hold: every import of the product points downwards, adapters never import each other, and only storage knows SQL."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ROWS = {
    "device_protocol": 0,
    "hub.core": 1,
    "hub.storage": 2,
    "hub.config": 2,
    "hub.config_file": 2,
    "hub.log": 2,
    "hub.certificates": 2,
    "hub.clock": 2,
    "hub.metrics": 2,
    "hub.failpoints": 2,
    "hub.accounts": 3,
    "hub.contacts": 3,
    "hub.devices": 3,
    "hub.gateways": 3,
    "hub.mail": 3,
    "hub.media": 3,
    "hub.messages": 3,
    "hub.webhooks": 3,
    "hub.live": 3,
    "hub.services": 3,
    "hub.http": 3,
    "hub.carriers": 4,
    "hub.dashboard": 4,
    "hub.dialects": 4,
    "hub.phones": 4,
}
"""A room's row; whatever of `hub` is not named is wiring, row 5."""

SHARED_IN_ADAPTER_FOLDERS = {"contract", "auth", "json_door", "requests", "sessions", "throttle"}
"""What vendor files of one folder may share."""

SQL_PACKAGES = {"sqlalchemy", "sqlmodel", "alembic", "sqlite3", "psycopg"}
PURE_PACKAGES = {
    0: {"msgspec"},
    1: {"msgspec", "phonenumbers"},
}
NO_INPUT_OR_OUTPUT = {"asyncio", "socket", "time", "subprocess", "pathlib", "os", "random", "secrets"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "base", "misc"}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the product, with its dotted name."""
    for folder in ("hub", "device_protocol"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path
    emulator = ROOT / "android-emulator"
    for path in sorted((emulator / "android_emulator").rglob("*.py")):
        yield ".".join(path.relative_to(emulator).with_suffix("").parts), path


def imports(path: Path) -> Iterator[str]:
    """Dotted names a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module != "hub":  # `from hub import devices` names the room, not the package above it
                yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def row_of(name: str) -> int | None:
    """The row of a dotted name of the product; None for other people's packages."""
    parts = name.split(".")
    if parts[0] not in ("hub", "device_protocol"):
        return None
    return next((ROWS[key] for key in (".".join(parts[:2]), parts[0]) if key in ROWS), 5)


MODULES = list(modules())


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_imports_point_downwards(name: str, path: Path) -> None:
    mine = row_of(name)
    for imported in imports(path):
        theirs = row_of(imported)
        if theirs is None:
            continue
        if name.startswith("android_emulator"):
            assert imported.split(".")[0] == "device_protocol", (
                f"{name} imports {imported}: the emulator never imports the hub"
            )
        elif mine is not None:
            assert theirs <= mine, f"{name} (row {mine}) imports {imported} (row {theirs})"


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_adapters_never_import_each_other(name: str, path: Path) -> None:
    parts = name.split(".")
    if len(parts) < 3 or ".".join(parts[:2]) not in ("hub.dialects", "hub.phones", "hub.carriers"):
        return
    for imported in imports(path):
        theirs = imported.split(".")
        if len(theirs) < 3 or theirs[:2] != parts[:2] or theirs[2] == parts[2]:
            continue
        assert theirs[2] in SHARED_IN_ADAPTER_FOLDERS, f"{name} imports its neighbour {imported}"


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_only_storage_knows_sql(name: str, path: Path) -> None:
    if name.startswith("hub.storage"):
        return
    used = {imported.split(".")[0] for imported in imports(path)}
    if name.startswith("android_emulator"):
        used.discard("sqlite3")
    allowed = {"sqlalchemy"} if row_of(name) in (3, 4) and _names_only_the_connection(path) else set()
    assert not (used & SQL_PACKAGES) - allowed, f"{name} imports {used & SQL_PACKAGES}"


def _names_only_the_connection(path: Path) -> bool:
    """Use cases that read are given a `Connection`; they may name its type and nothing else."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy":
            return {alias.name for alias in node.names} == {"Connection"}
    return False


@pytest.mark.parametrize(
    ("name", "path"), [item for item in MODULES if row_of(item[0]) in (0, 1)], ids=lambda value: str(value)[-40:]
)
def test_rules_do_no_input_or_output(name: str, path: Path) -> None:
    row = row_of(name)
    assert row is not None
    for imported in imports(path):
        top = imported.split(".")[0]
        assert top not in NO_INPUT_OR_OUTPUT, f"{name} imports {imported}: rules take clock and randomness as arguments"
        if row_of(imported) is None and top not in PURE_PACKAGES[row]:
            assert top in _standard_library(), f"{name} imports {imported}"


def _standard_library() -> frozenset[str]:
    import sys

    return sys.stdlib_module_names


def test_no_module_is_a_drawer() -> None:
    drawers = [name for name, _ in MODULES if name.rsplit(".", 1)[-1] in FORBIDDEN_NAMES]
    assert not drawers, f"name what is in it: {drawers}"
