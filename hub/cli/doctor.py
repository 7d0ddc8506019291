"""`hub doctor`: what keeps this hub from doing its job, each with what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from hub.cli.asking import ask_here
from hub.cli.progress import ProgressLine
from hub.config import Config, ConfigurationError, read_config, settings_file
from hub.core.errors import HubError
from hub.core.progress import Tell
from hub.operations.admin_socket import ask_running_hub
from hub.operations.doctor import Finding, look_at_hub, look_at_machine

MARKS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Look what is wrong with this hub, and what to do about it.

    It changes nothing, and works whether the hub runs or not. The exit code is 1 when there is a problem.
    """
    found: list[Finding] = []
    with ProgressLine() as line:
        for finding in _findings(line.tell):
            line.finish()
            found.append(finding)
            if not as_json:
                _show(finding)
    problems = sum(one.level == "problem" for one in found)
    warnings = sum(one.level == "warning" for one in found)
    if as_json:
        print(json.dumps({"problems": problems, "warnings": warnings, "findings": msgspec.to_builtins(found)}))
    else:
        summary = f"{_many(problems, 'problem')}, {_many(warnings, 'warning')}."
        print(f"\n{summary.capitalize()}")
    if problems:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    print(f"{MARKS[finding.level]}  {finding.what:20} {finding.text}", flush=True)
    if finding.fix:
        print(f"{'':9}{'':20} → {finding.fix}", flush=True)


def _many(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def _findings(tell: Tell) -> Iterator[Finding]:
    try:
        config = read_config(os.environ)
    except ConfigurationError as error:
        yield Finding("problem", "Settings", str(error), "docs/configuration.md lists them all.")
        return
    file = settings_file(os.environ)
    yield Finding(
        "ok", "Settings", "Variables are understood." if file is None else f"Variables and {file} are understood."
    )
    is_openable = True
    for finding in look_at_machine(config, tell):
        is_openable &= finding.what not in ("Data folder", "Database", "Key file") or finding.level == "ok"
        yield finding
    yield from _inside(config, is_openable)


def _inside(config: Config, is_openable: bool) -> Iterator[Finding]:
    """What the running hub tells; without one what its data tells, when it can be opened without a change."""
    try:
        answer = ask_running_hub(config.data_dir, "doctor", {})
        yield look_at_hub(config, answer is not None)
        if answer is None and is_openable:
            answer = asyncio.run(ask_here(config, "doctor", {}))
    except (ConfigurationError, HubError) as error:
        text = str(error) if isinstance(error, ConfigurationError) else error.detail
        yield Finding("problem", "Hub", text)
        return
    if answer is not None:
        yield from msgspec.convert(answer["findings"], list[Finding])
