"""Which SIM is which line: the decision alone, over every shuffle."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.devices.lines import SimFact, candidates_among, match_sims
from hub.storage.lines import LineRecord


def line(
    id_: str,
    *,
    device: str | None = "here",
    sub: int | None = 1,
    carrier: str | None = "EE",
    number: str | None = None,
    tail: str = "",
    **values: object,
) -> LineRecord:
    fingerprint = f"{(carrier or '').lower()}/{tail or (number or '')[-4:]}"
    return LineRecord(
        id=id_,
        account_id="a",
        name=id_,
        device_id=device,
        subscription_id=sub,
        slot=0,
        carrier=carrier,
        number=number,
        fingerprint=fingerprint,
        created_at=0,
        **values,  # type: ignore[arg-type]
    )


def fact(slot: int = 0, *, sub: int = 1, carrier: str | None = "EE", number: str | None = None) -> SimFact:
    fingerprint = f"{(carrier or '').lower()}/{(number or '')[-4:]}"
    return SimFact(slot=slot, subscription_id=sub, fingerprint=fingerprint, carrier=carrier, number=number)


def matched(sims: list[SimFact], lines: list[LineRecord]) -> list[str | None]:
    return [found.id if found is not None else None for found in match_sims("here", sims, lines)]


def test_a_number_is_found_wherever_its_line_was() -> None:
    assert matched([fact(sub=9, number="+441")], [line("A", device="there", number="+441")]) == ["A"]


def test_of_two_lines_with_one_number_the_one_here_stays_here() -> None:
    both = [line("A", device="there", number="+441"), line("B", number="+441")]
    assert matched([fact(number="+441")], both) == ["B"]


def test_a_number_beats_a_place() -> None:
    lines = [line("A", sub=1, number="+441"), line("B", sub=2, number="+442")]
    assert matched([fact(0, sub=2, number="+441"), fact(1, sub=1, number="+442")], lines) == ["A", "B"]


@pytest.mark.parametrize(
    ("known", "told", "is_same"),
    [
        (line("A"), fact(), True),
        (line("A", carrier=None), fact(carrier="EE"), True),
        (line("A", carrier="ee "), fact(carrier="EE"), True),
        (line("A", carrier="O2"), fact(carrier="EE"), False),
        (line("A", number="+441"), fact(), True),
        (line("A"), fact(number="+441"), True),
        (line("A", number="+441"), fact(number="+442"), False),
        (line("A", number="+449", tail="+441"[-4:]), fact(number="+441"), True),  # the operator corrected the number
        (line("A", sub=2, carrier="O2"), fact(), False),
    ],
)
def test_the_same_place_is_the_same_sim_unless_something_contradicts(
    known: LineRecord, told: SimFact, is_same: bool
) -> None:
    assert matched([told], [known]) == (["A"] if is_same else [None])


def test_a_fingerprint_counts_when_only_one_line_here_has_it() -> None:
    assert matched([fact(sub=7)], [line("A", sub=1)]) == ["A"]
    assert matched([fact(sub=7)], [line("A", sub=1), line("B", sub=2)]) == [None]
    assert matched([fact(sub=7)], [line("A", sub=1, device="there")]) == [None]


SIMS = st.lists(
    st.builds(
        fact,
        st.integers(0, 3),
        sub=st.integers(1, 4),
        carrier=st.sampled_from(["EE", "O2", None]),
        number=st.sampled_from([None, "+441", "+442"]),
    ),
    max_size=4,
)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["here", "there", None]),
        st.integers(1, 4),
        st.sampled_from(["EE", "O2"]),
        st.sampled_from([None, "+441", "+442"]),
    ),
    max_size=6,
)


@given(sims=SIMS, rows=LINES)
def test_no_line_is_two_sims_and_no_numbers_are_mixed_up(
    sims: list[SimFact], rows: list[tuple[str | None, int, str, str | None]]
) -> None:
    lines = [
        line(str(place), device=device, sub=sub, carrier=carrier, number=number)
        for place, (device, sub, carrier, number) in enumerate(rows)
    ]
    found = match_sims("here", sims, lines)
    ids = [one.id for one in found if one is not None]
    assert len(ids) == len(set(ids))
    for sim, one in zip(sims, found, strict=True):
        if one is not None and sim.number and one.number and one.fingerprint != sim.fingerprint:
            assert sim.number == one.number
        if one is not None and one.device_id != "here":
            assert sim.number is not None
            assert sim.number == one.number


def test_the_order_of_the_lines_does_not_matter() -> None:
    lines = [line("A", sub=1, number="+441"), line("B", sub=2, carrier="O2"), line("C", device="there", number="+443")]
    sims = [fact(0, sub=3, number="+443"), fact(1, sub=2, carrier="O2"), fact(2, sub=9, number="+441")]
    assert {tuple(matched(sims, list(order))) for order in permutations(lines)} == {("C", "B", "A")}


@pytest.mark.parametrize(
    ("other", "may_be"),
    [
        (line("B", device="there", is_present=False), True),
        (line("B", device="there", is_device_online=False), True),
        (line("B", device="there", is_device_online=True), False),
        (line("B", device="here", is_present=False), True),
        (line("B", device="here"), False),
        (line("B", device="there", is_present=False, carrier="O2"), False),
        (line("B", device="there", is_present=False, awaiting_confirmation=True), False),
    ],
)
def test_a_sim_without_a_number_may_be_a_missing_line_of_its_carrier(other: LineRecord, may_be: bool) -> None:
    new = line("A")
    assert candidates_among(new, [new, other]) == (["B"] if may_be else [])


def test_without_a_carrier_it_may_be_nobody() -> None:
    assert candidates_among(line("A", carrier=None), [line("B", device="there", is_present=False, carrier=None)]) == []
