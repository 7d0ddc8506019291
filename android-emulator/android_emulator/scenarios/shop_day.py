"""A day in a shop: a question comes in and is answered, an order is announced, a call is missed and called back by text."""

from android_emulator.scenarios import Stage, Story

ASKS, ORDERED, CALLED = "+14155550171", "+14155550172", "+14155550173"


async def play(stage: Stage) -> None:
    """Every text arrives once on its side, and the phone has got rid of all it had to tell."""
    for number in (ASKS, ORDERED, CALLED):
        await stage.customer(number)
    await stage.customer_writes(ASKS, "Are you open on Sunday?")
    await stage.phone.wait_acknowledged()
    await stage.send(ASKS, "Yes, from ten to four.")
    await stage.customer_has(ASKS, "Yes, from ten to four.")
    await stage.customer_writes(ASKS, "Great, thank you! 🙂")
    await stage.send(ORDERED, "Your bicycle is repaired. The shop closes at six.")
    await stage.customer_has(ORDERED, "Your bicycle is repaired. The shop closes at six.")
    stage.say(f"{CALLED} calls and nobody answers")
    await stage.phone.miss_call(CALLED)
    await stage.send(CALLED, "Sorry we missed your call. How can we help?")
    await stage.customer_has(CALLED, "Sorry we missed your call. How can we help?")
    await stage.phone.wait_acknowledged()


STORY = Story("shop day", "a conversation both ways, an announcement, a missed call answered by text", play)
