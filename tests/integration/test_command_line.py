"""The operator's commands without a hub process: the wrong folder, and what the doctor sees."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.cli import app
from hub.config import ConfigurationError

Hub: TypeAlias = Callable[..., Result]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Runs `hub …` on data in a folder that is not there yet."""
    environment = {"HUB_DATA_DIR": str(tmp_path / "data"), "HUB_PUBLIC_URL": "https://sms.example.org"}

    def run(*words: str, **more: str) -> Result:
        return CliRunner().invoke(app, list(words), env={**environment, **more})

    return run


@pytest.mark.parametrize("words", [("status",), ("enrol",), ("key", "create", "x"), ("webhook", "list"), ("resume",)])
def test_in_a_folder_without_a_hub_a_command_says_so_and_makes_nothing(
    hub: Hub, tmp_path: Path, words: list[str]
) -> None:
    done = hub(*words)
    assert isinstance(done.exception, ConfigurationError)
    assert f"There is no hub's database in {tmp_path / 'data'}" in str(done.exception)
    assert "To begin a new hub here: hub serve" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def findings(done: Result) -> dict[str, tuple[str, str, str]]:
    """By what was looked at: level, text, fix."""
    told: dict[str, Any] = json.loads(done.stdout)
    return {one["what"]: (one["level"], one["text"], one["fix"]) for one in told["findings"]}


def test_doctor_tells_a_new_hub_what_is_next(hub: Hub, tmp_path: Path) -> None:
    empty = hub("doctor", "--json")
    assert empty.exit_code == 1
    assert findings(empty)["Data folder"][0] == "problem"
    assert list(tmp_path.iterdir()) == [], "a doctor makes nothing"
    assert hub("migrate").exit_code == 0
    assert hub("account", "create", "main").exit_code == 0
    told = hub("doctor")
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (0, "No problems, 3 warnings.")
    for said in ("hub serve", "hub user setup", "hub enrol"):
        assert said in told.stdout


def spoil(database: Path) -> None:
    """A row that its table forbids: the file opens, and only who reads it through finds out."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "create table spoilt (x); insert into spoilt values (null); pragma writable_schema = on;"
            "update sqlite_master set sql = 'create table spoilt (x not null)' where name = 'spoilt';"
        )


def test_doctor_names_what_is_broken_and_the_way_out(hub: Hub, tmp_path: Path) -> None:
    assert hub("migrate").exit_code == 0
    database, key = tmp_path / "data" / "hub.db", tmp_path / "data" / "hub.key"
    key.chmod(0o644)
    assert findings(hub("doctor", "--json"))["Key file"] == (
        "warning", f"{key} can be read by other users.", f"chmod 600 {key}",
    )  # fmt: skip
    key.unlink()
    spoil(database)
    sick = hub("doctor", "--json", HUB_PUBLIC_URL="http://sms.example.org")
    assert sick.exit_code == 1
    told = findings(sick)
    assert told["Key file"][0] == "problem"
    assert told["Database"][0] == "problem"
    assert "is damaged: " in told["Database"][1]
    assert "hub restore" in told["Database"][2]
    assert told["Address"][0] == "warning"
    assert not key.exists(), "a doctor makes nothing"


def test_doctor_names_a_wrong_setting(hub: Hub) -> None:
    done = hub("doctor", HUB_PROT="80")
    assert done.exit_code == 1
    assert "PROBLEM  Settings             HUB_PROT is not a setting" in done.stdout
