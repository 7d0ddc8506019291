"""Stories that phones, customers and a hub play together, one a file: for demos, and for tests that check their end.

Each file has one `STORY`. A story knows the phones and the cell network; how a text is asked of the hub is handed in by whoever
plays it, since every hub API has its own way.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from android_emulator.cell_network import CellNetwork, Text
from android_emulator.phone import EmulatedPhone

SendByHub = Callable[[str, str], Awaitable[None]]
"""(recipient, text): ask the hub to send; returns once the hub has taken it."""


@dataclass(slots=True)
class Stage:
    """Who is there when a story is played: enrolled phones that are online, on one network."""

    phones: Sequence[EmulatedPhone]
    network: CellNetwork
    send: SendByHub
    say: Callable[[str], None] = lambda sentence: None
    inbox: dict[str, list[str]] = field(default_factory=dict)
    """What each customer of the story has received."""

    @property
    def phone(self) -> EmulatedPhone:
        """The first phone."""
        return self.phones[0]

    @property
    def shop(self) -> str:
        """The number of the first phone's first card."""
        return self.phone.tray.inserted()[0].card.number

    async def customer(self, number: str) -> str:
        """A customer whose phone is on; what arrives there is in `inbox`."""
        texts = self.inbox.setdefault(number, [])

        async def receive(text: Text) -> None:
            texts.append(text.text)
            self.say(f"{number} receives: {text.text}")
            self.phone.look_again()

        await self.network.attach(number, receive)
        return number

    async def customer_writes(self, number: str, text: str) -> None:
        """A customer texts the shop; returns once the phone has it on disk."""
        self.say(f"{number} writes: {text}")
        await self.network.carry(Text(number, self.shop, text))

    async def customer_has(self, number: str, text: str) -> None:
        """Wait until a customer has received this text."""
        await self.phone.until(lambda: text in self.inbox[number], f"{number} receives {text!r}")


@dataclass(frozen=True, slots=True)
class Story:
    """A name to call it by, what it shows, and how it goes."""

    name: str
    shows: str
    play: Callable[[Stage], Awaitable[None]]
    phones: int = 1
    """How many phones it needs."""


def stories() -> dict[str, Story]:
    """Every story of this folder, by name."""
    found: Final[dict[str, Story]] = {}
    for module in pkgutil.iter_modules(__path__):
        story: Story = importlib.import_module(f"{__name__}.{module.name}").STORY
        found[story.name] = story
    return found
