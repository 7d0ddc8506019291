import pytest

from android_emulator.air import Aired
from android_emulator.fleet import Fleet, fleet_number
from android_emulator.report import report_on, texts_of
from android_emulator.uplink import Timing
from tests.unit.emulator.fake_hub import fake_hub

pytestmark = pytest.mark.anyio


async def test_a_fleet_comes_online_sends_and_is_counted() -> None:
    said: list[str] = []
    async with fake_hub() as hub:

        async def invite(_index: int) -> str:
            return hub.qr_text()

        async with Fleet(40, invite, timing=Timing.hasty(), say=said.append) as fleet:
            assert fleet.online == 40
            for index, phone in enumerate(fleet.phones):
                device_id = phone.device_id or ""
                await hub.offer(device_id, f"+1415555{index:04d}", "Hello", hub.line_of(device_id))
                await phone.receive_text("+14155550199", "Hi")
            for index, phone in enumerate(fleet.phones):
                await phone.wait_sent(f"+1415555{index:04d}")
                await phone.wait_event("sms:delivered")
                await phone.wait_acknowledged()
            report = fleet.report()
        assert (report.phones, report.online) == (40, 40)
        assert (report.texts_aired, report.texts_doubled) == (40, 0)
        assert report.jobs == {"sent": 40}
        assert report.events_unacknowledged == 0
        assert report.latency_worst_ms is not None
        assert "40 texts on air, 0 of them twice or more" in report.lines()
        assert said == ["40 of 40 phones", "40 of 40 phones"]


def test_a_doubled_text_is_counted_by_recipient_and_words() -> None:
    aired = [Aired("s", "r", "text", segment, 2, 0) for segment in (0, 1, 0)] + [Aired("s", "r", "other", 0, 1, 0)]
    assert texts_of(aired) == {("r", "text"): 2, ("r", "other"): 1}
    report = report_on([], aired)
    assert (report.texts_aired, report.texts_doubled) == (2, 1)
    assert report.lines()[0] == "0 of 0 phones online"


def test_numbers_of_a_fleet_are_all_different() -> None:
    assert len({fleet_number(index) for index in range(5000)}) == 5000
    assert fleet_number(7) == "+15002000007"
