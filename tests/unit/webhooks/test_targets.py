"""Which addresses and URLs the hub sends to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import Code, HubError
from hub.webhooks.targets import REFUSED, AddressRefused, Guard, check_url

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.216.34",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2a00:1450:4001::1",
    "100.63.255.255",
]
INSIDE = [
    "10.0.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "100.64.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "0.0.0.0", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::a9fe:a9fe", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "not an address", "",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert Guard().refusal(address) is None
    assert Guard().refusal(f"::ffff:{address}" if "." in address else address) is None


@pytest.mark.parametrize("address", INSIDE)
def test_inside_addresses_are_refused(address: str) -> None:
    assert Guard().refusal(address) is not None
    with pytest.raises(OSError, match="refused"):
        Guard().check(address)


def test_first_and_last_of_every_range_are_refused() -> None:
    for network in map(ipaddress.ip_network, REFUSED):
        assert Guard().refusal(str(network[0])) is not None
        assert Guard().refusal(str(network[-1])) is not None


def test_everything_python_calls_private_is_refused() -> None:
    @given(st.ip_addresses())
    def check(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
        if not address.is_global:
            assert Guard().refusal(str(address)) is not None

    check()


def test_allowed_network_opens_itself_and_nothing_else() -> None:
    guard = Guard(["192.168.0.0/16", " 10.1.2.0/24 ", ""])
    assert guard.refusal("192.168.7.7") is None
    assert guard.refusal("::ffff:192.168.7.7") is None
    assert guard.refusal("10.1.2.3") is None
    assert guard.refusal("10.1.3.3") is not None
    assert guard.refusal("127.0.0.1") is not None


def test_link_local_and_metadata_need_their_own_line() -> None:
    wide = Guard(["169.254.0.0/16", "0.0.0.0/0", "::/0"])
    for address in ("169.254.169.254", "168.63.129.16", "fe80::1", "fd00:ec2::254", "100.100.100.200"):
        assert wide.refusal(address) is not None
    assert wide.refusal("10.0.0.1") is None
    assert Guard(["169.254.169.254/32"]).refusal("169.254.169.254") is None
    assert Guard(["169.254.169.254"]).refusal("169.254.169.253") is not None


def test_refusal_is_an_os_error() -> None:
    assert issubclass(AddressRefused, OSError)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com:8080/a/b?c=%7e&d={x}",
        "https://xn--bcher-kva.example/",
        "http://8.8.8.8/x",
        "https://[2606:2800::1]:8443/",
    ],
)
def test_urls_that_are_taken(url: str) -> None:
    check_url(url, Guard())


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com/", "//example.com/", "https://", "https:///path", "http://user:pw@example.com/",
        "http://user@example.com/", "http://example.com/#part", "http://exa mple.com/", "http://bücher.example/", "http://example.com:0/",
        "http://example.com:99999/", "http://example.com:/", "http://example.com\\@evil.example/", "http://example.com/\r\nX: y",
        "http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/", "http://127.1/", "http://0x7f.1/", "http://1.2.3/",
        "http://example.0x7f/", "http://[::1%25eth0]:x/", "http://[fe80::1", "http://-bad-.example/",
        "javascript:alert(1)", "https://example.com/" + "a" * 2048,
    ],
)  # fmt: skip
def test_urls_that_are_no_targets(url: str) -> None:
    with pytest.raises(HubError) as caught:
        check_url(url, Guard())
    assert caught.value.code is Code.VALIDATION
    assert caught.value.fields[0].field == "url"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://localhost/",
        "http://a.localhost./",
        "http://169.254.169.254/latest",
        "http://[::ffff:10.0.0.1]/",
    ],
)
def test_urls_with_a_refused_address_say_so(url: str) -> None:
    with pytest.raises(HubError) as caught:
        check_url(url, Guard())
    assert caught.value.code is Code.TARGET_REFUSED
