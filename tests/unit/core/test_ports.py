"""`hub.core.ports` and `hub.core.effects`: records that other rooms pass around."""

import msgspec
import pytest

from hub.core import commands, effects
from hub.core.address import Address, AddressKind
from hub.core.ports import Secrets


def test_secrets_are_never_shown() -> None:
    secrets = Secrets(keys=(b"whsec",), ed25519=b"private", headers={"Authorization": "Bearer x"}, vendor={"t": "y"})
    for shown in (repr(secrets), str(secrets), f"{secrets}"):
        assert shown == "Secrets(…)"


@pytest.mark.parametrize(
    "effect",
    [
        effects.ClosePhone("dev", "superseded", "A newer connection has taken over."),
        effects.WakeDispatch(),
        effects.WakeDelivery(("a", "b")),
        effects.Publish("acc", ("evt",)),
        effects.LiveHint("acc", "message", "m"),
        effects.CredentialsChanged("acc", "key", "k"),
        effects.WakeAt(5),
    ],
    ids=lambda effect: type(effect).__name__,
)
def test_effects_that_other_processes_hear_of_survive_the_wire(effect: effects.Effect) -> None:
    told = msgspec.json.encode(effect)
    assert msgspec.json.decode(told, type=type(effect)) == effect


def test_bulk_waits_for_normal_and_normal_for_high() -> None:
    assert commands.BULK < commands.NORMAL < commands.HIGH
    assert {commands.PRIORITY_WORDS[number]: number for number in (0, 1, 2)} == commands.PRIORITIES


@pytest.mark.parametrize(
    "sender",
    [
        commands.ByLine("l"),
        commands.ByDevice("d", 1),
        commands.ByDevice("d"),
        commands.ByName("Shop"),
        commands.AnyLine(),
    ],
)
def test_a_sender_is_stored_and_read_back(sender: commands.Sender) -> None:
    assert msgspec.json.decode(msgspec.json.encode(sender), type=commands.Sender) == sender


def test_a_request_is_a_value() -> None:
    recipient = commands.Recipient("m", Address(AddressKind.MSISDN, "+491701234567"))
    one = commands.SendRequest(account_id="a", door="v1", recipients=(recipient,), text="hi")
    assert one == commands.SendRequest(account_id="a", door="v1", recipients=(recipient,), text="hi")
    assert (one.priority, one.want_dlr, one.sender) == (commands.NORMAL, True, commands.AnyLine())
    with pytest.raises(AttributeError):
        one.text = "no"  # type: ignore[misc]
