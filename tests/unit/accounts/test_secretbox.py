"""The secret box: what it seals opens only whole, in its place, and with a key of its file."""

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.accounts.secretbox import KeyFileBroken, SealBroken, SecretBox, key_line, open_key_file

OLD, NEW = b"o" * 32, b"n" * 32


@given(plain=st.binary(max_size=200), context=st.text(max_size=20))
def test_sealed_opens_again(plain: bytes, context: str) -> None:
    box = SecretBox([NEW])
    assert box.open(box.seal(plain, context), context) == plain


@settings(max_examples=200)
@given(place=st.integers(min_value=0, max_value=60), bit=st.integers(min_value=0, max_value=7))
def test_every_changed_bit_is_noticed(place: int, bit: int) -> None:
    box = SecretBox([NEW])
    blob = bytearray(box.seal(b"whsec of a customer, thirty bytes", "webhook-secrets:1"))
    blob[place % len(blob)] ^= 1 << bit
    with pytest.raises(SealBroken):
        box.open(bytes(blob), "webhook-secrets:1")


def test_a_blob_opens_in_its_own_place_only() -> None:
    box = SecretBox([NEW])
    with pytest.raises(SealBroken, match="belongs somewhere else"):
        box.open(box.seal(b"secret", "endpoint:1"), "endpoint:2")


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x02" + b"x" * 60, b"plain text that was never sealed"])
def test_what_is_no_blob_is_refused(blob: bytes) -> None:
    with pytest.raises(SealBroken):
        SecretBox([NEW]).open(blob, "")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    box = SecretBox([NEW])
    assert box.seal(b"secret", "") != box.seal(b"secret", "")


def test_after_a_rotation_old_blobs_open_and_new_ones_use_the_new_key() -> None:
    old = SecretBox([OLD]).seal(b"secret", "c")
    both = SecretBox([NEW, OLD])
    assert both.open(old, "c") == b"secret"
    assert not both.is_current(old)
    assert both.is_current(both.seal(b"secret", "c"))
    with pytest.raises(SealBroken, match="does not hold"):
        SecretBox([NEW]).open(old, "c")


def test_derived_keys_differ_by_purpose_and_hold_over_a_rotation() -> None:
    assert SecretBox([OLD]).derive("device-token") != SecretBox([OLD]).derive("stream-ticket")
    assert SecretBox([NEW, OLD]).derive_each("device-token")[1] == SecretBox([OLD]).derive("device-token")


def test_first_start_makes_a_key_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "fresh" / "hub.key"
    made = open_key_file(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert open_key_file(path).open(made.seal(b"secret", "c"), "c") == b"secret"
    assert [item.name for item in path.parent.iterdir()] == ["hub.key"]


def test_a_key_file_made_meanwhile_by_another_process_counts(tmp_path: Path) -> None:
    path = tmp_path / "hub.key"

    def another_is_first(size: int) -> bytes:
        if not path.exists():
            path.write_text(key_line(OLD))
        return b"x" * size

    assert open_key_file(path, random=another_is_first).key_id == SecretBox([OLD]).key_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "not a key file\n",
        key_line(OLD).replace(key_line(OLD)[:8], "00000000"),
        f"{key_line(OLD).split()[0]} {base64.b64encode(b'short').decode()}\n",
        "\x80\n",
    ],
)
def test_a_broken_key_file_stops_the_start_and_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hub.key"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(KeyFileBroken, match=r"hub\.key"):
        open_key_file(path)
    assert path.read_bytes() == text.encode("latin-1")


def test_secrets_do_not_show_in_a_repr() -> None:
    assert "nnnn" not in repr(SecretBox([NEW]).__dict__)
