"""The phone's battery dies in the middle of the day; it comes back by itself and goes on where it was."""

from android_emulator.scenarios import Stage, Story

CUSTOMER = "+14155550175"


async def play(stage: Stage) -> None:
    """A text that came in just before is not lost; one that came in while the phone was off arrives after it."""
    await stage.customer(CUSTOMER)
    await stage.phone.receive_text(CUSTOMER, "Just before the battery died")
    stage.say("the battery is empty")
    await stage.phone.run_flat()
    stage.network.post_from(CUSTOMER, stage.shop, "While the phone was off")
    await stage.network.until_held(stage.shop, 1)
    stage.say("the phone is charged and on again")
    await stage.phone.switch_on()
    await stage.phone.wait_online()
    await stage.phone.wait_event("sms:received", 2)
    await stage.send(CUSTOMER, "We are back.")
    await stage.customer_has(CUSTOMER, "We are back.")
    await stage.phone.wait_acknowledged()


STORY = Story("flat battery", "a phone that dies and comes back loses nothing", play)
