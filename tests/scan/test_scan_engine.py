"""The engine: what it finds is what a slow and simple reading finds, whatever the text."""

import random
import re
import time
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from watchword.crypto.values import (
    MAX_VALUE,
    checksum_holds,
    decode_cell,
    mint,
    mint_dagster,
    mint_signed,
)
from watchword.domain.kinds import KINDS, Kind
from watchword.scan import sieve
from watchword.scan.engine import Engine
from watchword.scan.findings import Hit, Proof
from watchword.scan.patterns import families

BRANDS = ("bk", "acme")
JWT = "_eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxMjM0NTYifQ." + "x-_" * 28 + "xy"
Seen = tuple[int, int, str, str, str, int | None, Proof]


def values(brand: str = "bk") -> dict[str, str]:
    """One value of each family."""
    made = {
        spec.shape.name: mint(spec.kind, brand=brand, cell=7).reveal()
        for spec in KINDS.values()
        if spec.shape.checked
    }
    made["job-token"] = f"{brand}aj" + JWT
    made["registry-token"] = mint_signed(b'{"a":"bcdefgh"}', b"key", brand=brand).reveal()
    made["dagster-agent-token"] = mint_dagster(Kind.DAGSTER_AGENT, "acme-1").reveal()
    made["dagster-user-token"] = mint_dagster(Kind.DAGSTER_USER).reveal()
    made["agent-token-legacy"] = f"{brand}ct_" + "aB3-_" * 14 + "abc"
    made["api-access-token-legacy"] = f"{brand}ua_" + "0a" * 20
    return made


def naive(brands: tuple[str, ...], data: bytes) -> list[Seen]:
    """What stands in the data by trying every family at every place."""
    known = families(brands)
    prefixes = sorted({family.prefix for family in known}, key=len, reverse=True)
    found: list[Seen] = []
    end = 0
    for at in range(len(data)):
        prefix = next((one for one in prefixes if data.startswith(one, at)), None)
        if at < end or prefix is None:
            continue
        for family in known:
            match = family.pattern.match(data[: at + MAX_VALUE], at) if family.prefix == prefix else None
            # What follows the cut is part of the text all the same.
            if match is None or (family.legacy and match.end() == at + MAX_VALUE):
                continue
            text = match.group().decode()
            proven = family.checked and checksum_holds(family.shape, text)
            around = data[max(at - 1, 0) : at] + data[match.end() : match.end() + 1]
            if proven or not re.search(rb"[A-Za-z0-9]", around):
                rest = text[len(prefix) :]
                cell = decode_cell(rest.split(family.shape.separator)[0]) if family.checked else None
                proof = Proof.CHECKSUM if proven else Proof.SHAPE
                found.append((at, match.end(), text, family.name, family.brand, cell, proof))
                end = match.end()
                break
    return found


def seen(hits: list[Hit]) -> list[Seen]:
    return [
        (one.start, one.end, one.value.reveal(), one.family, one.brand, one.cell, one.proof) for one in hits
    ]


def both(brands: tuple[str, ...], data: bytes) -> list[Seen]:
    """What the engine finds; the same with either sieve."""
    fast, plain = engines(brands)
    found = seen(list(fast.hits(data)))
    assert seen(list(plain.hits(data))) == found
    assert fast.maybe(data) or not found
    return found


@cache
def engines(brands: tuple[str, ...]) -> tuple[Engine, Engine]:
    return Engine(brands), Engine(brands, fast=False)


PIECES = st.one_of(
    st.sampled_from([one.encode() for brand in BRANDS for one in values(brand).values()]),
    st.sampled_from([family.prefix for family in families(BRANDS)]),
    st.sampled_from([one.encode()[:-1] for one in values().values()]),
    st.sampled_from([one.encode()[3:] for one in values().values()]),
    st.sampled_from(
        [b"bk", b"eyJ", b".eyJ", b"--", b"=", b"--" + b"0a" * 20, b"MTA.", b"_", b".", b":", b"\n"]
    ),
    st.sampled_from(
        [b"x" * 10, b"a" * 77, b"0" * 40, b"A" * 86, b"-" * 73, b"bkaj_eyJ" * 300, b"bkpt_eyJ" * 300]
    ),
    st.binary(max_size=6),
    st.text("bkctuarjps_:.-=", max_size=8).map(str.encode),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=14).map(b"".join))
@example(b"bkaj_eyJ" * 300 + JWT.encode())
@example(b"bkpt_eyJ" * 300 + b"=--" + b"0" * 40)
@example(b"bkct_" + b"bkct_" * 14 + b"aaa")
@example(b"bkbkct_" + b"-" * 73)
def test_the_engine_finds_what_a_simple_reading_finds(data: bytes) -> None:
    assert both(BRANDS, data) == naive(BRANDS, data)


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("family", list(values()))
def test_each_family_is_found_in_random_bytes_at_any_place(family: str, brand: str) -> None:
    text = values(brand)[family].encode()
    source = random.Random(family)
    for _ in range(40):
        before, after = (source.randbytes(source.randrange(300)) for _ in range(2))
        data = before + b"\0" + text + b"\xff" + after
        found = both(BRANDS, data)
        assert (len(before) + 1, text.decode(), family) in [(one[0], one[2], one[3]) for one in found]


def test_a_checksum_proves_a_value_inside_a_word_and_a_shape_does_not() -> None:
    proven = values()["agent-token"]
    wrong = proven[:-1] + ("1" if proven[-1] != "1" else "2")
    assert [one[3] for one in both(("bk",), f"x{proven}x".encode())] == ["agent-token"]
    assert both(("bk",), f"x{wrong}".encode()) == []
    assert both(("bk",), f"{wrong}x".encode()) == []
    assert [one[6] for one in both(("bk",), wrong.encode())] == [Proof.SHAPE]


def test_other_brands_are_left_alone_and_unbranded_families_belong_to_all() -> None:
    text = "\n".join(values("acme").values()).encode()
    assert {one[3] for one in both(("bk",), text)} == {"dagster-agent-token", "dagster-user-token"}
    assert {one[3] for one in both(("acme",), text)} == set(values())


def test_a_value_longer_than_servers_take_is_none() -> None:
    body = "bkaj_eyJ" + "a" * (MAX_VALUE - 8 - 102) + ".eyJ" + "b" * 11 + "." + "c" * 86
    assert len(body) == MAX_VALUE
    assert len(both(("bk",), body.encode())) == 1
    assert both(("bk",), ("bkaj_eyJa" + body[8:]).encode()) == []


def test_without_the_fast_sieve_the_plain_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve, "compile_fast", None)
    text = values()["agent-token"]
    assert [one.value.reveal() for one in Engine().hits(text.encode())] == [text]


@pytest.mark.parametrize(
    "text",
    [
        b"bk",
        b"bkct_",
        b"bkct_bk",
        b"bkaj_eyJ",
        b"bkpt_eyJ--",
        b"agent:a",
        b"user:0",
        b"bkua_MTA.0123456789abcdef",
    ],
)
def test_text_made_to_be_slow_takes_time_in_proportion(text: bytes) -> None:
    # A quadratic engine would need minutes; the bound is generous, because machines are busy.
    for fast in (True, False):
        began = time.process_time()
        assert not list(Engine(("acme", "bk"), fast=fast).hits(text * (2_000_000 // len(text))))
        assert time.process_time() - began < 4
