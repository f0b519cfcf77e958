"""Restrictions: stored text reads back the same, what is not understood refuses, and they only narrow."""

import json
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.addresses import Block, contains, parse_address
from watchword.domain.errors import Invalid
from watchword.domain.restrictions import (
    MAX_BLOCKS,
    UNRESTRICTED,
    Restrictions,
    load,
    parse_networks,
)

MAPPED = IPv6Network("::ffff:0:0/96")

v4 = st.ip_addresses(v=4)
v6 = st.ip_addresses(v=6).filter(lambda address: address not in MAPPED)
addresses = v4 | v6


@st.composite
def networks(draw: st.DrawFn) -> str:
    """A block in CIDR form, or a bare address."""
    address = draw(addresses)
    if draw(st.booleans()):
        return str(address)
    length = draw(st.integers(0, address.max_prefixlen))
    network = ip_network((address, length), strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    assume(mapped is None)
    return str(network)


keys = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
tags = st.lists(st.text(min_size=1, max_size=10).filter(str.strip), max_size=4).map(tuple)
blocks = st.lists(networks().map(Block.parse), max_size=6).map(tuple)
restrictions = st.builds(Restrictions, blocks, st.just("") | keys, tags)


@examples(200)
@given(restrictions)
def test_a_restriction_survives_its_text(made: Restrictions) -> None:
    assert load(made.dump()) == made


@examples(200)
@given(restrictions, st.integers(-5, 100).filter(lambda number: number not in (1, 2, 3)), st.data())
def test_an_unknown_number_refuses_wherever_it_stands(
    made: Restrictions, number: int, data: st.DataObject
) -> None:
    parts = json.loads(made.dump() or "[]")
    place = data.draw(st.integers(0, len(parts)))
    content = data.draw(st.none() | st.text() | st.lists(st.text()) | st.integers())
    parts.insert(place, [number, content])
    assert load(json.dumps(parts)).unknown


@examples(300)
@given(st.text(max_size=30))
def test_unreadable_text_never_opens_more(text: str) -> None:
    found = load(text)
    assert found.unknown or found == UNRESTRICTED
    if found == UNRESTRICTED:
        assert text == "" or json.loads(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "{}",
        "0",
        '""',
        "[1]",
        "[[1]]",
        "[[1,[]]]",
        '[[1,""]]',
        "[[1,{}]]",
        '[[1,["nowhere"]]]',
        '[[1,"10.0.0.0/8"]]',
        "[[1,[5]]]",
        '[[2,""]]',
        "[[2,null]]",
        "[[2,5]]",
        "[[3,[]]]",
        '[[3,"tag"]]',
        "[[3,[5]]]",
        '[[true,["10.0.0.0/8"]]]',
        '[[1,["10.0.0.0/8"]],[1,["0.0.0.0/0"]]]',
        '[[2,"one"],[2,"two"]]',
        '[[1,["10.0.0.0/8"],3]]',
        '[[1,["10.0.0.0/8"]]',
        "[" * 100_000,
    ],
)
def test_damaged_text_refuses(text: str) -> None:
    assert load(text).unknown


@examples(300)
@given(networks(), addresses)
def test_containment_is_that_of_the_standard_library(text: str, address: IPv4Address | IPv6Address) -> None:
    block = Block.parse(text)
    parsed = parse_address(str(address))
    assert parsed is not None
    network = ip_network(text)
    assert (parsed in block) is (address.version == network.version and address in network)


@examples(200)
@given(networks().filter(lambda text: ":" not in text), v4, st.booleans())
def test_a_mapped_address_is_the_v4_address(text: str, address: IPv4Address, dotted: bool) -> None:  # noqa: FBT001 - drawn
    number = int(address)
    tail = str(address) if dotted else f"{number >> 16:x}:{number & 0xFFFF:x}"
    limited = Restrictions((Block.parse(text),))
    assert limited.refuse_address(f"::ffff:{tail}") is limited.refuse_address(str(address))


@examples(100)
@given(v4, st.integers(96, 128))
def test_a_mapped_block_must_be_written_as_v4(address: IPv4Address, length: int) -> None:
    network = ip_network((int(IPv6Address(f"::ffff:{address}")), length), strict=False)
    with pytest.raises(Invalid):
        parse_networks(str(network))


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0",
        "010.0.0.1",
        "2001:db8::/129",
        "2001:db8::1/32",
        "::ffff:10.0.0.0/104",
        "example.com",
        "10.0.0.0/8;",
        "fe80::%eth0/64",
        "1.2.3.4%eth0",
    ],
)
def test_what_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_networks(f"192.0.2.0/24 {text}")


@examples(200)
@given(st.lists(networks(), max_size=MAX_BLOCKS + 6), st.sampled_from([" ", ",", ", ", "\n", " , "]))
def test_at_most_24_blocks_are_taken(texts: list[str], glue: str) -> None:
    if len(texts) > MAX_BLOCKS:
        with pytest.raises(Invalid) as caught:
            parse_networks(glue.join(texts))
        assert caught.value.code == "too_many_networks"
    else:
        assert parse_networks(glue.join(texts)) == tuple(Block.parse(text) for text in texts)


@examples(300)
@given(restrictions, addresses.map(str) | st.none() | st.text(max_size=10))
def test_addresses_are_only_narrowed(made: Restrictions, address: str | None) -> None:
    assert not UNRESTRICTED.refuse_address(address)
    refused = made.refuse_address(address)
    if not made.networks:
        assert not refused
        return
    parsed = parse_address(address) if address else None
    assert refused is (parsed is None or not contains(made.networks, parsed))


@examples(200)
@given(restrictions, networks())
def test_one_block_less_admits_no_more(made: Restrictions, more: str) -> None:
    wider = Restrictions((*made.networks, Block.parse(more)), made.queue, made.tags)
    if not made.networks:
        return
    inside = (
        str(ip_address(Block.parse(more).first)) if "." in more else str(IPv6Address(Block.parse(more).first))
    )
    for address in (inside, "192.0.2.1", "2001:db8::1"):
        if wider.refuse_address(address):
            assert made.refuse_address(address)


@examples(200)
@given(restrictions, keys, tags)
def test_agents_are_only_narrowed(made: Restrictions, queue: str, carried: tuple[str, ...]) -> None:
    assert UNRESTRICTED.refuse_agent(queue, carried) == ""
    admitted = made.refuse_agent(queue, carried) == ""
    assert admitted is ((not made.queue or queue == made.queue) and set(made.tags) <= set(carried))
    if admitted:
        assert made.refuse_agent(queue, (*carried, "more")) == ""
