"""The guard of outgoing requests: no form of a forbidden address is ever connected to (T10)."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from receiver import Receiver, Reply, make_certificate
from watchword.domain.addresses import Address, Block
from watchword.domain.destinations import Reach, denied, parse_target
from watchword.domain.errors import Invalid, WatchwordError
from watchword.services import egress, egressconnections
from watchword.services.egress import MAX_ANSWER, Answer, Egress, EgressError

LOOPBACK = Reach(allowed=(Block.parse("127.0.0.0/8"),))


@pytest.fixture
def make_of_database() -> str:
    """No database is needed here; one make will do."""
    return "sqlite"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class Resolver:
    """A name server that answers each question with its next answer, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [[ip_address(text) for text in answer] for answer in answers]
        self.asked = 0

    async def __call__(self, *_: object) -> Sequence[Address]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


class NoConnections(egressconnections.CheckedAddresses):
    """Notes what would have been connected to."""

    made: list[str]

    async def connect_tcp(self, *_: Any, **__: Any) -> Any:
        NoConnections.made += [str(address) for address in self._addresses]
        raise OSError("this test connects to nothing")


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that were to be connected to; none is."""
    NoConnections.made = []
    monkeypatch.setattr(egressconnections, "CheckedAddresses", NoConnections)
    return NoConnections.made


def post(guarded: Egress, url: str, **options: Any) -> Answer:
    async def sent() -> Answer:
        return await guarded.post(url, {"Content-Type": "application/json"}, b"{}", **options)

    return asyncio.run(sent())


def refused(guarded: Egress, url: str, **options: Any) -> str:
    with pytest.raises(WatchwordError) as caught:
        post(guarded, url, **options)
    return caught.value.code


# What some parser somewhere takes for an address inside: each is refused before anything is asked or sent.
FORMS = """
127.0.0.1 127.0.0.1. 127.1 127.0.1 127.255.255.254 2130706433 017700000001 0x7f000001 0x7F.0.0.1 0x7f.1
0177.0.0.1 0177.1 00000177.0.0.1 127.0.0.0x1 0 0.0.0.0 0x0 00 10.0.0.1 10.255.255.255 167772161 012.0.0.1
172.16.0.1 172.31.255.254 192.168.0.1 192.168.257 3232235521 0xc0a80001 169.254.169.254 2852039166
0xa9fea9fe 0251.0376.0251.0376 169.254.43518 169.254.0.1 100.64.0.1 100.100.100.200 100.127.255.255
168.63.129.16 192.0.0.1 192.0.0.192 192.0.2.7 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.7
203.0.113.7 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 4294967295 256.256.256.256 1.1.1.1.1
1.2.3 0x 1.1.1.0x [::] [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1]
[0:0:0:0:0:ffff:a00:1] [::127.0.0.1] [::7f00:1] [::ffff:0:127.0.0.1] [64:ff9b::7f00:1]
[64:ff9b::10.0.0.1] [64:ff9b:1::a00:1] [2002:7f00:1::] [2002:a00:1::1] [2001:0:7f00:1::1] [2001::1]
[2001:db8::1] [3fff::1] [fe80::1] [fe80::1%25eth0] [fe80::1%eth0] [febf::1] [fec0::1] [fc00::1]
[fd00:ec2::254] [fd20:ce::254] [ff02::1] [ff0e::1] [100::1] [5f00::1] [2001:10::1] [2001:2::1]
[2606:4700::5efe:a00:1] [2606:4700::200:5efe:a00:1] [4000::1] [::1%25lo] [127.0.0.1] [v1.x] [] ::1 [::1
localhost% 127.0.0.1%00 a@127.0.0.1 127.0.0.1:80@example.com
"""
# Digits of other scripts that names are mapped to by some: circled, full-width, ideographic full stops.
LOOK_ALIKES = [
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
]
HOSTS = [*FORMS.split(), *LOOK_ALIKES]

NO_URLS = [
    "",
    "https://",
    "https:///hook",
    "https:/example.com",
    "https:example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:70/_x",
    "unix:///var/run/docker.sock",
    "http://example.com/",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/#fragment",
    "https://example.com/#",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:80a/",
    "https://example.com/ x",
    "https://example.com/\r\nX-Evil: 1",
    "https://exa\tmple.com/",
    "https://exa mple.com/",
    "https://-example.com/",
    "https://example..com/",
    "https://%31%32%37.0.0.1/",
    "https://example.com[::1]/",
    f"https://{'a' * 64}.com/",
    f"https://example.com/{'a' * 2048}",
]


@pytest.mark.parametrize("host", HOSTS)
def test_no_form_of_a_forbidden_address_is_a_destination(host: str, connections: list[str]) -> None:
    resolver = Resolver(["8.8.8.8"])
    assert refused(Egress(resolve=resolver), f"https://{host}/hook") == "invalid_url"
    assert not resolver.asked
    assert not connections


def test_the_table_of_forms_is_long_enough() -> None:
    assert len(set(HOSTS)) >= 90


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_address_of_the_web_is_refused(url: str, connections: list[str]) -> None:
    resolver = Resolver(["8.8.8.8"])
    assert refused(Egress(resolve=resolver), url) == "invalid_url"
    assert not resolver.asked
    assert not connections


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["8.8.8.8", "169.254.169.254"],
        ["10.0.0.1", "8.8.8.8"],
        ["::1"],
        ["2606:4700::1111", "::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["fd00::1"],
        ["fe80::1"],
        ["224.0.0.1"],
        ["255.255.255.255"],
        [],
    ],
)
def test_one_bad_address_of_a_name_spoils_all(addresses: list[str], connections: list[str]) -> None:
    resolver = Resolver(addresses)
    for name in ("inside.example", "localhost", "metadata.google.internal."):
        assert refused(Egress(resolve=resolver), f"https://{name}/") == "forbidden_destination"
    assert not connections


def test_a_name_is_asked_for_once_and_its_checked_address_is_called(connections: list[str]) -> None:
    rebinding = Resolver(["8.8.8.8"], ["127.0.0.1"])
    assert refused(Egress(resolve=rebinding), "https://rebinding.example/") == "unreachable"
    assert connections == ["8.8.8.8"]
    assert rebinding.asked == 1


def test_rebinding_to_a_forbidden_address_reaches_nothing(receiver: Receiver) -> None:
    allowed = Reach(allowed=(Block.parse("127.0.0.1/32"),), insecure=True)
    rebinding = Resolver(["127.0.0.1"], ["127.0.0.2"])
    guarded = Egress(allowed, resolve=rebinding)
    url = f"http://rebinding.example:{receiver.port}/hook"
    assert post(guarded, url).status == 200
    assert refused(guarded, url) == "forbidden_destination"
    assert receiver.connections == 1


def test_public_addresses_are_open() -> None:
    for text in ("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"):
        assert denied(ip_address(text)) == "", text
    target = parse_target("https://Hooks.Example.com.:8443/a%20b?x=1", Reach())
    assert (target.host, target.port, target.path) == ("hooks.example.com", 8443, "/a%20b?x=1")
    assert target.authority == "hooks.example.com:8443"
    assert parse_target("https://[2606:4700::1111]", Reach()).authority == "[2606:4700::1111]"
    assert parse_target("https://xn--bcher-kva.example/", Reach()).host == "xn--bcher-kva.example"


def test_an_allowed_block_opens_itself_alone() -> None:
    assert parse_target("http://127.0.0.1:9/", LOOPBACK).port == 9
    for url in ("http://127.1/", "http://10.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"):
        with pytest.raises(Invalid):
            parse_target(url, LOOPBACK)
    with pytest.raises(Invalid):
        parse_target("http://example.com/", LOOPBACK)
    assert parse_target("http://example.com/", Reach(insecure=True)).port == 80
    with pytest.raises(Invalid):
        parse_target("http://127.0.0.1/", Reach(insecure=True))


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    inside = Receiver()
    try:
        for status in (301, 302, 303, 307, 308):
            receiver.reply = lambda _, status=status: Reply(status, {"location": inside.url})  # type: ignore[misc]
            assert post(Egress(LOOPBACK), receiver.url).status == status
        assert inside.connections == 0
    finally:
        inside.close()


def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Receiver()
    try:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/hook"))
        assert post(Egress(LOOPBACK), receiver.url).status == 200
        assert (receiver.connections, proxy.connections) == (1, 0)
    finally:
        proxy.close()


def test_what_is_sent_is_what_was_asked(receiver: Receiver) -> None:
    answer = post(Egress(LOOPBACK), f"{receiver.url}?a=1")
    assert (answer.status, answer.body) == (200, b"thanks")
    (got,) = receiver.received
    assert (got.method, got.path, got.body) == ("POST", "/hook?a=1", b"{}")
    assert got.headers == [
        ("Host", f"127.0.0.1:{receiver.port}"),
        ("Content-Type", "application/json"),
        ("Content-Length", "2"),
    ]


def test_an_answer_is_cut_off(receiver: Receiver) -> None:
    receiver.reply = lambda _: Reply(500, {"x-one": "1"}, b"x" * 1_000_000)
    answer = post(Egress(LOOPBACK), receiver.url)
    assert (answer.status, len(answer.body)) == (500, MAX_ANSWER)
    assert ("x-one", "1") in answer.headers


def test_a_receiver_that_does_not_answer_is_given_up(receiver: Receiver) -> None:
    receiver.gate.clear()
    assert refused(Egress(LOOPBACK), receiver.url, seconds=0.2) == "timed_out"


def test_a_receiver_that_is_not_there_is_unreachable(receiver: Receiver) -> None:
    receiver.close()
    assert refused(Egress(LOOPBACK), receiver.url) == "unreachable"


def test_a_certificate_is_checked_against_the_name(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "hooks.example")
    receiver = Receiver(tls=files)
    try:
        trust = ssl.create_default_context(cafile=str(files[0]))
        trusting = Egress(LOOPBACK, Resolver(["127.0.0.1"]), trust)
        url = f"https://hooks.example:{receiver.port}/hook"
        assert post(trusting, url).status == 200
        assert receiver.received[-1].header("host") == f"hooks.example:{receiver.port}"
        other = f"https://other.example:{receiver.port}/hook"
        assert refused(trusting, other) == "tls_failed"
        strict = Egress(LOOPBACK, Resolver(["127.0.0.1"]))
        assert refused(strict, url) == "tls_failed"
        assert post(strict, url, verify=False).status == 200
        assert len(receiver.received) == 2
    finally:
        receiver.close()


def test_the_machines_resolver_is_asked_as_a_name_alone() -> None:
    found = asyncio.run(egress.resolve("localhost", 80))
    assert all(denied(address) for address in found)
    with pytest.raises(EgressError) as caught:
        asyncio.run(egress.resolve("nowhere.invalid", 80))
    assert caught.value.code == "unresolvable"
