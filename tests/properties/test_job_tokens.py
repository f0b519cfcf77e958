"""Job tokens: one header, one algorithm, one way to write a value; every other one is refused."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from properties.property_profiles import examples
from watchword.crypto.jwt import MAX_TOKEN, JobClaims, read_claims, sign, signature_holds
from watchword.crypto.keys import Key, KeyRing, Purpose
from watchword.crypto.values import Recogniser

PREFIX = "bkaj_"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEY = Key(1, Purpose.JOB_TOKEN, bytes(range(64)), active=True)
OTHER = Key(2, Purpose.JOB_TOKEN, bytes(range(1, 65)), active=True)
JOB, AGENT, ORGANIZATION = (f"0196601b-5a7{digit}-7e95-bca8-06343a2b9079" for digit in "123")
CLAIMS = JobClaims(JOB, AGENT, "watchword", 1_800_000_000, 1_800_003_600, ORGANIZATION)
VALUE = sign(CLAIMS, KEY, PREFIX).reveal()

ids = st.uuids().map(str)
seconds = st.integers(0, 2**40)
claims = st.builds(JobClaims, ids, ids, st.just("watchword"), seconds, seconds, ids)


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(
    header: str | bytes,
    payload: str | bytes,
    key: bytes = KEY.secret,
    algorithm: Callable[[], Any] = hashlib.sha512,
) -> str:
    """A value signed with the right key, whatever its header and payload are."""
    parts = [part.encode() if isinstance(part, str) else part for part in (header, payload)]
    signed = ".".join(encode(part) for part in parts)
    mac = hmac.new(key, signed.encode(), algorithm).digest()
    return f"{PREFIX}{signed}.{encode(mac)}"


HEADER = '{"alg":"HS512"}'
PAYLOAD = json.dumps(asdict(CLAIMS), separators=(",", ":"))


def passes(value: str, key: Key = KEY) -> bool:
    """As the verifier decides: shape, claims, signature."""
    found = Recogniser().recognise(value)
    if found is None or found.checksum is False:
        return False
    return read_claims(value, PREFIX) is not None and signature_holds(value, PREFIX, key)


def test_the_helper_forges_as_the_product_signs() -> None:
    ordered = {name: asdict(CLAIMS)[name] for name in ("sub", "aud", "iss", "exp", "iat", "organization_id")}
    assert forge(HEADER, json.dumps(ordered, separators=(",", ":"))) == VALUE
    assert passes(VALUE)
    assert passes(forge(HEADER, PAYLOAD))


@examples(200)
@given(claims)
def test_what_is_signed_is_read_back(made: JobClaims) -> None:
    value = sign(made, KEY, PREFIX).reveal()
    assert sign(made, KEY, PREFIX).reveal() == value
    assert read_claims(value, PREFIX) == made
    assert passes(value)
    assert not passes(value, OTHER)
    assert len(value) <= MAX_TOKEN


@examples(500)
@given(st.integers(0, len(VALUE) - 1), st.sampled_from(ALPHABET + ".=~ \n\0é"))
def test_any_changed_character_is_refused(place: int, other: str) -> None:
    assume(other != VALUE[place])
    assert not passes(VALUE[:place] + other + VALUE[place + 1 :])


def test_every_other_last_character_is_refused() -> None:
    """64 bytes leave four bits of the last character unused: sixteen characters would decode alike."""
    for other in ALPHABET:
        assert passes(VALUE[:-1] + other) is (other == VALUE[-1])


@pytest.mark.parametrize("part", [0, 1])
def test_unused_bits_of_header_and_claims_are_refused(part: int) -> None:
    pieces = VALUE.removeprefix(PREFIX).split(".")
    for other in ALPHABET:
        if other != pieces[part][-1]:
            changed = list(pieces)
            changed[part] = changed[part][:-1] + other
            head = ".".join(changed[:2])
            mac = encode(hmac.digest(KEY.secret, head.encode(), "sha512"))
            value = f"{PREFIX}{head}.{mac}"
            found = read_claims(value, PREFIX)
            assert not passes(value) or found != CLAIMS


@examples(200)
@given(st.integers(0, len(VALUE)), st.integers(0, len(VALUE)))
def test_a_part_of_a_value_is_refused(start: int, end: int) -> None:
    assume((start, end) != (0, len(VALUE)))
    assert not passes(VALUE[start:end])


@pytest.mark.parametrize(
    "value",
    [
        VALUE.upper(),
        VALUE.lower(),
        VALUE.swapcase(),
        VALUE + VALUE,
        VALUE + "." + VALUE,
        VALUE + "=",
        VALUE + "==",
        VALUE + "\n",
        VALUE + " ",
        " " + VALUE,
        VALUE.replace(".", ".."),
        VALUE.replace(".", "=."),
        VALUE.removeprefix(PREFIX),
        VALUE.rpartition(".")[0] + ".",
        VALUE.rpartition(".")[0],
        VALUE.replace("-", "+").replace("_", "/"),
    ],
)
def test_other_ways_to_write_a_value_are_refused(value: str) -> None:
    assert value == VALUE or not passes(value)


HEADERS = [
    '{"alg":"none"}',
    '{"alg":"None"}',
    '{"alg":""}',
    '{"alg":null}',
    '{"alg":["HS512"]}',
    '{"alg":"HS256"}',
    '{"alg":"HS384"}',
    '{"alg":"hs512"}',
    '{"alg":"RS512"}',
    '{"alg":"ES512"}',
    '{"alg":"EdDSA"}',
    "{}",
    "[]",
    '"HS512"',
    "null",
    '{"typ":"JWT"}',
    '{"alg":"HS512","typ":"JWT"}',
    '{"typ":"JWT","alg":"HS512"}',
    '{"alg":"HS512","kid":"1"}',
    '{"alg":"HS512","jku":"https://example.com/keys"}',
    '{"alg":"HS512","x5u":"https://example.com/keys"}',
    '{"alg":"HS512","jwk":{"kty":"oct","k":"AA"}}',
    '{"alg":"HS512","crit":["exp"],"exp":1}',
    '{"alg":"HS512","crit":[]}',
    '{"alg":"HS512","b64":false,"crit":["b64"]}',
    '{"alg":"HS512","zip":"DEF"}',
    '{"alg":"HS512","alg":"HS512"}',
    '{"alg":"none","alg":"HS512"}',
    '{"alg":"HS512","alg":"none"}',
    '{"ALG":"HS512"}',
    '{"alg": "HS512"}',
    ' {"alg":"HS512"}',
    '{"alg":"HS512"} ',
    '{"alg":"HS512"}\n',
    '{"\\u0061lg":"HS512"}',
    '{"alg":"HS512"',
    "",
    "[" * 800,
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_says_anything_else_is_refused_though_it_is_signed(header: str) -> None:
    assert not passes(forge(header, PAYLOAD))
    assert not signature_holds(forge(header, PAYLOAD), PREFIX, KEY)


@pytest.mark.parametrize("algorithm", [hashlib.sha256, hashlib.sha384, hashlib.sha1, hashlib.sha3_512])
def test_another_algorithm_under_the_right_header_is_refused(algorithm: Callable[[], Any]) -> None:
    assert not signature_holds(forge(HEADER, PAYLOAD, algorithm=algorithm), PREFIX, KEY)


@pytest.mark.parametrize("secret", [b"", b"\0" * 64, KEY.secret[:32], KEY.secret + b"\1", OTHER.secret])
def test_another_key_is_refused(secret: bytes) -> None:
    assert not passes(forge(HEADER, PAYLOAD, key=secret))


def with_claims(**changes: object) -> str:
    return json.dumps(asdict(CLAIMS) | changes, separators=(",", ":"))


def without(name: str) -> str:
    return json.dumps({key: value for key, value in asdict(CLAIMS).items() if key != name})


PAYLOADS = [
    *(without(name) for name in asdict(CLAIMS)),
    with_claims(sub=None),
    with_claims(sub=5),
    with_claims(sub=[JOB]),
    with_claims(sub={"id": JOB}),
    with_claims(aud=[AGENT]),
    with_claims(iss=1),
    with_claims(exp="1800003600"),
    with_claims(exp=1.8e9),
    with_claims(exp=True),
    with_claims(exp=None),
    with_claims(iat=False),
    with_claims(iat=float("inf")),
    with_claims(iat=float("nan")),
    with_claims(organization_id=[]),
    with_claims(sub="\ud800"),
    with_claims(organization_id="\udfff"),
    with_claims(organization_id="\0"),
    PAYLOAD[:-1] + f',"sub":"{JOB}"}}',
    '{"sub":"0196601b-5a79-7e95-bca8-06343a2b9079",' + PAYLOAD[1:],
    PAYLOAD[:-1] + ',"exp":99999999999}',
    PAYLOAD[:-1],
    PAYLOAD + "{}",
    "[]",
    "null",
    "5",
    '"text"',
    "",
    "[" * 900,
    '{"sub":' * 200,
    '{"a":' + "[" * 700 + "]" * 700 + "," + PAYLOAD[1:],
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_claims_that_are_not_a_job_tokens_are_refused_though_they_are_signed(payload: str) -> None:
    value = forge(HEADER, payload)
    assert read_claims(value, PREFIX) is None
    assert not passes(value)


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", PAYLOAD.encode("utf-16"), b"\xef\xbb\xbf" + PAYLOAD.encode(), b"{\xff}"]
)
def test_claims_in_another_encoding_are_refused(raw: bytes) -> None:
    assert read_claims(forge(HEADER, raw), PREFIX) is None


def test_a_huge_value_is_refused_before_it_is_read() -> None:
    value = forge(HEADER, with_claims(more="x" * MAX_TOKEN))
    assert read_claims(value, PREFIX) is None
    assert not passes(value)


@examples(300)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(list(asdict(CLAIMS))), inner, max_size=6)
        ),
    )
)
def test_no_document_breaks_the_reader(document: object) -> None:
    found = read_claims(forge(HEADER, json.dumps(document)), PREFIX)
    assert found is None or asdict(found).items() <= dict(document).items()  # type: ignore[call-overload]


@examples(300)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=120))
def test_no_text_breaks_the_reader(header: str, payload: str, signature: str) -> None:
    value = f"{PREFIX}{header}.{payload}.{signature}"
    assert read_claims(value, PREFIX) is None
    assert not signature_holds(value, PREFIX, KEY)


@examples(200)
@given(claims, claims)
def test_parts_of_two_values_are_refused(one: JobClaims, two: JobClaims) -> None:
    assume(one != two)
    first, second = (sign(made, KEY, PREFIX).reveal().split(".") for made in (one, two))
    assert not passes(".".join([first[0], first[1], second[2]]))
    assert not passes(".".join([first[0], second[1], first[2]]))


def test_a_rotated_ring_keeps_old_values_verifiable() -> None:
    ring = KeyRing.generate()
    old = sign(CLAIMS, ring.active(Purpose.JOB_TOKEN), PREFIX).reveal()
    later = ring.rotated(Purpose.JOB_TOKEN)
    new = sign(CLAIMS, later.active(Purpose.JOB_TOKEN), PREFIX).reveal()
    former, active = later.find(Purpose.JOB_TOKEN, 1), later.find(Purpose.JOB_TOKEN, 2)
    assert former is not None
    assert active is not None
    assert not former.active
    assert passes(old, former)
    assert not passes(old, active)
    assert passes(new, active)
    assert replace(former, active=True) == ring.active(Purpose.JOB_TOKEN)


@examples(50)
@given(claims=claims)
def test_a_library_reads_what_we_sign(claims: JobClaims) -> None:
    value = sign(claims, KEY, PREFIX).reveal()
    read = jws.deserialize_compact(
        value.removeprefix(PREFIX), OctKey.import_key(KEY.secret), algorithms=["HS512"]
    )
    assert read.protected == {"alg": "HS512"}
    assert json.loads(read.payload) == asdict(claims)
