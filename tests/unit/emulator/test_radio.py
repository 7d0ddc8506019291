import asyncio
from dataclasses import dataclass, field

import pytest

from android_emulator.air import MemoryAir
from android_emulator.cell_network import CellNetwork, Text
from android_emulator.magic_numbers import BEHAVIOURS, RECOVERS, MagicNumbers
from android_emulator.pace import SegmentWindow
from android_emulator.radio import (
    TP_DELIVERED,
    TP_FAILED,
    TP_STILL_TRYING,
    Radio,
    RadioCall,
    RadioListener,
    Service,
)
from android_emulator.radio_outcomes import (
    CARRIER_REJECT,
    NEVER_TOLD,
    NO_REPORT,
    UNDELIVERED,
    Outcome,
    Report,
    partial,
)
from android_emulator.result_codes import ResultCode
from tests.unit.emulator.manual_clock import ManualClock, settle

pytestmark = pytest.mark.anyio

US, CUSTOMER = "+14155550101", "+14155550199"


@dataclass
class Told:
    """What a radio told, in order."""

    results: list[tuple[int, int, int | None]] = field(default_factory=list)
    reports: list[tuple[int, int]] = field(default_factory=list)

    @property
    def listener(self) -> RadioListener:
        async def on_result(segment: int, code: int, network_code: int | None) -> None:
            self.results.append((segment, code, network_code))

        async def on_report(segment: int, status: int) -> None:
            self.reports.append((segment, status))

        return RadioListener(on_result, on_report)


@dataclass
class Bench:
    clock: ManualClock = field(default_factory=ManualClock)
    air: MemoryAir = field(default_factory=MemoryAir)
    network: CellNetwork = field(default_factory=CellNetwork)
    told: Told = field(default_factory=Told)

    def radio(self, limit: int = 30) -> Radio:
        return Radio(self.air, self.clock, network=self.network, os_segments_per_minute=limit)

    def aired(self) -> list[tuple[str, int, int]]:
        return [(segment.recipient, segment.segment, segment.segments) for segment in self.air.aired]


def call(recipient: str = CUSTOMER, segments: int = 1, *, wants_report: bool = True) -> RadioCall:
    return RadioCall(US, recipient, [f"part {n} " for n in range(segments)], wants_report)


async def test_a_text_goes_out_segment_by_segment_and_is_reported_delivered() -> None:
    bench = Bench()
    await bench.radio().send(call(segments=3), bench.told.listener)
    await settle()
    assert bench.aired() == [(CUSTOMER, 0, 3), (CUSTOMER, 1, 3), (CUSTOMER, 2, 3)]
    assert {segment.text for segment in bench.air.aired} == {"part 0 part 1 part 2 "}
    assert bench.told.results == [(n, ResultCode.OK, None) for n in range(3)]
    assert bench.told.reports == [(n, TP_DELIVERED) for n in range(3)]


async def test_a_report_is_told_only_to_who_wants_it() -> None:
    bench = Bench()
    await bench.radio().send(call(wants_report=False), bench.told.listener)
    await settle()
    assert bench.told.reports == []


async def test_partial_airs_only_what_the_network_took_and_brings_no_report() -> None:
    bench = Bench()
    radio = bench.radio()
    radio.script.when(partial(1), recipient=CUSTOMER)
    await radio.send(call(segments=3), bench.told.listener)
    await settle()
    assert bench.aired() == [(CUSTOMER, 0, 3)]
    assert [code for _, code, _ in bench.told.results] == [ResultCode.OK, *[ResultCode.NETWORK_ERROR] * 2]
    assert bench.told.reports == []


async def test_a_generic_failure_may_carry_the_networks_cause() -> None:
    bench = Bench()
    radio = bench.radio()
    radio.script.when(CARRIER_REJECT)
    await radio.send(call(), bench.told.listener)
    assert bench.told.results == [(0, ResultCode.GENERIC_FAILURE, 38)]
    assert bench.aired() == []


async def test_a_radio_that_never_answers_has_still_sent() -> None:
    bench = Bench()
    radio = bench.radio()
    radio.script.when(NEVER_TOLD)
    await radio.send(call(), bench.told.listener)
    await settle()
    assert bench.aired() == [(CUSTOMER, 0, 1)]
    assert (bench.told.results, bench.told.reports) == ([], [])


@pytest.mark.parametrize(
    ("service", "code"), [(Service.OFF, ResultCode.RADIO_OFF), (Service.NO_SERVICE, ResultCode.NO_SERVICE)]
)
async def test_out_of_service_every_segment_is_refused(service: Service, code: int) -> None:
    bench = Bench()
    radio = bench.radio()
    radio.service = service
    await radio.send(call(segments=2), bench.told.listener)
    assert bench.told.results == [(0, code, None), (1, code, None)]
    assert bench.aired() == []


