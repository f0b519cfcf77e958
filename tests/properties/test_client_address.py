"""Client addresses: what stands in a header decides nothing that its sender could have written."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.addresses import Block, client_address, contains, parse_address

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48")
TRUSTED = tuple(Block.parse(text) for text in PROXIES)

proxies = st.integers(1, 2**24 - 2).map(lambda number: str(ip_address((10 << 24) + number))) | st.integers(
    0, 2**16
).map(lambda number: str(ip_network(PROXIES[1])[number]))


def is_trusted(text: str) -> bool:
    address = parse_address(text)
    return address is not None and contains(TRUSTED, address)


clients = st.ip_addresses().map(str).filter(lambda text: not is_trusted(text))
# What an attacker may write: addresses of others, of our proxies, and what is no address at all.
junk = st.sampled_from(
    [
        "",
        "unknown",
        "_hidden",
        "1.2.3.4:80",
        "[2001:db8::1]",
        "[2001:db8::1]:443",
        "1.2.3.4, ",
        "127.1",
        "%",
        "fe80::1%eth0",
    ]
)
forged = st.lists(clients | proxies | junk | st.text(max_size=12), max_size=5)
GLUES = [", ", ",", " , ", "\t,\t"]


@st.composite
def split(draw: st.DrawFn, hops: list[str]) -> list[str]:
    """Hops as header lines: some on one line, some on lines of their own."""
    lines: list[list[str]] = [[]]
    for hop in hops:
        apart = draw(st.booleans())
        if apart and lines[-1]:
            lines.append([])
        lines[-1].append(hop)
    glue = draw(st.sampled_from(GLUES))
    return [glue.join(line) for line in lines if line]


def shown(text: str) -> str:
    return str(parse_address(text))


@examples(300)
@given(clients, forged, st.data())
def test_without_trusted_proxies_the_header_is_not_read(
    peer: str, hops: list[str], data: st.DataObject
) -> None:
    assert client_address(peer, data.draw(split(hops)), ()) == shown(peer)


@examples(300)
@given(clients, forged, st.data())
def test_a_peer_that_is_no_proxy_is_the_client(peer: str, hops: list[str], data: st.DataObject) -> None:
    assert client_address(peer, data.draw(split(hops)), TRUSTED) == shown(peer)


@examples(500)
@given(clients, forged, st.lists(proxies, max_size=3), proxies, st.data())
def test_behind_proxies_the_client_is_who_the_first_proxy_saw(
    client: str, written: list[str], between: list[str], peer: str, data: st.DataObject
) -> None:
    """The attacker writes the left part; each proxy adds the address that it was called from."""
    lines = data.draw(split([*written, client, *between]))
    assert client_address(peer, lines, TRUSTED) == shown(client)


@examples(300)
@given(forged, st.lists(proxies, max_size=3), junk.filter(lambda text: "," not in text), proxies, st.data())
def test_an_entry_that_is_no_address_makes_it_ambiguous(
    written: list[str], between: list[str], broken: str, peer: str, data: st.DataObject
) -> None:
    lines = data.draw(split([*written, broken, *between]))
    if broken == "":
        lines = [",".join([*written, broken, *between])]
    assert client_address(peer, lines, TRUSTED) is None


@examples(200)
@given(st.lists(proxies, max_size=4), proxies, st.data())
def test_a_chain_of_proxies_alone_is_ambiguous(hops: list[str], peer: str, data: st.DataObject) -> None:
    assert client_address(peer, data.draw(split(hops)), TRUSTED) is None


@examples(200)
@given(clients, st.integers(1, 2**24 - 2))
def test_a_mapped_peer_or_hop_is_its_v4_address(client: str, number: int) -> None:
    peer = str(ip_address((10 << 24) + number))
    assert client_address(f"::ffff:{peer}", [client], TRUSTED) == shown(client)
    assert client_address("::ffff:192.0.2.7", [client], TRUSTED) == "192.0.2.7"
    assert client_address(peer, ["::ffff:192.0.2.7"], TRUSTED) == "192.0.2.7"


@examples(300)
@given(st.text(max_size=20), st.lists(st.text(max_size=40), max_size=4))
def test_no_text_breaks_it(peer: str, lines: list[str]) -> None:
    found = client_address(peer, lines, TRUSTED)
    assert found is None or str(ip_address(found)) == found


def test_the_empty_peer_is_nobody() -> None:
    assert client_address("", ["192.0.2.1"], TRUSTED) is None
    assert client_address("", [], ()) is None
