"""Minting by a caller: whatever is granted is never wider than the caller, in any of its limits."""

from ipaddress import ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.addresses import Block, contains, parse_address
from watchword.domain.errors import Forbidden, Invalid
from watchword.domain.minting import Limits, Wish, grant_wish, within
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import API_ACCESS_DEFAULT_US, DAY_US, MIN_LIFETIME_US

NOW = 1_800_000_000_000_000
WORDS = sorted(ALL_SCOPES)[:6]
# Few addresses, so that blocks often touch, overlap and hold each other.
STARTS = {4: (10 << 24, 32, 6), 6: (0x20010DB8 << 96, 128, 6)}


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    version = draw(st.sampled_from((4, 6)))
    base, bits, loose = STARTS[version]
    free = draw(st.integers(0, loose))
    first = base + (draw(st.integers(0, 2**loose - 1)) >> free << free)
    return Block.parse(str(ip_network((first, bits - free))))


scopes = st.frozensets(st.sampled_from(WORDS))
networks = st.lists(blocks(), max_size=5).map(tuple)
moments = st.integers(NOW + 1, NOW + 40 * DAY_US)
limits = st.builds(Limits, scopes, networks, st.just(0) | moments)
wishes = st.builds(Wish, scopes, st.none() | networks, st.none() | st.just(0) | moments)


def addresses(found: tuple[Block, ...]) -> set[tuple[int, int]]:
    return {(block.version, each) for block in found for each in range(block.first, block.last + 1)}


@examples(400)
@given(wishes, limits, st.sampled_from((0, 1, 30)))
def test_what_is_granted_is_never_wider_than_the_caller(wish: Wish, caller: Limits, days: int) -> None:
    try:
        granted = grant_wish(wish, caller, NOW, days)
    except (Forbidden, Invalid):
        return
    assert granted.scopes == wish.scopes
    assert granted.scopes <= caller.scopes
    if caller.networks:
        assert granted.networks
        assert addresses(granted.networks) <= addresses(caller.networks)
    if caller.expires_at:
        assert NOW < granted.expires_at <= caller.expires_at
    if days:
        assert NOW < granted.expires_at <= NOW + days * DAY_US
    if wish.expires_at is not None:
        assert granted.expires_at == wish.expires_at
    elif not caller.expires_at and not days:
        assert granted.expires_at == NOW + API_ACCESS_DEFAULT_US
    assert not granted.expires_at or granted.expires_at >= NOW + MIN_LIFETIME_US


@examples(400)
@given(networks, networks)
def test_containment_is_that_of_the_addresses(inner: tuple[Block, ...], outer: tuple[Block, ...]) -> None:
    assume(inner and outer)
    assert within(inner, outer) == (addresses(inner) <= addresses(outer))


@examples(100)
@given(limits)
def test_a_caller_may_give_away_exactly_what_it_has(caller: Limits) -> None:
    assume(not caller.expires_at or caller.expires_at >= NOW + MIN_LIFETIME_US)
    same = Wish(caller.scopes, caller.networks or None, caller.expires_at)
    assert grant_wish(same, caller, NOW) == caller


def test_no_network_at_all_is_everywhere() -> None:
    here = (Block.parse("10.0.0.0/8"),)
    assert within(here, ())
    assert not within((), here)
    with pytest.raises(Forbidden):
        grant_wish(Wish(frozenset(), ()), Limits(frozenset(), here), NOW)
    assert grant_wish(Wish(frozenset()), Limits(frozenset(), here), NOW).networks == here


def test_all_of_one_version_is_not_all_of_the_other() -> None:
    v4, v6 = Block.parse("0.0.0.0/0"), Block.parse("::/0")
    assert not within((v6,), (v4,))
    assert within((v4, v6), (v6, v4))
    half = (Block.parse("::/1"), Block.parse("8000::/1"))
    assert within((v6,), half)
    address = parse_address("2001:db8::1")
    assert address is not None
    assert contains(half, address)


def test_a_caller_about_to_expire_mints_nothing() -> None:
    caller = Limits(frozenset(), (), NOW + MIN_LIFETIME_US - 1)
    with pytest.raises(Invalid):
        grant_wish(Wish(frozenset()), caller, NOW)
