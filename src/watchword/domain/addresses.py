"""Client addresses and address blocks: parsing, containment and the rule for proxy headers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address


@lru_cache(maxsize=65536)
def parse_address(text: str) -> Address | None:
    """Read an address; an IPv4 address mapped into IPv6 is the IPv4 address; None if it is none."""
    if "%" in text:  # a zone id names an interface of one machine, never a client
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@dataclass(frozen=True, slots=True)
class Block:
    """A CIDR block as an integer range, so that containment costs two comparisons."""

    version: int
    first: int
    last: int
    text: str

    @classmethod
    def parse(cls, text: str) -> "Block":
        """Read a CIDR block or a bare address.

        Raises:
            ValueError: it is neither, or host bits are set.
        """
        if "%" in text:
            raise ValueError(f"{text} names an interface of one machine")
        network: IPv4Network | IPv6Network = ip_network(text)
        shown = text if "/" in text else str(network.network_address)
        if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
            raise ValueError(f"{text} is an IPv4 block in IPv6 clothes; write it as IPv4")
        return cls(network.version, int(network.network_address), int(network.broadcast_address), shown)

    def __contains__(self, address: Address) -> bool:
        return self.version == address.version and self.first <= int(address) <= self.last


def contains(blocks: Sequence[Block], address: Address) -> bool:
    """Whether any block holds the address."""
    return any(address in block for block in blocks)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Block]) -> str | None:
    """Decide where a request comes from: the right-most address that is not a trusted proxy.

    Args:
        peer: address of the socket's other end.
        forwarded_for: values of all `X-Forwarded-For` header lines, in the order received.
        trusted: blocks of the operator's proxies; a header is heeded only if the peer is one of them.

    Returns:
        The client's address, or None where the headers are ambiguous: an entry that is no address,
        or a chain in which every hop is a trusted proxy. Tokens bound to addresses are then refused.
    """
    here = parse_address(peer)
    if here is None:
        return None
    if not trusted or not contains(trusted, here):
        return str(here)
    hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
    if not hops:
        return None
    for hop in reversed(hops):
        address = parse_address(hop)
        if address is None:
            return None
        if not contains(trusted, address):
            return str(address)
    return None
