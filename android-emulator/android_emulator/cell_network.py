"""The cell network between emulated numbers: carries texts, keeps them for phones that are off, and reports delivery.

A number nobody here has ever had stands for a customer somewhere: texts to it are delivered, to nobody.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from android_emulator.conditions import Conditions


@dataclass(frozen=True, slots=True)
class Text:
    """One whole message between two numbers."""

    sender: str
    recipient: str
    text: str


Receive = Callable[[Text], Awaitable[None]]
"""Called with a text that arrives; once it returns, the network holds the text delivered."""


class CellNetwork:
    """Who can be reached at which number, and what waits for those who cannot."""

    def __init__(self, *, delay_seconds: float = 0.0, strangers_receive: bool = True) -> None:
        self.delay_seconds = delay_seconds
        """How long a text travels."""
        self.strangers_receive = strangers_receive
        """Whether texts to numbers nobody here has count as delivered; else their delivery fails."""
        self.strangers_answer: Callable[[str], str] | None = None
        """What customers answer to a text, whoever they are; None: they stay silent."""
        self._receivers: dict[str, Receive] = {}
        self._known: set[str] = set()
        self._held: defaultdict[str, list[tuple[Text, asyncio.Future[None]]]] = defaultdict(list)
        self._errands: set[asyncio.Task[None]] = set()
        self._conditions = Conditions(lambda: f"It keeps texts for {sorted(self._held)}.")

    async def attach(self, number: str, receive: Receive) -> None:
        """A phone with this number is on; it gets what was kept for it first. A number rings in one place: the last."""
        self._receivers[number] = receive
        self._known.add(number)
        for text, arrived in self._held.pop(number, []):
            await receive(text)
            if not arrived.done():
                arrived.set_result(None)

    def detach(self, number: str) -> None:
        """The phone is off, or the card is out of it: texts are kept until it is back."""
        self._receivers.pop(number, None)

    async def carry(self, text: Text) -> bool:
        """Take a text to its recipient; returns whether it was delivered, and waits while that phone is off."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        if receive := self._receivers.get(text.recipient):
            await receive(text)
            return True
        if text.recipient not in self._known:
            if self.strangers_receive and self.strangers_answer is not None:
                self.post(Text(text.recipient, text.sender, self.strangers_answer(text.text)))
            return self.strangers_receive
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held[text.recipient].append((text, arrived))
        self._conditions.look_again()
        await arrived
        return True

    def held_for(self, number: str) -> int:
        """Texts kept for a number that cannot be reached."""
        return len(self._held.get(number, ()))

    async def until_held(self, number: str, texts: int) -> None:
        """Until the network keeps so many texts for a number."""
        await self._conditions.until(lambda: self.held_for(number) >= texts, f"{texts} text(s) wait for {number}")

    def post_from(self, sender: str, recipient: str, text: str) -> None:
        """Somebody writes to somebody; not waited for."""
        self.post(Text(sender, recipient, text))

    def post(self, text: Text) -> None:
        """Carry a text without waiting for the outcome."""
        self._start(self._carry_quietly(text))

    async def aclose(self) -> None:
        """Stop what still travels."""
        errands = list(self._errands)
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)

    async def _carry_quietly(self, text: Text) -> None:
        await self.carry(text)

    def _start(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


class EchoCustomer:
    """A number that answers every text, for demos and loops: `You said: …` unless told otherwise."""

    def __init__(
        self, network: CellNetwork, number: str, reply: Callable[[str], str] = lambda text: f"You said: {text}"
    ) -> None:
        self.number = number
        self.received: list[Text] = []
        self._network = network
        self._reply = reply

    async def switch_on(self) -> None:
        await self._network.attach(self.number, self._answer)

    async def _answer(self, text: Text) -> None:
        self.received.append(text)
        self._network.post(Text(self.number, text.sender, self._reply(text.text)))
