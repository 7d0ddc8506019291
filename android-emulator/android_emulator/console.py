"""What happens to a phone that runs as a command: one line of text each, from standard input.

    text +14155550199 Are you open today?     a text comes in (slot 0; `text:1 …` for the second card)
    call +14155550199                         a call is missed (`call hidden`: the caller hides the number)
    mms +14155550199                          an MMS waits at the operator's server
    picture +14155550199 cat.png Look!        an MMS comes in, with a file and words
    service off|none|on                       airplane mode, no service, back in service
    battery 15 [charging]
    permission send_sms off
    clock -600                                the wall clock steps, in seconds
    cut | deaf                                the connection breaks, or goes half-open
    status                                    one sentence on how things stand
    quit

Each line is answered `done: …` once what it says is on the phone's disk, or `error: …`.
"""

import asyncio
import mimetypes
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from android_emulator.inbound import Attachment
from android_emulator.phone import EmulatedPhone
from android_emulator.radio import Service

_SERVICES: Final = {"on": Service.IN_SERVICE, "none": Service.NO_SERVICE, "off": Service.OFF}


async def typed_lines() -> AsyncIterator[str]:
    """Lines of standard input that are not empty, until it ends; no thread is left waiting when this is cancelled."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        return  # a file or /dev/null: nobody types there
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            if text := line.decode(errors="replace").strip():
                yield text
    finally:
        transport.close()


class Console:
    """Carries out lines on one phone."""

    def __init__(self, phone: EmulatedPhone, say: Callable[[str], None]) -> None:
        self._phone = phone
        self._say = say
        self._words: dict[str, Callable[[int, str], Awaitable[str | None]]] = {
            "text": self._text,
            "call": self._call,
            "mms": self._mms,
            "picture": self._picture,
            "service": self._service,
            "battery": self._battery,
            "permission": self._permission,
            "clock": self._clock,
            "cut": self._cut,
            "deaf": self._deaf,
            "status": self._status,
        }

    async def run(self) -> None:
        """Until `quit`, or the end of standard input."""
        async for line in typed_lines():
            if line == "quit":
                return
            self._say(await self.carry_out(line))

    async def carry_out(self, line: str) -> str:
        """One line; the answer."""
        word, _, rest = line.partition(" ")
        name, _, slot = word.partition(":")
        act = self._words.get(name)
        if act is None:
            return f"error: no such word as {name!r}; there are {', '.join(self._words)}, quit"
        try:
            return f"done: {await act(int(slot or 0), rest.strip()) or line}"
        except (ValueError, KeyError) as error:
            return f"error: {error}"

    async def _text(self, slot: int, rest: str) -> str | None:
        sender, _, text = rest.partition(" ")
        was_seen = await self._phone.receive_text(sender, text, slot=slot)
        return None if was_seen else "the app may not receive SMS and never saw it"

    async def _call(self, slot: int, rest: str) -> None:
        await self._phone.miss_call(None if rest == "hidden" else rest, slot=slot)

    async def _mms(self, slot: int, rest: str) -> None:
        await self._phone.notice_mms(rest or None, slot=slot)

    async def _picture(self, slot: int, rest: str) -> None:
        sender, _, rest = rest.partition(" ")
        name, _, text = rest.partition(" ")
        path = Path(name)
        content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        attachment = Attachment(content_type, await asyncio.to_thread(path.read_bytes), path.name)
        await self._phone.receive_mms(sender, attachment, text=text, slot=slot)

    async def _service(self, _slot: int, rest: str) -> None:
        await self._phone.set_service(_SERVICES[rest])

    async def _battery(self, _slot: int, rest: str) -> None:
        percent, _, charging = rest.partition(" ")
        self._phone.set_battery(int(percent), is_charging=charging == "charging")

    async def _permission(self, _slot: int, rest: str) -> None:
        word, _, switch = rest.partition(" ")
        self._phone.set_permission(word, is_granted=switch == "on")

    async def _clock(self, _slot: int, rest: str) -> None:
        self._phone.clock.step(round(float(rest) * 1000))

    async def _cut(self, _slot: int, _rest: str) -> None:
        self._phone.cut()

    async def _deaf(self, _slot: int, _rest: str) -> None:
        self._phone.go_deaf()

    async def _status(self, _slot: int, _rest: str) -> str:
        return self._phone.describe()
