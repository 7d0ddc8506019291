"""The settings file: TOML with a line for each setting, named as its variable is, without `HUB_` and in small letters.

    data_dir = "/var/lib/handset-hub"
    port = 8443
    tls = "auto"

It stands beside the variables or instead of them; a variable wins over the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

USUAL = Path("hub.toml")
"""Read when it is there and no other one is named."""


def read_settings(path: Path, known: Collection[str]) -> dict[str, str]:
    """What the file says, by setting, as the environment would hold it. `known`: the settings there are, in small letters.

    Raises ValueError with a sentence that names the file, the setting and what to write instead.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"HUB_CONFIG names {path}, which cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f'{path} is no TOML: {error}. Write lines such as port = 8080 or tls = "auto".') from error
    return {name: _text(path, name, value, known) for name, value in written.items()}


def _text(path: Path, name: str, value: object, known: Collection[str]) -> str:
    if name not in known:
        bare = name.lower().removeprefix("hub_")
        near = [bare] if bare in known else get_close_matches(bare, known, 1)
        meant = f"did you mean {near[0]}?" if near else "see docs/configuration.md for the list."
        raise ValueError(f"{path}: {name} is not a setting: {meant}")
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f'{path}: {name} has to be a number or a text in quotes, such as {name} = "…".')
