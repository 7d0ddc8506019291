"""The first start on an empty database: an account, a key for programs, and a code for the first phone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hub.operations.accounts import account_list, account_of
from hub.operations.keys import key_create
from hub.operations.phones import enrol
from hub.services import Services

KEY_NAME = "first"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What was made. The key stands in a file that only this user reads: what a hub prints ends in logs."""

    key_file: Path
    picture: str
    code: str
    code_ends: str


async def make_first(services: Services) -> FirstStart | None:
    """Make them; None when the hub has an account already. A key file that is there is not overwritten, and none is made."""
    if (await account_list(services))["accounts"]:
        return None
    await account_of(services, None)
    path = services.config.data_dir / "first-key"
    if not path.exists():
        key = (await key_create(services, KEY_NAME))["key"]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{key}\n")
    code = await enrol(services)
    return FirstStart(path, code["picture"], code["text"], code["expires_at"])
