import pytest

from android_emulator.cell_network import CellNetwork
from android_emulator.phone import EmulatedPhone
from android_emulator.scenarios import Stage, Story, stories
from android_emulator.sim import SimCard
from android_emulator.uplink import Timing
from tests.unit.emulator.fake_hub import fake_hub

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("story", stories().values(), ids=lambda story: story.name)
async def test_the_story_ends_well(story: Story) -> None:
    network = CellNetwork()
    async with fake_hub() as hub:
        phones = [
            EmulatedPhone(sims=[SimCard(f"card-{n}", f"+1415555010{n}")], network=network, timing=Timing.hasty())
            for n in range(story.phones)
        ]
        for phone in phones:
            await phone.switch_on()
            await phone.enrol(hub.qr_text())
            await phone.wait_online()
        first = phones[0].device_id or ""

        async def send(recipient: str, text: str) -> None:
            await hub.offer(first, recipient, text, hub.line_of(first))

        stage = Stage(phones, network, send)
        await story.play(stage)
        for texts in stage.inbox.values():
            assert len(texts) == len(set(texts))
        for phone in phones:
            await phone.switch_off()
        await network.aclose()


def test_every_file_is_a_story_with_a_name_of_its_own() -> None:
    assert set(stories()) == {"shop day", "dead spot", "flat battery", "moved card"}
    assert all(story.shows for story in stories().values())
