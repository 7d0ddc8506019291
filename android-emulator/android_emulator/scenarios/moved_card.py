"""The shop's card moves from a broken phone into a spare one: customers notice nothing."""

from android_emulator.scenarios import Stage, Story

CUSTOMER = "+14155550176"


async def play(stage: Stage) -> None:
    """Texts to the number reach the spare phone from then on."""
    await stage.customer(CUSTOMER)
    broken, spare = stage.phones
    number = stage.shop
    await stage.customer_writes(CUSTOMER, "Before the move")
    await broken.wait_acknowledged()
    slot = broken.tray.inserted()[0].slot
    free = next(slot for slot in (0, 1) if spare.tray.in_slot(slot) is None)
    stage.say("the card moves to the spare phone")
    await broken.move_sim(slot, spare, free)
    await spare.wait_acknowledged()
    await broken.wait_acknowledged()
    stage.network.post_from(CUSTOMER, number, "After the move")
    await spare.wait_event("sms:received")
    await spare.wait_acknowledged()


STORY = Story("moved card", "a card in another phone: the number goes on", play, phones=2)
