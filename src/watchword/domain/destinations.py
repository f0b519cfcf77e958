"""Destinations of outgoing requests: which addresses of the web may be called, and which hosts never.

Whoever sets a webhook chooses where this server sends requests. They must not reach what only the server
reaches: itself, its neighbours, the metadata service of its cloud.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from watchword.domain.addresses import Address, Block, contains
from watchword.domain.errors import Invalid

MAX_URL = 2048
_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
# What the parsers of addresses take for a number: decimal, octal, hexadecimal.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")

# What is not somebody else's machine on the public internet (IANA's special-purpose registry), and the
# one public address at which a cloud answers its own machines.
_DENIED_V4 = tuple(
    (IPv4Network(block), reason)
    for block, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared address space"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
# Of IPv6, global unicast alone is open: mapped, compatible and translated IPv4, unique local, link-local
# and multicast addresses all lie outside. These lie inside and are denied:
_GLOBAL_V6 = IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    (IPv6Network(block), reason)
    for block, reason in (
        ("2001::/23", "protocol assignments"),  # Teredo 2001::/32 among them
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)  # an IPv4 address follows in the interface's identifier (RFC 5214 §6.1)


@dataclass(frozen=True, slots=True)
class Reach:
    """What an installation lets outgoing requests reach.

    Attributes:
        allowed: blocks that may be called although they are denied, also without TLS.
        insecure: whether `http` may be used to anywhere.
    """

    allowed: tuple[Block, ...] = ()
    insecure: bool = False

    def refuse(self, address: Address) -> str:
        """Why an address must not be called; empty if it may."""
        return "" if contains(self.allowed, address) else denied(address)


@dataclass(frozen=True, slots=True)
class Target:
    """An address of the web, taken apart; `host` is a name, or an address without brackets.

    Attributes:
        path: path and query.
        address: the host where it is written as an address.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def secure(self) -> bool:
        """Whether it is asked by TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as a request's `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def denied(address: Address) -> str:
    """Why an address is never a stranger's public machine; empty if it may be."""
    if isinstance(address, IPv4Address):
        return next((reason for block, reason in _DENIED_V4 if address in block), "")
    if address not in _GLOBAL_V6:
        return "not a public address"
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return "tunnel"
    return next((reason for block, reason in _DENIED_V6 if address in block), "")


def refuse_addresses(reach: Reach, addresses: Sequence[Address]) -> str:
    """Why a name with these addresses must not be called: one bad address spoils all; empty if it may."""
    if not addresses:
        return "the name has no address"
    return next((reason for address in addresses if (reason := reach.refuse(address))), "")


def parse_target(url: str, reach: Reach) -> Target:
    """Read the address that somebody wants to be called at.

    A host is a plain name or an address in its usual form: whatever else some parser somewhere takes for
    an address is refused, so that nobody has to agree on what it means.

    Raises:
        Invalid: it is no such address, or one that must not be called.
    """
    if not url or len(url) > MAX_URL or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise _invalid(f"takes 1 to {MAX_URL} printable ASCII characters without spaces or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid("is no address of the web") from None
    if parts.scheme not in _PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        raise _invalid("begins with https://")
    if "@" in parts.netloc:
        raise _invalid("carries no user name or password")
    if parts.fragment or "#" in url:
        raise _invalid("has no fragment")
    if port is not None and not 1 <= port <= _MAX_PORT:
        raise _invalid(f"has a port from 1 to {_MAX_PORT}")
    host, address = _read_host(parts.netloc, parts.hostname or "")
    if address is not None and (reason := reach.refuse(address)):
        raise _invalid(f"names an address that must not be called ({reason})")
    known = address is not None and contains(reach.allowed, address)
    if parts.scheme == "http" and not (reach.insecure or known):
        raise _invalid("begins with https://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path, address)


def _read_host(netloc: str, host: str) -> tuple[str, Address | None]:
    """The host of an address, and what it is where it is no name."""
    bracketed = netloc.startswith("[")
    if "[" in netloc[1:] or bracketed != (":" in host) or (bracketed and "%" in host):
        raise _invalid("has a host that cannot be read")
    if bracketed or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            address = ip_address(host)
        except ValueError:
            raise _invalid("names an address that is not written in its usual form") from None
        if isinstance(address, IPv6Address) != bracketed:
            raise _invalid("has a host that cannot be read")
        return str(address), address
    if not _NAME.fullmatch(host):
        raise _invalid("has a host that is no plain name; write international names in their xn-- form")
    return host.removesuffix("."), None


def _invalid(what: str) -> Invalid:
    return Invalid(f"Validation failed: url {what}", code="invalid_url")
