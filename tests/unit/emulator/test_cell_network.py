import asyncio

import pytest

from android_emulator.cell_network import CellNetwork, EchoCustomer, Text
from tests.unit.emulator.manual_clock import settle

pytestmark = pytest.mark.anyio

A, B = "+14155550101", "+14155550102"


class Inbox:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def receive(self, text: Text) -> None:
        self.texts.append(text.text)


async def test_texts_for_a_phone_that_is_off_wait_and_arrive_in_order() -> None:
    network, inbox = CellNetwork(), Inbox()
    await network.attach(B, inbox.receive)
    network.detach(B)
    carrying = [asyncio.create_task(network.carry(Text(A, B, f"{n}"))) for n in range(3)]
    await settle()
    assert network.held_for(B) == 3
    assert not any(task.done() for task in carrying)
    await network.attach(B, inbox.receive)
    assert await asyncio.gather(*carrying) == [True, True, True]
    assert inbox.texts == ["0", "1", "2"]
    assert network.held_for(B) == 0


async def test_a_sender_that_stopped_waiting_does_not_lose_the_text() -> None:
    network, inbox = CellNetwork(), Inbox()
    await network.attach(B, inbox.receive)
    network.detach(B)
    carrying = asyncio.create_task(network.carry(Text(A, B, "still here")))
    await settle()
    carrying.cancel()
    await network.attach(B, inbox.receive)
    assert inbox.texts == ["still here"]


async def test_an_echo_customer_answers() -> None:
    network, inbox = CellNetwork(), Inbox()
    await network.attach(A, inbox.receive)
    customer = EchoCustomer(network, B)
    await customer.switch_on()
    assert await network.carry(Text(A, B, "hello"))
    await settle()
    assert inbox.texts == ["You said: hello"]
    assert customer.received == [Text(A, B, "hello")]
    await network.aclose()


async def test_strangers_answer_when_they_are_told_to() -> None:
    network, inbox = CellNetwork(), Inbox()
    await network.attach(A, inbox.receive)
    network.strangers_answer = lambda text: f"Re: {text}"
    assert await network.carry(Text(A, "+14155550777", "hello"))
    await settle()
    assert inbox.texts == ["Re: hello"]
    await network.aclose()
