"""The rules keep the promises in every order of events of the small worlds."""

import pytest

from tests.unit.device_protocol.worlds import WORLDS


@pytest.mark.parametrize("name", WORLDS)
def test_every_order_of_events_keeps_the_promises(name: str) -> None:
    found = WORLDS[name].search()
    assert found.broken is None, str(found)
    assert found.is_complete
