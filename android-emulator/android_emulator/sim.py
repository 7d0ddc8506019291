"""SIM cards, and the tray of a phone that holds them.

Android gives each card it has ever seen a *subscription id*, which stays with the card inside one phone and means nothing in
another; the slot is only where the card sits now. Apps cannot read a card's serial number, and some cards do not tell their number.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimCard:
    """A card and the subscription behind it."""

    iccid: str
    """The card's serial number: what makes it this card, seen by the phone but never by the app."""
    number: str
    """E.164: where the network delivers texts for this card."""
    carrier: str = "Sandbox Mobile"
    tells_number: bool = True
    """Whether the phone can read its own number; many cards leave that field empty."""


@dataclass(frozen=True, slots=True)
class InsertedSim:
    card: SimCard
    slot: int
    """0-based."""
    subscription_id: int


class SimTray:
    """The slots of one phone. Raises ValueError for a slot that is missing, taken or empty."""

    def __init__(self, slots: int = 2) -> None:
        self._slots: dict[int, SimCard | None] = dict.fromkeys(range(slots))
        self._subscription_ids: dict[str, int] = {}

    def insert(self, slot: int, card: SimCard) -> InsertedSim:
        """Push a card in; a card this phone has seen before gets its old subscription id back."""
        if self._card_in(slot) is not None:
            raise ValueError(f"slot {slot} already holds a card")
        subscription_id = self._subscription_ids.setdefault(card.iccid, len(self._subscription_ids) + 1)
        self._slots[slot] = card
        return InsertedSim(card, slot, subscription_id)

    def remove(self, slot: int) -> SimCard:
        card = self._card_in(slot)
        if card is None:
            raise ValueError(f"slot {slot} is empty")
        self._slots[slot] = None
        return card

    def inserted(self) -> list[InsertedSim]:
        """The cards in the tray, by slot."""
        return [
            InsertedSim(card, slot, self._subscription_ids[card.iccid])
            for slot, card in self._slots.items()
            if card is not None
        ]

    def with_subscription(self, subscription_id: int) -> InsertedSim | None:
        return next((sim for sim in self.inserted() if sim.subscription_id == subscription_id), None)

    def in_slot(self, slot: int) -> InsertedSim | None:
        return next((sim for sim in self.inserted() if sim.slot == slot), None)

    def swap(self, slot: int, other: int) -> None:
        """Two cards change places; their subscription ids go with them."""
        self._slots[slot], self._slots[other] = self._card_in(other), self._card_in(slot)

    def _card_in(self, slot: int) -> SimCard | None:
        if slot not in self._slots:
            raise ValueError(f"this phone has no slot {slot}")
        return self._slots[slot]


def move(slot: int, source: SimTray, target: SimTray, target_slot: int) -> InsertedSim:
    """Take a card out of one phone and put it into another."""
    return target.insert(target_slot, source.remove(slot))
