"""Signatures of leak reports: what the partner signed passes, and nothing else does."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from watchword.crypto.reports import (
    KEY_ID_HEADER,
    MAX_KEY_LIST,
    SIGNATURE_HEADER,
    ReportKey,
    UnfitKey,
    github_headers,
    key_id,
    key_list,
    public_pem,
    read_key_list,
    read_public_key,
    timed,
    verify,
)

# The sample request of GitHub's documentation, and the key that it publishes under that identifier.
GITHUB_KEY_ID = "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c"
GITHUB_KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\n"
    "AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==\n"
    "-----END PUBLIC KEY-----\n"
)
GITHUB_BODY = (
    b'[{"source":"commit","token":"some_token","type":"some_type",'
    b'"url":"https://example.com/base-repo-url/"}]'
)
GITHUB_SIGNATURE = (
    "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg=="
)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY = ReportKey.generate()
OTHER = ReportKey.generate()


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_the_sample_of_githubs_documentation_passes() -> None:
    listed = json.dumps(
        {"public_keys": [{"key_identifier": GITHUB_KEY_ID, "key": GITHUB_KEY, "is_current": True}]}
    )
    key = read_key_list(listed.encode())[GITHUB_KEY_ID]
    assert verify(key, GITHUB_SIGNATURE, GITHUB_BODY)
    assert not verify(key, GITHUB_SIGNATURE, GITHUB_BODY + b"\n")
    assert not verify(key, GITHUB_SIGNATURE, json.dumps(json.loads(GITHUB_BODY)).encode())


@given(st.binary(max_size=200))
def test_what_was_signed_passes_with_its_own_key_alone(body: bytes) -> None:
    headers = github_headers(KEY, body)
    assert headers[KEY_ID_HEADER] == KEY.id
    keys = read_key_list(key_list([(KEY, True), (OTHER, True)]))
    assert verify(keys[KEY.id], headers[SIGNATURE_HEADER], body)
    assert not verify(keys[OTHER.id], headers[SIGNATURE_HEADER], body)
    assert not verify(None, headers[SIGNATURE_HEADER], body)
    assert not verify(keys[KEY.id], headers[SIGNATURE_HEADER], body + b" ")


@given(st.text(max_size=300))
def test_no_text_passes_as_a_signature(text: str) -> None:
    key = read_public_key(KEY.public_pem())
    assert not verify(key, text, b"body")
    assert not verify(None, text, b"body")


@given(st.binary(min_size=1, max_size=90))
def test_der_can_be_written_in_one_way_alone(noise: bytes) -> None:
    key = read_public_key(KEY.public_pem())
    good = base64.b64decode(KEY.sign(b"body"))
    r, s = decode_dss_signature(good)
    longer = bytes([0x30, 0x81, len(good) - 2]) + good[2:]
    padded = bytes([0x30, good[1] + 1, 0x02, good[3] + 1, 0]) + good[4:]
    for forged in (
        good + noise,
        noise + good,
        good[:-1],
        longer,
        padded,
        encode_dss_signature(r + ORDER, s),
        encode_dss_signature(r, s + ORDER),
        encode_dss_signature(s, r),
        bytes(64),
        r.to_bytes(32, "big") + s.to_bytes(32, "big"),
    ):
        assert not verify(key, encoded(forged), b"body")
    assert not verify(key, encoded(good) + "\n", b"body")
    assert verify(key, encoded(good), b"body")


def test_a_list_gives_current_keys_of_the_right_curve_alone() -> None:
    wrong = [
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    ]
    rows = [
        {"key_identifier": str(place), "key": public_pem(key), "is_current": True}  # type: ignore[arg-type]
        for place, key in enumerate(wrong)
    ]
    rows += [
        {"key_identifier": "old", "key": OTHER.public_pem(), "is_current": False},
        {"key_identifier": "unsaid", "key": OTHER.public_pem()},
        {"key_identifier": "word", "key": OTHER.public_pem(), "is_current": "true"},
        {"key_identifier": "broken", "key": "-----BEGIN PUBLIC KEY-----\nnonsense", "is_current": True},
        {"key_identifier": 7, "key": OTHER.public_pem(), "is_current": True},
        {"key_identifier": "good", "key": KEY.public_pem(), "is_current": True},
    ]
    assert set(read_key_list(json.dumps({"public_keys": rows}).encode())) == {"good"}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"null",
        b'{"public_keys": 1}',
        b'{"public_keys": [' + b",".join([b"{}"] * 51) + b"]}",
        b"[" * 200_000,
        b" " * (MAX_KEY_LIST + 1),
    ],
)
def test_what_is_no_list_is_refused(document: bytes) -> None:
    with pytest.raises(UnfitKey):
        read_key_list(document)


def test_a_key_survives_its_file() -> None:
    again = ReportKey.read(KEY.pem())
    assert again.id == KEY.id == key_id(again.private.public_key())
    assert KEY.pem() not in repr(again)
    for text in ("", "nonsense", KEY.public_pem()):
        with pytest.raises(UnfitKey):
            ReportKey.read(text)
    with pytest.raises(UnfitKey):
        read_public_key(public_pem(ec.generate_private_key(ec.SECP521R1()).public_key()))


def test_ed25519_signs_generic_reports() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = ReportKey(private, key_id(private.public_key()))
    message = timed("1700000000", b"[]")
    public = read_public_key(key.public_pem())
    assert verify(public, key.sign(message), message)
    assert not verify(public, key.sign(message), timed("1700000001", b"[]"))
    assert not verify(public, KEY.sign(message), message)
    assert not verify(public, "", message)
    assert not verify(read_public_key(KEY.public_pem()), key.sign(message), message)
