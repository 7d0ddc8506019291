"""The phone is carried through a cellar: no service for a while, texts both ways wait, and all arrive once when it is back."""

from android_emulator.radio import Service
from android_emulator.scenarios import Stage, Story

CUSTOMER = "+14155550174"


async def play(stage: Stage) -> None:
    """What customers write meanwhile waits in the network, what the hub has to send waits in the hub."""
    await stage.customer(CUSTOMER)
    await stage.phone.set_service(Service.NO_SERVICE)
    stage.say("the phone has no service")
    waiting = stage.network.held_for(stage.shop)
    stage.network.post_from(CUSTOMER, stage.shop, "Anybody there?")
    await stage.network.until_held(stage.shop, waiting + 1)
    await stage.phone.set_service(Service.IN_SERVICE)
    stage.say("the phone is back in service")
    await stage.phone.wait_event("sms:received")
    await stage.phone.wait_acknowledged()
    await stage.send(CUSTOMER, "Sorry, we were in the cellar.")
    await stage.customer_has(CUSTOMER, "Sorry, we were in the cellar.")
    await stage.phone.wait_acknowledged()


STORY = Story("dead spot", "no service for a while: nothing is lost, nothing is sent twice", play)