async def test_the_systems_limit_counts_segments_in_a_sliding_minute() -> None:
    bench = Bench()
    radio = bench.radio(limit=3)
    await radio.send(call(segments=2), bench.told.listener)
    await radio.send(call(segments=2), bench.told.listener)
    assert [code for _, code, _ in bench.told.results] == [*[ResultCode.OK] * 2, *[ResultCode.LIMIT_EXCEEDED] * 2]
    await bench.clock.advance(60)
    await radio.send(call(segments=2), bench.told.listener)
    assert len(bench.air.aired) == 4


def test_no_limit_admits_everything_and_a_long_text_waits_for_an_empty_window() -> None:
    clock = ManualClock()
    assert SegmentWindow(clock, 0).wait_seconds(10_000) == 0
    window = SegmentWindow(clock, 3)
    assert window.wait_seconds(5) == 0
    window.count(2)
    assert window.wait_seconds(1) == 0
    assert window.wait_seconds(5) == 60


async def test_a_delay_holds_the_text_back_and_those_behind_it() -> None:
    bench = Bench()
    radio = bench.radio()
    radio.script.when(Outcome(delay_seconds=5), text="part", times=1)
    first = asyncio.create_task(radio.send(call(CUSTOMER), bench.told.listener))
    await settle()
    second = asyncio.create_task(radio.send(call("+14155550198"), bench.told.listener))
    await bench.clock.advance(4.9)
    assert bench.aired() == []
    await bench.clock.advance(0.2)
    await asyncio.gather(first, second)
    assert [recipient for recipient, _, _ in bench.aired()] == [CUSTOMER, "+14155550198"]


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (NO_REPORT, []),
        (UNDELIVERED, [TP_FAILED]),
        (Outcome(report=Report.STILL_TRYING), [TP_STILL_TRYING, TP_DELIVERED]),
        (Outcome(report=Report.DELIVERED), [TP_DELIVERED]),
    ],
)
async def test_delivery_reports_follow_the_script(outcome: Outcome, statuses: list[int]) -> None:
    bench = Bench()
    radio = bench.radio()
    radio.script.when(outcome)
    await radio.send(call(), bench.told.listener)
    await settle()
    assert [status for _, status in bench.told.reports] == statuses


async def test_a_late_report_comes_late() -> None:
    bench = Bench()
    radio = bench.radio()
    await radio.send(call("+12125550103"), bench.told.listener)
    await bench.clock.advance(59)
    assert bench.told.reports == []
    await bench.clock.advance(1)
    assert bench.told.reports == [(0, TP_DELIVERED)]


async def test_a_closed_radio_reports_no_more() -> None:
    bench = Bench()
    radio = bench.radio()
    await radio.send(call("+12125550103"), bench.told.listener)
    await settle()
    await radio.aclose()
    await bench.clock.advance(120)
    assert bench.told.reports == []


async def test_an_undeliverable_stranger_fails_where_the_network_says_so() -> None:
    bench = Bench(network=CellNetwork(strangers_receive=False))
    await bench.radio().send(call(), bench.told.listener)
    await settle()
    assert bench.told.reports == [(0, TP_FAILED)]


async def test_a_text_reaches_the_other_emulated_number() -> None:
    bench = Bench()
    arrived: list[Text] = []

    async def receive(text: Text) -> None:
        arrived.append(text)

    await bench.network.attach(CUSTOMER, receive)
    await bench.radio().send(call(), bench.told.listener)
    await settle()
    assert arrived == [Text(US, CUSTOMER, "part 0 ")]


def test_magic_numbers_cover_every_result_code_and_are_told_apart() -> None:
    magic = MagicNumbers()
    assert magic.outcome_for("+12025550104") == Outcome(codes=(ResultCode.NO_SERVICE,))
    assert magic.outcome_for("+12035550120") == Outcome(codes=(120,))
    assert magic.outcome_for(CUSTOMER) is None
    assert magic.outcome_for("+12125550101") == BEHAVIOURS["+12125550101"][1]
    assert len({outcome for _, outcome in BEHAVIOURS.values()}) == len(BEHAVIOURS)


def test_the_recovering_number_fails_once() -> None:
    magic = MagicNumbers()
    assert magic.outcome_for(RECOVERS) == Outcome(codes=(ResultCode.NO_SERVICE,))
    assert magic.outcome_for(RECOVERS) is None
