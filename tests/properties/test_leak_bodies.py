"""Whatever is sent below /leaks/, reading it ends in items or in an error of ours, and never in a crash."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.property_profiles import examples
from watchword.crypto.reports import UnfitKey, read_key_list
from watchword.domain.errors import Invalid, TooLarge, WatchwordError
from watchword.leaks_api.wire import (
    MAX_ITEMS,
    github_items,
    gitlab_items,
    lookup_prefixes,
    shown_values,
    signed_items,
)
from watchword.services.leakfinding import Item, digest_of
from watchword.services.leakreporters import read_reporters

READERS = (github_items, gitlab_items, signed_items)
texts = st.text(max_size=40)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
NAMES = (
    "token",
    "tokens",
    "type",
    "url",
    "source",
    "location",
    "digest",
    "organization",
    "token_id",
    "visibility",
    "exposed_at",
    "place",
    "prefixes",
)
items = st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=6), max_size=5)
escaped = st.sampled_from([r"\ud800", r"\udfff\ud800", r"\u0000", r"\uffff", "\\", '"', "é", "\x7f"])


def read(reader: Callable[[bytes], Any], body: bytes) -> list[Any]:
    """What a body holds; nothing where it is refused as one of ours refuses."""
    refusal: WatchwordError
    try:
        return list(reader(body))
    except (Invalid, TooLarge) as error:
        refusal = error
    assert refusal.code
    assert 400 <= refusal.status < 500
    return []


def check(body: bytes) -> None:
    for reader in READERS:
        for item in read(reader, body):
            assert isinstance(item, Item)
            assert len(digest_of(item)) in (0, 32)
            assert isinstance(item.url, str)
            assert isinstance(item.type, str)
            assert repr(item).count("Secret(") == (item.value is not None)
    for value in read(shown_values, body):
        assert value.reveal()
    assert all(isinstance(one, str) for one in read(lookup_prefixes, body))


@examples(300)
@given(st.binary(max_size=300))
def test_bytes(body: bytes) -> None:
    check(body)


@examples(300)
@given(items | values)
def test_json_of_any_shape(content: Any) -> None:
    check(json.dumps(content).encode())


@examples(200)
@given(st.sampled_from(NAMES), st.lists(escaped | texts, max_size=4))
def test_texts_that_are_hard_to_read(name: str, parts: list[str]) -> None:
    text = "".join(parts)
    check(f'[{{"token": "a", "{name}": "{text}"}}]'.encode("utf-8", "surrogatepass"))
    check(f'{{"token": "{text}", "prefixes": ["{text}"]}}'.encode("utf-8", "surrogatepass"))


@examples(100)
@given(items, st.integers(0, 200), st.integers(0, 200))
def test_what_is_cut_off(content: Any, start: int, end: int) -> None:
    whole = json.dumps(content).encode()
    check(whole[start : len(whole) - end])


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'[{"token":"a","url":', b'[{"token":"a","x":', b'{"tokens":[']
)
def test_depth_is_no_way_to_take_the_stack(opening: bytes) -> None:
    check(opening * 50_000)


def test_there_are_at_most_so_many_items() -> None:
    body = b"[" + b",".join([b'{"token":"a"}'] * (MAX_ITEMS + 1)) + b"]"
    for reader in READERS:
        with pytest.raises(TooLarge):
            reader(body)


@examples(300)
@given(st.binary(max_size=200) | values.map(lambda one: json.dumps({"public_keys": one}).encode()))
def test_lists_of_keys(document: bytes) -> None:
    with contextlib.suppress(UnfitKey):
        assert read_key_list(document) == {}


KEYS = (
    "name",
    "type",
    "keys",
    "public_key",
    "public_key_file",
    "key_id",
    "secret",
    "secret_file",
    "visibility",
)
tables = st.lists(
    st.dictionaries(
        st.sampled_from(KEYS), values | st.sampled_from(["github", "gitlab", "signed", "a"]), max_size=5
    ),
    max_size=3,
)


@examples(200)
@given(tables | values)
def test_settings_of_reporters(given_: Any) -> None:
    for shape in (given_, json.dumps(given_)):
        codes = []
        try:
            read_reporters(shape)
        except Invalid as error:
            codes.append(error.code)
        assert codes in ([], ["invalid_setting"])
