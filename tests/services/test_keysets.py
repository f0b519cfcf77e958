"""Key sets of outside issuers: found, kept, asked for anew; what passes by them."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwk

from openid_stand_in import make_key
from outside_issuer import REACH, Issuer
from support import SECOND_US, FakeClock
from watchword.crypto.idtokens import BadToken, UnknownKey, read_unverified
from watchword.domain.destinations import Reach
from watchword.domain.errors import Invalid, Unavailable
from watchword.services.egress import Egress
from watchword.services.keysets import FRESH_US, KEPT_US, RETRY_US, KeySets, KeySource, read_key_set


@pytest.fixture
def make_of_database() -> str:
    """No database is needed here; one make will do."""
    return "sqlite"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[Issuer]:
    made = Issuer(clock)
    yield made
    made.close()


@pytest.fixture
def sets(clock: FakeClock) -> KeySets:
    return KeySets(clock, Egress(REACH))


def check(sets: KeySets, token: str, source: KeySource) -> str:
    """Why a token is refused; empty if it passes."""
    try:
        asyncio.run(sets.verify(token, source))
    except BadToken as error:
        return str(error)
    except UnknownKey:
        return "unknown key"
    except Unavailable as error:
        return error.code
    return ""


def part(content: dict[str, Any] | str) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_keys_are_found_by_discovery_and_kept_for_an_hour(
    sets: KeySets, issuer: Issuer, clock: FakeClock
) -> None:
    source, asked = KeySource(issuer.issuer), ["/.well-known/openid-configuration", "/keys"]
    assert check(sets, issuer.mint({}), source) == ""
    assert issuer.requests == asked
    clock.forward(FRESH_US - 1)
    assert check(sets, issuer.mint({}), source) == ""
    assert issuer.requests == asked
    clock.forward(1)
    assert check(sets, issuer.mint({}), source) == ""
    assert issuer.requests == asked * 2


def test_an_unknown_key_is_asked_for_once_a_minute(sets: KeySets, issuer: Issuer, clock: FakeClock) -> None:
    source = KeySource(url=f"{issuer.issuer}/keys")
    forged = issuer.mint({}, make_key("two"), {"kid": "two"})
    for _ in range(3):
        assert check(sets, forged, source) == "unknown key"
    assert issuer.requests == ["/keys"]
    clock.forward(RETRY_US)
    issuer.keys = [make_key("two").as_dict(private=False)]
    assert check(sets, forged, source) == ""
    assert issuer.requests == ["/keys"] * 2


def test_the_last_good_keys_serve_a_day_while_the_issuer_is_down(
    sets: KeySets, issuer: Issuer, clock: FakeClock
) -> None:
    source, token = KeySource(issuer.issuer), issuer.mint({})
    assert check(sets, token, source) == ""
    issuer.about = {"issuer": "https://elsewhere.example"}
    clock.forward(KEPT_US - SECOND_US)
    assert check(sets, token, source) == ""
    clock.forward(SECOND_US)
    assert check(sets, token, source) == "issuer_keys_unavailable"


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://elsewhere.example"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "http://example.com/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
)
def test_a_discovery_document_leads_nowhere_else(
    sets: KeySets, issuer: Issuer, about: dict[str, Any]
) -> None:
    issuer.about = about
    assert check(sets, issuer.mint({}), KeySource(issuer.issuer)) == "issuer_keys_unavailable"


def test_this_machine_is_not_asked_unless_the_settings_allow_it(issuer: Issuer, clock: FakeClock) -> None:
    sets = KeySets(clock, Egress(Reach()))
    assert check(sets, issuer.mint({}), KeySource(issuer.issuer)) == "issuer_keys_unavailable"
    assert issuer.requests == []


def test_the_algorithm_is_the_keys_own(sets: KeySets, issuer: Issuer) -> None:
    source, claims = KeySource(issuer.issuer), {"iss": issuer.issuer}
    public = issuer.key.as_pem(private=False)
    signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    confused = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    assert check(sets, confused, source) == "algorithm"
    for name in ("none", "None", "nOnE", "HS512"):
        unsigned = f"{part({'alg': name, 'kid': 'one'})}.{part(claims)}."
        assert check(sets, unsigned, source) in ("algorithm", "no token")
    curve = jwk.ECKey.generate_key("P-256", {"kid": "one"})
    assert check(sets, issuer.mint({}, curve, {"alg": "ES256"}), source) == "algorithm"


def test_a_key_that_names_its_algorithm_verifies_no_other(sets: KeySets, issuer: Issuer) -> None:
    pinned = KeySource(inline=json.dumps({"keys": [issuer.key.as_dict(private=False) | {"alg": "RS256"}]}))
    assert check(sets, issuer.mint({}), pinned) == ""
    assert check(sets, issuer.mint({}, header={"alg": "PS256"}), pinned) == "algorithm"
    assert check(sets, issuer.mint({}, make_key("two")), pinned) == "signature"


@pytest.mark.parametrize("kid", ["../one", "one' OR 1=1", "", "two", 1, ["one"], {"kid": "one"}])
def test_a_key_id_is_compared_and_nothing_else(sets: KeySets, issuer: Issuer, kid: object) -> None:
    token = issuer.mint({})
    changed = f"{part({'alg': 'RS256', 'kid': kid})}.{token.split('.', 1)[1]}"
    assert check(sets, changed, KeySource(issuer.issuer)) in ("unknown key", "no token")


def test_a_key_in_the_header_is_no_key(sets: KeySets, issuer: Issuer) -> None:
    own = make_key("own")
    header = {"kid": "own", "jwk": own.as_dict(private=False), "jku": "https://evil.example/keys"}
    token = issuer.mint({}, own)
    forged = f"{part({'alg': 'RS256'} | header)}.{token.split('.', 1)[1]}"
    assert check(sets, forged, KeySource(issuer.issuer)) in ("unknown key", "no token")


@pytest.mark.parametrize(
    "payload",
    [
        '{"sub":"a","sub":"b"}',
        '{"a":{"b":1,"b":2}}',
        '{"exp":NaN}',
        "[]",
        '"text"',
        '{"a":' * 40 + "1" + "}" * 40,
    ],
)
def test_a_token_that_can_be_read_in_two_ways_is_none(payload: str) -> None:
    with pytest.raises(BadToken):
        read_unverified(f"{part({'alg': 'RS256'})}.{part(payload)}.c2ln")


def test_a_huge_token_is_not_looked_at(sets: KeySets, issuer: Issuer) -> None:
    token = issuer.mint({"padding": "x" * 40_000})
    assert check(sets, token, KeySource(issuer.issuer)) == "too long"
    with pytest.raises(BadToken):
        read_unverified(token)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"keys": 1}',
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}]}',
        json.dumps({"keys": [make_key("one").as_dict(private=True)]}),
        '{"keys": [{"kty": "EC", "crv": "P-192"}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_set_of_public_keys_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_key_set(text)
