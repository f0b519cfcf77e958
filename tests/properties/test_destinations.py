"""Whatever is written as an address: it is refused, or what it names may be called."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.addresses import Block
from watchword.domain.destinations import Reach, denied, parse_target
from watchword.domain.errors import Invalid

NOWHERE_ELSE = Reach()
DENIED_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
URL_LIKE = st.text(st.sampled_from("htps:/.@[]%#?\\0127x afe\t\n-_"), max_size=40)


@st.composite
def inside(draw: st.DrawFn) -> IPv4Address:
    """An address that must never be called."""
    block = Block.parse(draw(st.sampled_from(DENIED_V4)))
    return IPv4Address(draw(st.integers(block.first, block.last)))


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Some way in which some parser reads an address that must never be called."""
    address = draw(inside())
    number, octets = int(address), list(address.packed)
    writers = draw(st.lists(st.sampled_from(["{}", "0x{:x}", "0{:o}"]), min_size=4, max_size=4))
    forms = (
        f"{address}",
        f"{address}.",
        f"{number}",
        f"{number:#x}",
        f"0{number:o}",
        ".".join(writer.format(octet) for writer, octet in zip(writers, octets, strict=True)),
        f"{octets[0]}.{number & 0xFFFFFF}",
        f"{octets[0]}.{octets[1]}.{number & 0xFFFF}",
        f"[{IPv6Address(0xFFFF << 32 | number)}]",
        f"[{IPv6Address(0x64FF9B << 96 | number)}]",
        f"[{IPv6Address(0x2002 << 112 | number << 80)}]",
    )
    return draw(st.sampled_from(forms))


@given(spellings(), st.sampled_from(["", ":443", ":8080"]), st.sampled_from(["https", "HTTPS", "http"]))
def test_no_spelling_of_an_address_inside_passes(host: str, port: str, scheme: str) -> None:
    with pytest.raises(Invalid):
        parse_target(f"{scheme}://{host}{port}/hook", Reach(insecure=True))


@given(URL_LIKE | st.text(max_size=60) | URL_LIKE.map("https://".__add__))
def test_every_text_is_a_destination_or_refused(text: str) -> None:
    try:
        target = parse_target(text, NOWHERE_ELSE)
    except Invalid:
        return
    assert target.secure
    assert 1 <= target.port <= 65535
    assert target.host.isascii()
    assert target.path.startswith("/")
    assert not set(target.host) & set("@/\\#? ")
    again = parse_target(f"https://{target.authority}{target.path}", NOWHERE_ELSE)
    assert again == target
    try:
        address = ip_address(target.host)
    except ValueError:
        assert target.address is None
    else:
        assert target.address == address
        assert not denied(address)


@given(st.ip_addresses(v=6))
def test_of_ipv6_global_unicast_alone_is_open(address: IPv6Address) -> None:
    if not denied(address):
        assert address.packed[0] >> 5 == 1
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None
