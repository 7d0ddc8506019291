"""Where webhooks may go: our own table of refused addresses, and the rules of a URL.

A webhook's URL is chosen by a customer and dialled by the hub, which stands inside somebody's network: without a guard it is a way to
reach what only that network should (server-side request forgery). The rules:

1. The guard looks at the address that is dialled, at the moment of dialling. A name that was harmless when it was saved may not be now.
2. A name with any refused address is refused as a whole: otherwise the answer would depend on the resolver's order.
3. The table is ours. `ipaddress.is_global` says True for NAT64, 6to4, `::a.b.c.d`, multicast and 168.63.129.16 (Python 3.11).
4. An operator may allow networks. Link-local and cloud metadata addresses only count when named one by one (/32 or /128).
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from hub.core.errors import Code, FieldError, HubError
from hub.core.mail import MAILTO, mail_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2048

REFUSED: dict[str, str] = {
    # https://www.iana.org/assignments/iana-ipv4-special-registry
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private network",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "cloud platform (Azure)",
    "169.254.0.0/16": "link-local, cloud metadata",
    "172.16.0.0/12": "private network",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private network",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, broadcast",
    # https://www.iana.org/assignments/iana-ipv6-special-registry
    "::/96": "unspecified, loopback, or an IPv4 address in an IPv6 one",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "local NAT64",
    "100::/64": "discard",
    "100:0:0:1::/64": "dummy prefix",
    "2001::/23": "protocol assignments, Teredo",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "private network",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
"""Every range no webhook goes to, and what it is."""

ONE_BY_ONE = ("169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "fe80::/10", "fd00:ec2::/32")
"""Link-local and the metadata services of clouds: an allowed network does not include them, a single address does."""

_REFUSED: tuple[tuple[Network, str], ...] = tuple((ipaddress.ip_network(net), what) for net, what in REFUSED.items())
_ONE_BY_ONE: tuple[Network, ...] = tuple(ipaddress.ip_network(net) for net in ONE_BY_ONE)


class AddressRefused(OSError):
    """The guard refused an address. An `OSError`, so that an HTTP client treats it like any failed connection."""


class Guard:
    """Decides about addresses. `allow` holds CIDRs; raises `ValueError` for what is none."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow: tuple[Network, ...] = tuple(ipaddress.ip_network(text.strip()) for text in allow if text.strip())

    def refusal(self, address: str) -> str | None:
        """What kind of address this is, if the hub does not send there; None when it does. Takes no names."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return "not an address"
        mapped = getattr(parsed, "ipv4_mapped", None)
        return self._refusal(parsed if mapped is None else mapped)

    def check(self, address: str) -> None:
        """Raise AddressRefused when the hub does not send there."""
        what = self.refusal(address)
        if what is not None:
            raise AddressRefused(f"{address} is refused: {what}")

    def _refusal(self, address: Address) -> str | None:
        what = next((what for net, what in _REFUSED if _holds(net, address)), None)
        return None if what is None or self._allows(address) else what

    def _allows(self, address: Address) -> bool:
        allowed = [net for net in self._allow if _holds(net, address)]
        if any(_holds(net, address) for net in _ONE_BY_ONE):
            return any(net.prefixlen == net.max_prefixlen for net in allowed)
        return bool(allowed)


def _holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


# --- the URL ----------------------------------------------------------------------------------------------------------------------------

_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_NUMERIC_LABEL = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+", re.ASCII)


def check_url(url: str, guard: Guard, *, field: str = "url") -> None:
    """Raise `HubError` when the hub would never send to this URL: `validation`, or `target_refused` for a refused address.

    A name is not looked up here: what it stands for is judged at each connection.
    """
    parts = _split(url, field)
    host = parts.hostname or ""
    literal = _literal(host, field)
    if literal is None and host.rstrip(".").lower().rpartition(".")[2] == "localhost":
        literal = "127.0.0.1"
    if literal is not None and (what := guard.refusal(literal)) is not None:
        raise HubError(
            Code.TARGET_REFUSED,
            f"{host} is an address the hub does not send to ({what}). Use a public one, or have the operator add its network "
            "to HUB_WEBHOOK_ALLOW_NETWORKS.",
            (FieldError(field, Code.TARGET_REFUSED, f"{what} is refused"),),
        )


def check_mailto(url: str, *, field: str = "url") -> None:
    """Raise `validation` for a `mailto:` target that no mail can go to. Customers choose addresses only: the server is the operator's."""
    if mail_address(url.removeprefix(MAILTO)) is None:
        raise _wrong(field, "Give mailto: and one plain address, such as mailto:shop@example.org.")


def _split(url: str, field: str) -> SplitResult:
    if len(url) > LONGEST_URL:
        raise _wrong(field, f"A URL has at most {LONGEST_URL} characters.")
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise _wrong(
            field, "Write the URL in ASCII without spaces: percent-encode the path, and use xn-- for other scripts."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _wrong(field, f"This is not a URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _wrong(field, "Give a whole URL that begins with https:// or http://.")
    if "@" in parts.netloc:
        raise _wrong(field, "Leave user and password out of the URL: set them as the endpoint's authentication.")
    if "#" in url:
        raise _wrong(field, "Leave out what follows #: it is never sent.")
    if port == 0 or parts.netloc.endswith(":"):
        raise _wrong(field, "Give a port between 1 and 65535, or none.")
    return parts


def _literal(host: str, field: str) -> str | None:
    """The address a host spells, None when it is a name. Other spellings of IPv4 (`0x7f.1`, `2130706433`) are refused."""
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError as error:
            raise _wrong(field, f"This is not an IPv6 address: {error}.") from error
    if not _HOST.fullmatch(host):
        raise _wrong(field, "The host name holds a character it cannot have.")
    if not _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return None
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise _wrong(field, "Write an IPv4 address as four decimal numbers.") from None


def _wrong(field: str, sentence: str) -> HubError:
    return HubError(Code.VALIDATION, sentence, (FieldError(field, "url", sentence),))


def shown_url(url: str) -> str:
    """A URL without its query, which may hold a secret: for logs and notices."""
    return url.partition("?")[0]
