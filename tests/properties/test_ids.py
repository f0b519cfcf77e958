"""Ids: they have one shape and sort by the time they were made at."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.domain.ids import is_uuid, uuid7
from watchword.services.context import IdSource

MAX_US = (1 << 48) * 1000 - 1
times = st.integers(0, MAX_US)
noise = st.binary(min_size=10, max_size=10)


@examples(200)
@given(times, noise)
def test_an_id_is_a_version_7_uuid_that_carries_its_milliseconds(now: int, random: bytes) -> None:
    text = uuid7(now, random)
    assert is_uuid(text)
    read = uuid.UUID(text)
    assert str(read) == text
    assert read.version == 7
    assert read.variant == uuid.RFC_4122
    assert read.int >> 80 == now // 1000


@examples(300)
@given(times, noise, times, noise)
def test_ids_sort_by_time(one: int, first: bytes, two: int, second: bytes) -> None:
    if one != two:
        assert (uuid7(one, first) < uuid7(two, second)) is (one < two)


@examples(200)
@given(times, noise, noise)
def test_ids_of_one_microsecond_differ_by_their_random_part(now: int, one: bytes, two: bytes) -> None:
    kept = (1 << 62) - 1
    same = int.from_bytes(one, "big") & kept == int.from_bytes(two, "big") & kept
    assert (uuid7(now, one) == uuid7(now, two)) is same


@examples(20)
@given(st.binary(max_size=20).filter(lambda random: len(random) != 10))
def test_an_id_needs_its_random_bytes(random: bytes) -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        uuid7(0, random)


@examples(100)
@given(st.lists(st.integers(0, 10**16), min_size=2, max_size=30))
def test_a_source_rises_whatever_the_clock_does(clock: list[int]) -> None:
    source = IdSource()
    made = [source.next(now) for now in clock]
    assert made == sorted(set(made))


@examples(300)
@given(st.text(max_size=40))
def test_noise_is_no_uuid(text: str) -> None:
    shape = [8, 4, 4, 4, 12]
    parts = text.split("-")
    assert is_uuid(text) is (
        [len(part) for part in parts] == shape and set("".join(parts)) <= set("0123456789abcdefABCDEF")
    )


@examples(100)
@given(times, noise, st.integers(0, 35), st.characters())
def test_an_id_with_a_foreign_character_is_none(now: int, random: bytes, place: int, other: str) -> None:
    text = uuid7(now, random)
    changed = text[:place] + other + text[place + 1 :]
    digit = other in "0123456789abcdefABCDEF"
    assert is_uuid(changed) is (other == "-" if place in (8, 13, 18, 23) else digit)
