"""What a measurement found: a line of JSON among the lines it prints for people, and the file all of them end in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.processes import ROOT

LATEST = ROOT / "bench" / "out" / "latest.json"
_MARK = "RESULT "


def tell(key: str, ours: float, base: float, unit: str, **ratios: float) -> None:
    """Print one outcome. `ratios` are by what they compare (`by_rate`, `by_cpu`); the lowest of them is the one that counts."""
    rounded = {name: round(ratio, 3) for name, ratio in ratios.items()}
    found = {"ours": round(ours, 2), "base": round(base, 2), "ratio": min(rounded.values()), "unit": unit, **rounded}
    print(_MARK + json.dumps({key: found}), flush=True)


def told(output: str) -> dict[str, dict[str, Any]]:
    """Every outcome in what a program printed, by its key."""
    found: dict[str, dict[str, Any]] = {}
    for line in output.splitlines():
        if line.startswith(_MARK):
            found |= json.loads(line.removeprefix(_MARK))
    return found


def write(outcomes: Mapping[str, Mapping[str, Any]], path: Path = LATEST) -> None:
    """Store the outcomes of a whole run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(outcomes, indent=2, sort_keys=True) + "\n")
