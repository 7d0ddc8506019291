"""Backup, restore and the end of a restored hub's hold, as the operator's commands."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hub.config import Config, ConfigurationError
from hub.core.ids import IdSource
from hub.core.progress import Tell, unheard
from hub.devices.hold import EndHold, end_hold
from hub.services import Services
from hub.stopping import in_thread
from hub.storage.backup import back_up, restore


async def backup(services: Services, target: str, with_key: bool = False, tell: Tell = unheard) -> Mapping[str, Any]:
    """`hub backup TARGET`: the database as it is at one instant, while the hub goes on."""
    path = Path(target)
    await in_thread(partial(back_up, services.config.storage_url, path), tell)
    text = f"The database is in {path}."
    if with_key:
        key = path.with_name(path.name + ".key")
        await asyncio.to_thread(_copy_key, services.config.key_path, key)
        text += f" The key file is in {key}: whoever has both can read everything."
    else:
        text += (
            f" The key file is NOT in it: keep a copy of {services.config.key_path} elsewhere. "
            "Without it, webhook secrets and phones' sessions are lost."
        )
    return {"path": str(path), "with_key": with_key, "text": text}


def _copy_key(source: Path, target: Path) -> None:
    if target.exists():
        raise ConfigurationError(f"{target} exists already: a backup overwrites nothing.")
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def restore_here(config: Config, source: Path, tell: Tell = unheard) -> str:
    """`hub restore SOURCE`: put a backup in place of the data; no hub may run. Returns what to know next.

    A key file beside the backup comes with it; one that is here already stays.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True)
    now = int(time.time() * 1000)
    epoch = IdSource(0, secrets.token_bytes).next(now)
    kept = restore(config.storage_url, source, epoch=epoch, now=now, tell=tell)
    lines = [
        "The backup is in place. The hub starts with sending held until its phones have told what they sent since."
    ]
    if kept is not None:
        lines.append(f"The data of before is kept as {kept}.")
    key = source.with_name(source.name + ".key")
    if key.exists() and not config.key_path.exists():
        shutil.copyfile(key, config.key_path)
        config.key_path.chmod(0o600)
        lines.append("Its key file came with it.")
    elif not config.key_path.exists():
        lines.append(f"There is no key file: put the old one to {config.key_path} before you start the hub.")
    lines.append("Next: hub serve, then hub status.")
    return "\n".join(lines)


async def resume(services: Services, is_risk_accepted: bool = False) -> Mapping[str, Any]:
    """`hub resume`: end the hold; without the risk accepted only when every phone has answered."""
    command = EndHold(hub_epoch=services.hub_epoch, is_risk_accepted=is_risk_accepted)
    was_held = await services.db.writer.submit(end_hold, command, *command.keys())
    return {"text": "Sending goes on." if was_held else "Sending was not held."}
