import pytest

from android_emulator.sim import SimCard, SimTray, move

RED = SimCard("8901", "+14155550101")
BLUE = SimCard("8902", "+14155550102", carrier="Other Mobile")


def test_a_card_keeps_its_subscription_id_inside_one_phone() -> None:
    tray = SimTray()
    tray.insert(0, RED)
    blue = tray.insert(1, BLUE)
    assert tray.remove(1) == BLUE
    assert tray.inserted() == [tray.in_slot(0)]
    assert tray.insert(1, BLUE).subscription_id == blue.subscription_id


def test_swapped_cards_take_their_subscription_ids_along() -> None:
    tray = SimTray()
    red, blue = tray.insert(0, RED), tray.insert(1, BLUE)
    tray.swap(0, 1)
    assert [(sim.slot, sim.card, sim.subscription_id) for sim in tray.inserted()] == [
        (0, BLUE, blue.subscription_id),
        (1, RED, red.subscription_id),
    ]
    found = tray.with_subscription(red.subscription_id)
    assert found is not None
    assert found.slot == 1


def test_a_card_moved_to_another_phone_gets_that_phones_subscription_id() -> None:
    old, new = SimTray(), SimTray()
    old.insert(0, RED)
    new.insert(0, BLUE)
    moved = move(0, old, new, 1)
    assert (moved.card, moved.slot, moved.subscription_id) == (RED, 1, 2)
    assert old.inserted() == []


def test_impossible_moves_are_refused() -> None:
    tray = SimTray(slots=1)
    with pytest.raises(ValueError, match="no slot 1"):
        tray.insert(1, RED)
    with pytest.raises(ValueError, match="empty"):
        tray.remove(0)
    tray.insert(0, RED)
    with pytest.raises(ValueError, match="already"):
        tray.insert(0, BLUE)
    assert tray.with_subscription(99) is None
